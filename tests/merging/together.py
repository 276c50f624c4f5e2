"""Runs whose workers begin on the same state, and come in one after the other as the test says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bigtask.core.commands import Answer, Start
from bigtask.core.events import Event
from bigtask.core.run import Run
from bigtask.core.states import WaitingKind
from bigtask.core.values import Waiting
from bigtask.host.access import hold
from bigtask.host.home import RunFolder
from bigtask.host.link import RunLink
from host.stage import Agents, Stage, answer, recorded, turn, until, until_end

OFF = {"enabled": False}


def asks(*steps: Mapping[str, Any], files: Sequence[str], **data: Any) -> list[dict[str, Any]]:
    """A worker does its steps and waits until the test lets it report."""
    said = answer(output_files=list(files), **data)
    return [*map(dict, steps), {"do": "ask", "question": "May I come in?", "allow": [said]}]


@dataclass
class Together:
    """`works` are the steps of each task's first attempt; `turns` what is done besides."""

    stage: Stage
    works: Mapping[str, list[dict[str, Any]]]
    turns: Sequence[Mapping[str, Any]] = ()
    tasks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    link: RunLink = None  # type: ignore[assignment]  # there is one inside `carried_out`
    seen: int = 0
    _doors: dict[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def carried_out(
        self, *, aggregation: Mapping[str, Any] | None = None, folder: RunFolder | None = None, **options: Any
    ) -> AsyncIterator[RunFolder]:
        """All workers stand before the door. With `folder`, a run that somebody else has begun goes on."""
        agents = Agents(self.script())
        if folder is None:
            folder = await self.create(agents, aggregation=aggregation, **options)
        async with hold(folder, agents, who="a test") as link:
            self.link = link
            if not (await recorded(folder)).started:
                await link.ask(Start())
                waiting_for = {id for id in self.works if not self.tasks.get(id, {}).get("dependencies")}
                while not waiting_for <= set(self._doors):
                    await self._until_door()
            yield folder

    def script(self) -> dict[str, Any]:
        listed = [{"id": id, **self.tasks.get(id, {})} for id in self.works]
        own = [turn(*steps, task=id, attempt=1) for id, steps in self.works.items()]
        return {"tasks": listed, "turns": [*own, *self.turns]}

    async def create(
        self, agents: Agents, *, aggregation: Mapping[str, Any] | None = None, **options: Any
    ) -> RunFolder:
        phases = {"analysis": OFF, "verification": OFF, "aggregation": {**OFF, **(aggregation or {})}}
        config = {"maxWorkers": 8, **options.pop("config", {})}
        phases |= options.pop("phases", {})
        return await self.stage.create(agents, isolation="worktree", config=config, phases=phases, **options)

    async def opens(self, id: str) -> int:
        """The task may come in; returns the event by which it heard so."""
        while id not in self._doors:
            await self._until_door()
        return await self.link.ask(Answer(waiting_id=self._doors.pop(id), answer="allow"))

    async def comes_in(self, *ids: str) -> None:
        """One after the other: each is merged, in conflict or sent back before the next one."""
        for id in ids:
            asked = await self.opens(id)
            await until(self.link, partial(_settled, id), after=asked)

    async def asked(self) -> Waiting:
        """What the run asks next, doors aside."""
        while True:
            event = await until(self.link, "orchestrator:waiting", after=self.seen)
            self.seen = event.seq
            waiting: Waiting = event.data.waiting  # type: ignore[attr-defined]  # WaitingRaised, by its type
            if waiting.kind is not WaitingKind.PERMISSION:
                return waiting
            assert waiting.task_id is not None
            self._doors[waiting.task_id] = waiting.id

    async def answered(self, waiting: Waiting, said: str) -> None:
        await self.link.ask(Answer(waiting_id=waiting.id, answer=said, by="Ada"))

    async def ended(self, folder: RunFolder) -> Run:
        await until_end(self.link)
        return await recorded(folder)

    async def _until_door(self) -> None:
        event = await until(self.link, "orchestrator:waiting", after=self.seen)
        self.seen = event.seq
        waiting: Waiting = event.data.waiting  # type: ignore[attr-defined]  # WaitingRaised, by its type
        assert waiting.kind is WaitingKind.PERMISSION, waiting.question
        assert waiting.task_id is not None
        self._doors[waiting.task_id] = waiting.id


def _settled(id: str, event: Event) -> bool:
    ends = ("worker:completed", "worker:conflict", "worker:failed", "worker:partial")
    return event.type in ends and event.data.task_id == id  # type: ignore[attr-defined]  # by its type
