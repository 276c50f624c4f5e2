"""A person at a terminal of their own: a home, a repository, and the real command line."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bigtask.agents.table import AgentTable
from bigtask.core.commands import Start
from bigtask.core.events import Event
from bigtask.core.evolve import begin, evolve
from bigtask.core.run import Run
from bigtask.host import access
from bigtask.host.home import Home, RunFolder
from bigtask.host.link import RunLink
from projects import ENV, Desk, Project, repository

PATIENCE_S = 30.0
PLAN_AND_WORK = {phase: {"enabled": False} for phase in ("analysis", "aggregation", "verification")}
"""A template's phases for tests that need no others: each is a session, and a process, of its own."""


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Of the one line that was printed."""
        return json.loads(self.out)


class Person:
    def __init__(self, place: Path) -> None:
        self.place = place
        self.home = Home(place / "home")
        self.home.path.mkdir()
        self.desk = Desk(self.home)
        self.desk.template(config={"autoSpawn": True, "maxRetries": 0}, phases=PLAN_AND_WORK)

    @property
    def env(self) -> dict[str, str]:
        return {**ENV, "HOME": str(self.place), "BIGTASK_HOME": str(self.home.path), "LC_ALL": "C.UTF-8"}

    def repository(self, name: str = "project") -> Project:
        return repository(self.place / name)

    async def bigtask(
        self, *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Said:
        """The command to its end, piped."""
        async with self.begun(*arguments, cwd=cwd, env=env) as process, asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate()
            assert process.returncode is not None
            return Said(process.returncode, out.decode(), err.decode())

    @asynccontextmanager
    async def begun(
        self, *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """The command while the block runs; what is left of it afterwards is ended."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bigtask",
            *arguments,
            cwd=cwd or self.place,
            env={**self.env, **(env or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
                await process.wait()

    async def create(self, script: Mapping[str, Any], **options: Any) -> RunFolder:
        project = self.repository(f"project-{len(list(self.home.folders()))}")
        return await self.desk.create(project, agent=self.desk.script(script), **options)

    @asynccontextmanager
    async def carrying_out(
        self, folder: RunFolder, until: Callable[[Run, Event], bool]
    ) -> AsyncIterator[tuple[RunLink, Run]]:
        """This process holds the run while the block runs, which begins when `until` has come true."""
        async with access.attach(folder, AgentTable(), who="the test") as link:
            await link.ask(Start())
            yield link, await reached(link, folder, until)

    async def carried_out(self, script: Mapping[str, Any], **options: Any) -> RunFolder:
        """A run that has ended."""
        folder = await self.create(script, **options)
        async with self.carrying_out(folder, lambda run, _: run.outcome is not None):
            return folder

    async def left(self, script: Mapping[str, Any], until: Callable[[Run, Event], bool]) -> RunFolder:
        """A run whose holder has gone when `until` had come true."""
        folder = await self.create(script)
        async with self.carrying_out(folder, until):
            return folder

    async def types(self, folder: RunFolder, after: int = 0) -> list[str]:
        return [event.type for event in await access.read(folder) if event.seq > after]


async def reached(link: RunLink, folder: RunFolder, until: Callable[[Run, Event], bool]) -> Run:
    run: Run | None = None
    async with asyncio.timeout(PATIENCE_S):
        async for event in link.follow():
            if run is None:
                run = begin(folder.id, event)
            else:
                evolve(run, event)
            if until(run, event):
                return run
    raise AssertionError("the run ended before it came to that")


def waits(run: Run, event: Event) -> bool:
    return bool(run.waiting)


def works_at(task_id: str) -> Callable[[Run, Event], bool]:
    return lambda run, event: event.type == "worker:started" and event.data.task_id == task_id


ASKING = {
    "tasks": [{"id": "one"}, {"id": "two", "dependencies": ["one"]}],
    "turns": [
        {
            "when": {"task": "one"},
            "steps": [
                {"do": "ask", "question": "May I \u001b[31mrun[/] it?"},
                {"do": "write", "path": "one.txt", "content": "1\n"},
                {"do": "answer"},
            ],
        }
    ],
}
HANGING = {"tasks": [{"id": "one"}], "turns": [{"when": {"task": "one"}, "steps": [{"do": "hang"}]}]}
SMALL = {"tasks": [{"id": "one"}, {"id": "two", "dependencies": ["one"]}]}
FAILING = {
    "tasks": [{"id": "one"}, {"id": "two"}, {"id": "three", "dependencies": ["two"]}],
    "turns": [
        {
            "when": {"task": "two"},
            "steps": [
                {"do": "say", "text": "I can't \u001b]0;title\u0007reach it"},
                {"do": "answer", "data": {"status": "failed", "error": "no [bold]access[/bold] \u001b[2J"}},
            ],
        }
    ],
}
