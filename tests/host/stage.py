"""Runs of the scripted agent as these tests hold them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bigtask.agents.protocol import Opening
from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of
from bigtask.agents.table import AgentTable
from bigtask.core.commands import Start
from bigtask.core.events import Event
from bigtask.core.evolve import fold
from bigtask.core.run import Run
from bigtask.core.values import Waiting
from bigtask.errors import NotFound
from bigtask.host.access import hold, read
from bigtask.host.hands import Hands
from bigtask.host.holder import Holder
from bigtask.host.home import Home, RunFolder
from bigtask.host.link import RunLink
from bigtask.host.log import MemoryLog
from bigtask.host.transcript import Transcripts
from bigtask.templates.template import thaw
from projects import Desk, Project, repository

ENDS = ("orchestrator:completed", "orchestrator:error", "orchestrator:cancelled")
PATIENCE_S = 30.0


class Agents(AgentTable):
    """One scripted agent, called `scripted`; `open` are the sessions that it has open."""

    def __init__(self, script: Mapping[str, Any]) -> None:
        agent = ScriptedAgent(script_of(script))
        self.open: set[str] = set()
        self.none_open = asyncio.Event()
        super().__init__({"scripted": _Counting(agent, self)})


class _Counting:
    def __init__(self, agent: ScriptedAgent, agents: Agents) -> None:
        self._agent, self._agents = agent, agents
        self.name, self.traits = agent.name, agent.traits
        self.availability, self.refuses = agent.availability, agent.refuses

    @asynccontextmanager
    async def session(self, opening: Opening) -> AsyncIterator[Any]:
        self._agents.open.add(opening.name)
        self._agents.none_open.clear()
        try:
            async with self._agent.session(opening) as session:
                yield session
        finally:
            self._agents.open.discard(opening.name)
            if not self._agents.open:
                self._agents.none_open.set()


@dataclass(frozen=True)
class Stage:
    """`place` is a fresh folder, in which the home and the project are made."""

    place: Path

    @property
    def desk(self) -> Desk:
        return Desk(Home(self.place / "home"))

    @property
    def project(self) -> Project:
        return Project((self.place / "project").resolve())

    async def create(
        self,
        agents: AgentTable,
        *,
        agent: str = "scripted",
        isolation: str = "none",
        config: Mapping[str, Any] | None = None,
        phases: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> RunFolder:
        if not self.project.root.exists():
            repository(self.place / "project")
        self.desk.template(config={"isolation": isolation, **(config or {})}, phases=phases)
        return await self.desk.create(self.project, agent=agent, agents=agents, **options)


@asynccontextmanager
async def holding(folder: RunFolder, agents: AgentTable, log: MemoryLog) -> AsyncIterator[Holder]:
    """A holder over a log of the test's own; its tasks have no worktrees."""
    run = fold(folder.id, log.events)
    transcripts = Transcripts(folder.transcripts)
    no_worktrees = NotFound("no worktrees here")
    hands = Hands(run, folder, thaw(run.created.template), agents, no_worktrees, transcripts)
    holder = Holder(run, log, hands)
    carrying = asyncio.create_task(holder.carry_out())
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield holder
    finally:
        holder.close()
        await carrying
        transcripts.close()


async def until(link: RunLink, fits: str | Callable[[Event], bool], *, after: int = 0) -> Event:
    """The first event from `after` on that fits, by its type or a question about it."""
    async with asyncio.timeout(PATIENCE_S):
        async for event in link.follow(after):
            if event.type == fits if isinstance(fits, str) else fits(event):
                return event
    raise AssertionError(f"the holder ended before {fits}")


async def until_waiting(link: RunLink, *, after: int = 0) -> tuple[int, Waiting]:
    event = await until(link, "orchestrator:waiting", after=after)
    waiting: Waiting = event.data.waiting  # type: ignore[attr-defined]  # WaitingRaised, by its type
    return event.seq, waiting


async def until_end(link: RunLink, *, after: int = 0) -> Event:
    return await until(link, lambda event: event.type in ENDS, after=after)


async def carried_out(folder: RunFolder, agents: AgentTable) -> Run:
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        await until_end(link)
    return await recorded(folder)


async def recorded(folder: RunFolder) -> Run:
    return fold(folder.id, await read(folder))


async def types(folder: RunFolder, prefix: str = "") -> list[str]:
    return [event.type for event in await read(folder) if event.type.startswith(prefix)]


def states(run: Run, task_id: str) -> list[str]:
    """Of a task's attempts, in order."""
    record = run.record(task_id)
    return [attempt.state.value for attempt in record.attempts] if record is not None else []


def turn(*steps: Mapping[str, Any], **when: Any) -> dict[str, Any]:
    return {"when": when, "steps": list(steps)}


def answer(**data: Any) -> dict[str, Any]:
    return {"do": "answer", "data": {"status": "success", "summary": "Done.", "output_files": [], **data}}


def write(path: str, content: str, how: str = "write") -> dict[str, Any]:
    return {"do": "write", "path": path, "content": content, "how": how}


def tasks(*ids: str, **fields: Any) -> Sequence[dict[str, Any]]:
    return [{"id": id, **fields} for id in ids]


ANSWERS = turn(answer(), phase="workerExecution")
"""What every worker does unless a test says otherwise: read-only work is answered, not written."""
