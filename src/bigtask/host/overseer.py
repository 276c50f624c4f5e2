"""Beside a session: ends its turn when its time is over or it has stalled, and the session where that doesn't
help. What is said to it then is its attempt's business."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from bigtask.agents.protocol import Limited, PermissionAsked, SessionEvent, Traits
from bigtask.core import observations as o
from bigtask.core.liveness import Activity
from bigtask.host.attempt_clock import Due, Watch, end_s
from bigtask.host.controls import Controls
from bigtask.protocol.asking import nudge_words
from bigtask.words import counted

MOST_NUDGES = 3
_REACTION_S = 30.0
"""How long a turn may go on after it was to end."""
_LIMIT_S = 900.0
"""How long a turn may wait by itself for a limit whose end nobody told, and beyond one that was told."""
_LIMIT = "limit"


class Overseer:
    def __init__(
        self,
        controls: Controls,
        traits: Traits,
        notice: Callable[[o.Observation], None],
        who: Mapping[str, Any],
        *,
        limit_s: float,
        stall_after_s: float,
        time_up: bool,
    ) -> None:
        """`limit_s` is the whole active time, whatever of it `controls` has left; `who` are the fields of an
        observation that name the attempt."""
        self._controls = controls
        self._traits = traits
        self._notice = notice
        self._who = who
        self._limit_s = limit_s
        self._stall_after_s = stall_after_s
        self._watch = Watch(controls.time, stall_after_s)
        self._nudged = False
        """It was, and has said nothing since."""
        self._nudges = 0
        self._turn_over = asyncio.Event()
        self._turn_over.set()
        self._scope = asyncio.timeout(None)
        self._questions: set[str] = set()
        self._limit_ends: asyncio.TimerHandle | None = None
        self.time_up = time_up
        """The session is only to report what is done."""
        self.due: Due | None = None
        """Why the running turn is ended."""
        self.overdue = ""
        """Why the attempt is ended, as the beginning of a sentence."""

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """While the block runs, time goes and somebody watches."""
        self._controls.time.start()
        watching = asyncio.create_task(self._attend())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            self._limit_over()
            if not watching.cancelled():
                watching.result()

    def bound(self) -> asyncio.Timeout:
        """The context of a session, which raises TimeoutError when that is ended."""
        now = asyncio.get_running_loop().time()
        self._scope = asyncio.timeout_at(now if self.overdue else None)
        return self._scope

    @property
    def continues(self) -> bool:
        """Whether a session that was ended is to go on in another process."""
        return self._scope.expired() and not self.overdue

    def take_due(self) -> Due | None:
        due, self.due = self.due, None
        return due

    @contextmanager
    def turn(self) -> Iterator[None]:
        self._turn_over.clear()
        self._watch.at_work = True
        try:
            yield
        finally:
            self._watch.at_work = False
            self._turn_over.set()
            # Limits and questions of a turn end with it: the time goes on.
            self._limit_over()
            for request_id in self._questions:
                self._controls.time.go_on(request_id)
            self._questions.clear()

    def hear(self, event: SessionEvent, *, answers: bool) -> None:
        """A sign of life, and what ends or begins a wait. `answers`: the agent itself has said or done
        something."""
        self._watch.hear()
        match event:
            case PermissionAsked():
                self._questions.add(event.request_id)
                self._controls.time.stand_still(event.request_id)
            case Limited():
                self._wait_for_limit(event.reset_s)
        if answers and (self._limit_ends is not None or self._nudged):
            self._nudged = False
            self._limit_over()
            self._notice(o.WentOn(**self._who))

    def _wait_for_limit(self, reset_s: float | None) -> None:
        """In the middle of its turn, which then goes on by itself."""
        self._limit_over()
        self._controls.time.stand_still(_LIMIT)
        wait_s = (reset_s or 0.0) + _LIMIT_S
        self._limit_ends = asyncio.get_running_loop().call_later(wait_s, self._limit_over)

    def _limit_over(self) -> None:
        if self._limit_ends is not None:
            self._limit_ends.cancel()
            self._limit_ends = None
            self._controls.time.go_on(_LIMIT)

    async def _attend(self) -> None:
        while not self.overdue:
            due = await self._watch.next(self._look)
            if due is Due.TIME:
                await self._end_of_time()
            else:
                await self._stalled()

    def _look(self) -> Activity | None:
        session = self._controls.session
        return None if session is None else session.activity()

    async def _end_of_time(self) -> None:
        reason = f"no result within {self._limit_s:g} s of active time"
        more_s, traits = end_s(self._limit_s), self._traits
        if self.time_up:
            self._give_up(f"{reason}, and no report in the {more_s:g} s that it got for one")
        elif self._controls.session is None or not (traits.can_interrupt or traits.can_resume):
            self._give_up(reason)
        else:
            self.time_up, self.due = True, Due.TIME
            self._controls.time.allow(more_s)
            self._notice(o.TimeUp(**self._who, limit_ms=int(self._limit_s * 1000)))
            if await self._turn_ends(more_s / 2):
                return
            if traits.can_resume:
                self._controls.time.allow(more_s)
                self._end_session()
            else:
                self._give_up(f"{reason}, and it doesn't react to an interruption")

    async def _stalled(self) -> None:
        quiet_s, session = self._stall_after_s, self._controls.session
        self._notice(o.Stalled(**self._who, quiet_ms=int(quiet_s * 1000)))
        reason = f"stalled: for {quiet_s:g} s nothing was heard of it, and no process of its did anything"
        if self._nudged or self._nudges >= MOST_NUDGES or session is None:
            self._give_up(f"{reason}, also after {counted(self._nudges, 'nudge')}")
            return
        self._nudged = True
        self._nudges += 1
        if not self._traits.can_interrupt:
            await session.send(nudge_words(quiet_s))
            return
        self.due = self.due or Due.SILENCE
        if not await self._turn_ends(quiet_s):
            self._give_up(f"{reason}, and it doesn't react to an interruption")

    async def _turn_ends(self, most_s: float) -> bool:
        """Whether the running turn, if there is one, ends within that time when it is interrupted."""
        session = self._controls.session
        if self._turn_over.is_set():
            return True
        if session is None or not self._traits.can_interrupt:
            return False
        await session.interrupt()
        try:
            async with asyncio.timeout(min(_REACTION_S, most_s)):
                await self._turn_over.wait()
        except TimeoutError:
            return False
        return True  # perhaps the next turn has begun by now

    def _give_up(self, reason: str) -> None:
        self.overdue = reason
        self._end_session()

    def _end_session(self) -> None:
        with suppress(RuntimeError):  # none is open at the moment: the next one is bound by `overdue`
            self._scope.reschedule(asyncio.get_running_loop().time())
