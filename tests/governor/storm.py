"""An agent whose account is limited for a while, whoever asks; otherwise it plays a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bigtask.agents.protocol import (
    Availability,
    Limited,
    Opening,
    Prompt,
    Session,
    SessionEvent,
    Traits,
    TurnEnded,
)
from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of
from bigtask.core.liveness import Activity


@dataclass
class Account:
    """Refuses for `storm_s` from the first request of a worker on. `log` has `refused`, `asked` and `done` in
    the order in which they came."""

    storm_s: float
    reset_s: float | None = None
    """What is said instead of what is left of the storm."""
    log: list[str] = field(default_factory=list)
    ends_at: float | None = None

    def refuses(self, phase: str) -> float | None:
        now = asyncio.get_running_loop().time()
        if phase == "workerExecution" and self.ends_at is None:
            self.ends_at = now + self.storm_s
        if self.ends_at is None or now >= self.ends_at:
            return None
        return self.reset_s or self.ends_at - now


class Stormy:
    """`openings` are those of its sessions, in order."""

    name = "stormy"

    def __init__(self, account: Account, script: Mapping[str, Any], *, shared: bool = True) -> None:
        self.account = account
        self._can_interrupt = script.get("can_interrupt", True)
        self.openings: list[Opening] = []
        self._plays = ScriptedAgent(script_of(script), name=self.name)
        self._shared = shared

    @property
    def traits(self) -> Traits:
        return Traits(
            can_interrupt=self._can_interrupt,
            can_resume=True,
            spawn_delay_ms=0,
            account="storm" if self._shared else None,
        )

    def availability(self) -> Availability:
        return Availability(usable=True, detail="plays a script")

    def refuses(self, *, template_id: str) -> str | None:
        return None

    @asynccontextmanager
    async def session(self, opening: Opening) -> AsyncIterator[Session]:
        self.openings.append(opening)
        async with self._plays.session(opening) as session:
            yield _Session(session, self.account)


class _Session:
    def __init__(self, plays: Session, account: Account) -> None:
        self._plays = plays
        self._account = account

    @property
    def id(self) -> str:
        return self._plays.id

    async def turn(self, prompt: Prompt) -> AsyncIterator[SessionEvent]:
        left_s = self._account.refuses(prompt.phase)
        if left_s is not None:
            self._account.log.append("refused")
            yield Limited(kind="rate", reset_s=left_s)
            yield TurnEnded(reason="limited")
            return
        if self._account.ends_at is not None and prompt.phase == "workerExecution":
            self._account.log.append("asked")
        async for event in self._plays.turn(prompt):
            yield event
        if prompt.phase == "workerExecution":
            self._account.log.append("done")

    async def answer(self, request_id: str, answer: str) -> None:
        await self._plays.answer(request_id, answer)

    async def send(self, text: str) -> None:
        await self._plays.send(text)

    async def interrupt(self) -> None:
        await self._plays.interrupt()

    def activity(self) -> Activity | None:
        return self._plays.activity()
