"""The holder of a run: takes commands and observations, records what follows, then acts.

    command ─┐                              ┌─> whoever waits for the command is told
             ├─> events ─> fold ─> append ──┼─> followers
observation ─┘      ^        │    (synced)  └─> hands (sessions, merges)
                    └ decide ┘

One turn takes everything that has arrived, folds it in, asks `decide` until it has nothing more to say,
and appends all of it in one transaction. Nothing is told to anybody, and nothing is started, before the
append is on the disk.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from bigtask.core import ledger
from bigtask.core.commands import AnyCommand, obey
from bigtask.core.decide import decide, wakes_at
from bigtask.core.events import Event, Happened, Progress
from bigtask.core.evolve import evolve
from bigtask.core.hooks import HookEnded, conclude, due
from bigtask.core.observations import Observation, Opened
from bigtask.core.reactions import observe
from bigtask.core.recovery import recover, to_integrate
from bigtask.core.run import Run
from bigtask.errors import BigtaskError, HolderGone, StoreError, StoreFull
from bigtask.host.feed import Feed
from bigtask.host.hands import Hands
from bigtask.host.handwritten import as_read
from bigtask.host.log import RunLog
from bigtask.secrecy import Secrecy
from bigtask.sink import log

_FULL_RETRY_S = 1.0
_PROGRESS_EVERY_S = 1.0
_HOOKS_AFTER_END_S = 60.0


def steady_clock() -> Callable[[], int]:
    """Milliseconds since the epoch as they were when it was made, going on evenly whatever the system's
    clock does meanwhile."""
    offset = time.time_ns() - time.monotonic_ns()
    return lambda: (offset + time.monotonic_ns()) // 1_000_000


@dataclass(slots=True)
class _Asked:
    command: AnyCommand
    done: asyncio.Future[int]


class Recorded:
    """Something that happened outside the rules and is to be recorded as it is."""

    __slots__ = ("done", "happened")

    def __init__(self, happened: Happened, done: asyncio.Future[int]) -> None:
        self.happened = happened
        self.done = done


_Item = _Asked | Recorded | Observation | HookEnded


def _said(item: _Item) -> msgspec.Struct:
    match item:
        case _Asked(command=command):
            return command
        case Recorded(happened=happened):
            return happened
    return item


def _refuse(item: _Item) -> None:
    if not isinstance(item, Observation | HookEnded) and not item.done.done():
        item.done.set_exception(HolderGone("the run isn't carried out here any more: ask again"))


class Holder:
    """Use `carry_out` in a task of its own; everything else may be called from the same loop meanwhile."""

    def __init__(
        self,
        run: Run,
        log: RunLog,
        hands: Hands,
        *,
        now: Callable[[], int] | None = None,
        chance: random.Random | None = None,
        idle: bool = False,
        secrecy: Secrecy | None = None,
    ) -> None:
        """Whatever arrives passes `secrecy` before anything is made of it. An `idle` holder records commands
        and starts nothing; what they lead to is the next one's to do."""
        self.run = run
        self.hands = hands
        self.feed = Feed(log, run.seq)
        self.trouble: str | None = None
        """Why nothing can be recorded at the moment, for people; None when all is well."""
        self._log = log
        self._now = now or steady_clock()
        self._chance = chance or random.Random()
        self._idle = idle
        self._secrecy = secrecy or Secrecy()
        self._inbox: deque[_Item] = deque()
        self._taken: tuple[_Item, ...] = ()
        """What the present turn took: whoever asked hears of it also where the turn fails."""
        self._arrived = asyncio.Event()
        self._closing = False
        self._over = False
        self._last_progress = float("-inf")
        hands.tell = self.see

    async def ask(self, command: AnyCommand) -> int:
        """The sequence number by which everything that the command led to is recorded. Raises what
        `commands.obey` raises."""
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._put(_Asked(command, done))
        return await done

    async def record(self, happened: Happened) -> int:
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._put(Recorded(happened, done))
        return await done

    def see(self, observation: Observation | HookEnded) -> None:
        self._put(observation)

    def close(self) -> None:
        """Ends `carry_out`; attempts under way are ended and found lost by the next holder."""
        self._closing = True
        self._arrived.set()

    async def let_hooks_end(self) -> None:
        """Waits for the hooks of a run that is over; those that aren't done within a minute are left to the
        next holder."""
        if self._idle or self.run.outcome is None or not due(self.run):
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_HOOKS_AFTER_END_S):
                async for _ in self.feed.follow(self.run.seq):
                    if self.run.outcome is None or not due(self.run):
                        return
        left = ", ".join(dict.fromkeys(hook.value for _, hook in due(self.run)))
        log("OrchestratorManager").warning(
            "hooks of the run haven't ended (%s): they are run again by who carries it out next", left
        )

    def _put(self, item: _Item) -> None:
        if self._over:
            _refuse(item)
            return
        self._inbox.append(item)
        self._arrived.set()

    async def carry_out(self) -> None:
        """Carries the run out until `close`. Raises SequenceTaken when somebody else has written to the
        log."""
        try:
            async with asyncio.TaskGroup() as group:
                self.hands.group = group
                try:
                    await self._begin()
                    while not self._closing:
                        await self._wait()
                        await self._turn()
                finally:
                    # Before the group ends: from then on no task can be started in it.
                    self.hands.stop()
        except* StoreError as failed:
            raise failed.exceptions[0] from None
        finally:
            self._over = True
            for item in (*self._taken, *self._inbox):
                _refuse(item)
            self.feed.close()

    async def _begin(self) -> None:
        """Takes up what an earlier holder left."""
        if self._idle:
            return
        events: list[Event] = []
        self._fold(recover(self.run, resumable=self.hands.resumable), events)
        waiting_to_merge = to_integrate(self.run)
        self._settle(events)
        await self._append(events)
        self.hands.tidy()
        for id, number in waiting_to_merge.items():
            self.hands.integrate(id, number)
        for event in events:
            self.hands.act(event.data)
        self._look_at_hooks()

    def _look_at_hooks(self) -> None:
        if self.run.hooks:
            self.hands.hooks.look(self.hands.group, self._recorded, self.see)

    async def _recorded(self, seq: int) -> Event:
        return (await self._log.read(seq - 1, 1))[0]

    async def _wait(self) -> None:
        due = None if self._idle else wakes_at(self.run)
        if due is None:
            await self._arrived.wait()
        else:
            # Not `asyncio.timeout`: when it expires together with a cancellation it takes that for its own.
            wait_s = max(due - self._now(), 0) / 1000
            alarm = asyncio.get_running_loop().call_later(wait_s, self._arrived.set)
            try:
                await self._arrived.wait()
            finally:
                alarm.cancel()
        self._arrived.clear()

    def _without_secrets(self, items: tuple[_Item, ...]) -> tuple[_Item, ...]:
        """Looked at together: most have nothing in them."""
        said = [_said(item) for item in items if not isinstance(item, Opened)]
        try:
            if not said or not self._secrecy.may_hold(msgspec.json.encode(said)):
                return items
        except UnicodeEncodeError:
            pass  # half of a character: found again item by item, so that only its sender is told
        return tuple(self._cleaned(item) for item in items)

    def _cleaned(self, item: _Item) -> _Item:
        match item:
            case _Asked(command=command, done=done):
                return _Asked(self._secrecy.value(command), done)
            case Recorded(happened=happened, done=done):
                return Recorded(self._secrecy.value(happened), done)
        return self._secrecy.value(item)

    async def _turn(self) -> None:
        events: list[Event] = []
        answered: list[tuple[asyncio.Future[int], BigtaskError | None]] = []
        self._taken = self._without_secrets(tuple(self._inbox))
        self._inbox.clear()
        for item in self._taken:
            match item:
                case Observation():
                    seen = observe(
                        self.run, item, jitter=self._chance.random(), resumable=self.hands.resumable
                    )
                    self._fold(seen, events)
                case HookEnded():
                    self._fold(conclude(self.run, item), events)
                case _Asked(command=command, done=done):
                    try:
                        command = as_read(self.run, command, self.hands.knows)
                        self._fold(obey(self.run, command, resumable=self.hands.resumable), events)
                        answered.append((done, None))
                    except BigtaskError as error:
                        answered.append((done, error))
                case Recorded(happened=happened, done=done):
                    self._fold((happened,), events)
                    answered.append((done, None))
        if self._idle:
            self._settle_idle(events)
        else:
            self._settle(events)
            self._tell_progress(events)
        await self._append(events)
        for done, problem in answered:
            if done.done():
                continue
            if problem is None:
                done.set_result(self.run.seq)
            else:
                done.set_exception(problem)
        for event in events:
            self.hands.remember(event.data, event.at)
        if not self._idle:
            for event in events:
                self.hands.act(event.data)
            self._look_at_hooks()

    def _fold(self, happened: Sequence[Happened], events: list[Event]) -> None:
        at = self._now()
        for data in happened:
            event = Event(self.run.seq + 1, at, data)
            evolve(self.run, event)
            events.append(event)

    def _settle(self, events: list[Event]) -> None:
        while happened := decide(self.run, self._now()):
            self._fold(happened, events)

    def _settle_idle(self, events: list[Event]) -> None:
        """A pause is complete at once, since nothing is under way here: what a dead holder left rests until
        somebody resumes the run. Everything else is left as it is."""
        if self.run.pausing:
            self._fold(recover(self.run, resumable=self.hands.resumable), events)
            self._settle(events)

    def _tell_progress(self, events: list[Event]) -> None:
        now = asyncio.get_running_loop().time()
        if not events or not self.run.tasks or self.run.outcome is not None:
            return
        if now - self._last_progress < _PROGRESS_EVERY_S:
            return
        self._last_progress = now
        counts, percent = ledger.counts(self.run), round(ledger.percent(self.run), 1)
        self._fold((Progress(counts=counts, percent=percent),), events)

    async def _append(self, events: list[Event]) -> None:
        if not events:
            return
        while True:
            try:
                await self._log.append(events[0].seq - 1, events)
                break
            except StoreFull as error:
                if self.trouble is None:
                    log("OrchestratorManager").warning("%s", error)
                self.trouble = str(error)
                if self._closing:
                    raise  # what isn't recorded was told to nobody: the next holder finds the run before it
                await asyncio.sleep(_FULL_RETRY_S)
        self.trouble = None
        self.feed.publish(events)
