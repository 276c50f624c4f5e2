"""Runs whose workspaces need something before anybody can work in them. Set-ups are small shell programs;
`$0` is the test's folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of
from bigtask.agents.table import AgentTable
from bigtask.approvals import Approvals
from bigtask.core.commands import Answer, Start
from bigtask.core.events import Event
from bigtask.core.run import Run
from bigtask.host.access import hold, read, read_run
from bigtask.host.creation import Options, create
from bigtask.host.home import Home, RunFolder
from bigtask.host.link import RunLink
from bigtask.templates.manager import TemplateManager
from projects import Desk, Project, repository

PATIENCE_S = 60.0
ENDS = ("orchestrator:completed", "orchestrator:error", "orchestrator:cancelled")
WORK_ALONE = {phase: {"enabled": False} for phase in ("analysis", "aggregation", "verification")}


@dataclass(frozen=True)
class Scene:
    """`place` is a fresh folder, in which the home, the project and what set-ups leave are made."""

    place: Path
    script: Mapping[str, Any]

    @property
    def home(self) -> Home:
        return Home(self.place / "home")

    @property
    def agents(self) -> AgentTable:
        return AgentTable({"scripted": ScriptedAgent(script_of(self.script))})

    def project(self, files: Mapping[str, str] | None = None) -> Project:
        ordinary = {"a.txt": "a\n", ".gitignore": ".env*\nlocal/\n"}
        return repository(self.place / "project", {**ordinary, **(files or {})})

    def left(self, name: str) -> list[str]:
        """The lines that set-ups have left in a file."""
        file = self.place / name
        return file.read_text().splitlines() if file.exists() else []

    async def create(
        self,
        project: Project,
        *,
        setup: str | None = None,
        include: list[str] | None = None,
        phases: Mapping[str, Any] = WORK_ALONE,
        agent: str = "scripted",
        below: str = "",
        **options: Any,
    ) -> RunFolder:
        config: dict[str, Any] = {"autoSpawn": True, "maxRetries": 0}
        if setup is not None:
            config["setup"] = [["sh", "-c", setup, str(self.place)]]
        if include is not None:
            config["include"] = include
        Desk(self.home).template(config=config, phases=phases)
        templates = TemplateManager(user_dir=self.home.templates, approvals=Approvals(self.home.approvals))
        consent = templates.consent("tested")
        if consent is not None:
            templates.approve(consent)
        return await create(
            self.home,
            template_id="tested",
            cwd=project.root / below,
            request="Do the work",
            agents=self.agents if agent == "scripted" else AgentTable(),
            templates=templates,
            options=Options(agent=agent, **{"yes": True, **options}),
        )

    @asynccontextmanager
    async def held(self, folder: RunFolder) -> AsyncIterator[RunLink]:
        async with hold(folder, self.agents, who="a test") as link:
            await link.ask(Start())
            yield link

    async def carried_out(self, folder: RunFolder) -> Run:
        async with self.held(folder) as link:
            await until(link, *ENDS)
        return await read_run(folder)


async def until(link: RunLink, *types: str, after: int = 0) -> Event:
    """The first event from `after` on of one of the types."""
    async with asyncio.timeout(PATIENCE_S):
        async for event in link.follow(after):
            if event.type in types:
                return event
    raise AssertionError(f"the log ended without {types}")


async def answered(link: RunLink, answer: str) -> None:
    """Waits for a question and answers it."""
    asked = await until(link, "orchestrator:waiting")
    await link.ask(Answer(waiting_id=asked.data.waiting.id, answer=answer))


async def types(folder: RunFolder) -> list[str]:
    return [event.type for event in await read(folder)]
