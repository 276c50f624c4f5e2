"""Who may begin, and who may ask: every session passes here before it is opened and before each turn.

The rules are pure (`core.gate`, `core.slots`); here are the clock, the waiting and what is told.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from bigtask.agents.protocol import Agent
from bigtask.core import gate as gates
from bigtask.core import slots
from bigtask.core.gate import Gate, Held
from bigtask.core.slots import Room, Seat
from bigtask.host.shared_slots import Keeper, OwnSlots, Shared
from bigtask.sink import log

_POLL_S = 0.5
"""How soon it is seen that another process has let go of something."""

Told = Callable[[Held], Any]
"""Takes what holds a session back, once for each reason, and again where a limit ends at another time."""


def unbounded(agent: str) -> Room:
    """For programs and tests that leave it to the runs."""
    return Room(cores=64)


class Governor:
    """`keeper` is what all runs share; sessions whose agent names no account and takes nothing of the machine
    are nobody's business but their own. `room` says what the machine has for sessions of an agent. Without
    `clock` times are the event loop's, which only this process knows."""

    def __init__(
        self,
        keeper: Keeper | None = None,
        *,
        room: Callable[[str], Room] = unbounded,
        clock: Callable[[], int] | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self._own = OwnSlots()
        self._shared: Keeper = keeper or self._own
        self._room = room
        self._clock = clock or _loop_ms
        self._chance = chance or random.Random()
        self._changed = asyncio.Event()
        self._words = log("WorkerManager")

    def permit(self, agent: Agent, run_id: str, name: str) -> Permit:
        """For one session; `name` is unique in the run."""
        traits = agent.traits
        return Permit(
            self,
            self._own if traits.account is None and not traits.session_mib else self._shared,
            agent=agent.name,
            account=traits.account,
            run_id=run_id,
            name=name,
            memory_mib=traits.session_mib,
        )

    def now(self) -> int:
        return self._clock()

    def close(self) -> None:
        self._shared.close()

    def jitter(self) -> float:
        return self._chance.random()

    def tell_change(self) -> None:
        """Wakes those who wait in this process."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def room_for(self, agent: str) -> Room:
        return self._room(agent)

    async def until(
        self, tried: Callable[[], Held | None], told: Told, who: str, *, others: bool, known: Held | None
    ) -> None:
        """Returns once `tried` finds nothing in the way. `known` has been told already."""
        said = [] if known is None else [known]
        while (held := tried()) is not None:
            if held.new_after(said):
                said.append(held)
                self._words.info("%s waits: %s", who, held.why)
                told(held)
            due_s = None if held.until is None else max(held.until - self._clock(), 0) / 1000 + 0.001
            wait_s = min(_POLL_S, due_s or _POLL_S) if others else due_s
            changed = self._changed
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), wait_s)


class Permit:
    """One session's seat and its leave to make requests. `end` gives both back, and may come at any time."""

    def __init__(
        self,
        governor: Governor,
        keeper: Keeper,
        *,
        agent: str,
        account: str | None,
        run_id: str,
        name: str,
        memory_mib: int,
    ) -> None:
        self._governor = governor
        self._keeper = keeper
        self._agent = agent
        self._who = name
        self._name = f"{keeper.holder}/{run_id}/{name}"
        # The limit of an account that nobody knows is the session's own.
        self._account = account or self._name
        self._run_id = run_id
        self._memory_mib = memory_mib
        self._through = False
        self._answered = False
        self._known: Held | None = None

    async def begin(self, told: Told) -> None:
        """A seat, and then the way to the account. Sessions that take nothing of the machine need no seat."""
        if self._memory_mib:
            await self._wait(self._sit, told)
        await self.enter(told)

    def passes(self) -> bool:
        """Whether the next turn may begin at once."""
        return self._enter() is None

    async def enter(self, told: Told) -> None:
        """Before a turn that may not begin at once."""
        await self._wait(self._enter, told)

    def left_ms(self, held: Held) -> int | None:
        """Milliseconds until time alone lets the session go on; None where that depends on others."""
        return None if held.until is None else max(held.until - self._governor.now(), 0)

    def answered(self) -> None:
        """The account has answered: whoever waits for that may follow."""
        if self._answered or not self._through:
            return
        self._answered = True
        now = self._governor.now()
        with self._keeper.changing(now) as shared:
            self._started(shared)
            self._put(shared, gates.answered(self._gate(shared), self._name, now), now)
        self._governor.tell_change()

    def limited(self, kind: str, reset_s: float | None) -> int:
        """The account has refused it. For how many milliseconds it is closed now: `reset_s`, where somebody
        told that, and a little more, so that not all come at once."""
        self._through = self._answered = False
        now = self._governor.now()
        with self._keeper.changing(now) as shared:
            gate = gates.limited(
                self._gate(shared),
                self._name,
                kind=kind,
                reset_ms=None if reset_s is None else int(reset_s * 1000),
                now=now,
                jitter=self._governor.jitter(),
            )
            self._started(shared)
            self._put(shared, gate, now)
        self._known = Held(about="limit", why="", until=gate.until, kind=kind)
        self._governor.tell_change()
        return max(gate.until - now, 0)

    def end(self) -> None:
        now = self._governor.now()
        with self._keeper.changing(now) as shared:
            shared.seats.pop(self._name, None)
            self._put(shared, gates.leave(self._gate(shared), self._name), now)
            if self._account == self._name:
                shared.gates.pop(self._account, None)
        self._through = False
        self._governor.tell_change()

    async def _wait(self, tried: Callable[[], Held | None], told: Told) -> None:
        known, self._known = self._known, None
        await self._governor.until(tried, told, self._who, others=self._keeper.others, known=known)

    def _sit(self) -> Held | None:
        now = self._governor.now()
        wanted = Seat(agent=self._agent, run_id=self._run_id, memory_mib=self._memory_mib, since=now)
        room = self._governor.room_for(self._agent)
        with self._keeper.changing(now) as shared:
            held = slots.lacking(shared.seats, wanted, room)
            if held is None:
                shared.seats[self._name] = wanted
        return held

    def _enter(self) -> Held | None:
        now = self._governor.now()
        with self._keeper.changing(now) as shared:
            found = gates.enter(self._gate(shared), self._name, now)
            if isinstance(found, Held):
                return found
            mine = found.through[self._name]
            if shared.gates.get(self._account) is not found:
                self._put(shared, found, now)
        self._through, self._answered = True, mine.answered
        return None

    def _started(self, shared: Shared) -> None:
        if self._name in shared.seats:
            shared.seats[self._name] = msgspec.structs.replace(shared.seats[self._name], ready=True)

    def _gate(self, shared: Shared) -> Gate:
        return shared.gates.get(self._account, Gate())

    def _put(self, shared: Shared, gate: Gate, now: int) -> None:
        if gates.idle(gate, now):
            shared.gates.pop(self._account, None)
        else:
            shared.gates[self._account] = gate


def _loop_ms() -> int:
    return int(asyncio.get_running_loop().time() * 1000)
