"""A repository that wants its programs run, an agent that meddles, and whole runs in it."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bigtask.agents.protocol import Opening
from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of
from bigtask.agents.table import AgentTable
from bigtask.approvals import Approvals
from bigtask.core.commands import Start
from bigtask.core.evolve import fold
from bigtask.core.run import Run
from bigtask.host.access import hold, read
from bigtask.host.home import Home, RunFolder
from bigtask.host.link import RunLink
from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.source import examine
from projects import ENV, Desk, Project, repository

PATIENCE_S = 60.0
_ENDS = ("orchestrator:completed", "orchestrator:error", "orchestrator:cancelled")

Meddle = Callable[[Path], None]


@dataclass(frozen=True)
class Canaries:
    """Programs that say that they were run, and then behave like a filter, a driver or a hook that's fine."""

    place: Path

    def program(self, name: str, *, then: str = "exec cat 2>/dev/null") -> str:
        """The path of one that leaves `name` among those that `ran`."""
        for folder in ("programs", "ran"):
            (self.place / folder).mkdir(exist_ok=True)
        file = self.place / "programs" / name
        mark = shlex.quote(str(self.place / "ran" / name))
        file.write_text(f"#!/bin/sh\n: > {mark}\n{then}\n")
        file.chmod(0o755)
        return str(file)

    def ran(self) -> set[str]:
        folder = self.place / "ran"
        return {file.name for file in folder.iterdir()} if folder.is_dir() else set()


def plain(at: Path, *arguments: str, input: bytes = b"") -> str:
    """Git as a person calls it, whatever comes of it: what it printed."""
    env = {**ENV, "GIT_TERMINAL_PROMPT": "0"}
    done = subprocess.run(
        ["git", *arguments], cwd=at, env=env, input=input, capture_output=True, check=False, timeout=30
    )
    return done.stdout.decode(errors="replace")


class Meddling(AgentTable):
    """A scripted agent called `scripted`; `meddle` happens in the workspace of these tasks as they begin."""

    def __init__(self, script: Mapping[str, Any], meddle: Mapping[str, Meddle]) -> None:
        super().__init__({"scripted": _Agent(ScriptedAgent(script_of(script)), meddle)})


class _Agent:
    def __init__(self, agent: ScriptedAgent, meddle: Mapping[str, Meddle]) -> None:
        self._agent, self._meddle = agent, meddle
        self.name, self.traits = agent.name, agent.traits
        self.availability, self.refuses = agent.availability, agent.refuses

    @asynccontextmanager
    async def session(self, opening: Opening) -> AsyncIterator[Any]:
        async with self._agent.session(opening) as session:
            for task_id, meddle in self._meddle.items():
                if opening.name.endswith(f"_worker_{task_id}"):
                    await asyncio.to_thread(meddle, opening.cwd)
            yield session


@dataclass(frozen=True)
class Scene:
    place: Path

    @property
    def desk(self) -> Desk:
        return Desk(Home(self.place / "home"))

    @property
    def approvals(self) -> Approvals:
        return Approvals(self.desk.home.approvals)

    @property
    def project(self) -> Project:
        root = self.place / "project"
        if not root.exists():
            files = {"a.txt": "one\ntwo\nthree\n", "lib/b.txt": "b\n", ".gitignore": "*.log\n"}
            repository(root, files)
        return Project(root.resolve())

    async def create(self, agents: AgentTable, **config: Any) -> RunFolder:
        project = self.project
        self.desk.template(config={"isolation": "worktree", "maxRetries": 0, **config})
        return await self.desk.create(project, agent="scripted", agents=agents, include_changes=False)

    async def workspaces(self, folder: RunFolder) -> RunWorkspaces:
        source = await examine(self.project.root, self.approvals.allow_git)
        return RunWorkspaces(folder.id, source, folder.path)


async def until(link: RunLink, *, after: int = 0) -> None:
    """It has ended or waits for a person."""
    async with asyncio.timeout(PATIENCE_S):
        async for event in link.follow(after):
            if event.type in (*_ENDS, "orchestrator:waiting"):
                return


async def carried_out(folder: RunFolder, agents: AgentTable) -> Run:
    """Until it ends, or until it waits for a person."""
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        await until(link)
    return fold(folder.id, await read(folder))


async def whole_life(scene: Scene, agents: AgentTable) -> Run:
    """Made, carried out, looked at, merged into the person's branch, taken out of it, and cleared away."""
    folder = await scene.create(agents)
    run = await carried_out(folder, agents)
    workspaces = await scene.workspaces(folder)
    await workspaces.result()
    await workspaces.diff()
    await workspaces.apply_result()
    await workspaces.undo_apply()
    await workspaces.give_up()
    await workspaces.leftovers()
    return run
