"""Runs with hooks, as these tests hold them. Hooks are small shell programs; `$0` is the test's folder."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of
from bigtask.agents.table import AgentTable
from bigtask.core.commands import Start
from bigtask.core.events import Created, Event, HookRan
from bigtask.host.access import hold, read
from bigtask.host.creation import Options, settings_of, source_of
from bigtask.host.home import Home, RunFolder, new_run_id
from bigtask.host.link import RunLink
from bigtask.host.log import SqliteLog
from bigtask.templates.manager import TemplateManager
from bigtask.templates.programs import hook_files
from bigtask.templates.template import thaw
from bigtask.workspaces.source import examine
from projects import repository

PATIENCE_S = 30.0
ENDS = ("orchestrator:completed", "orchestrator:error", "orchestrator:cancelled")
DONE = {"do": "answer", "data": {"status": "success", "summary": "Done.", "output_files": []}}
WORK = {"when": {"phase": "workerExecution"}, "steps": [DONE]}
SCRIPT: Mapping[str, Any] = {"tasks": [{"id": "one"}, {"id": "two"}], "turns": [WORK]}
FAILING = {
    "tasks": [{"id": "one"}],
    "turns": [
        {"when": {"phase": "workerExecution"}, "steps": [{"do": "end", "reason": "error", "detail": "no"}]}
    ],
}


@dataclass(frozen=True)
class Scene:
    """`place` is a fresh folder, in which the home, the project and what hooks leave are made."""

    place: Path
    script: Mapping[str, Any]

    @property
    def home(self) -> Home:
        return Home(self.place / "home")

    @property
    def agents(self) -> AgentTable:
        return AgentTable({"scripted": ScriptedAgent(script_of(self.script))})

    def left(self, name: str) -> str:
        """What hooks have left in a file; nothing where there is none."""
        file = self.place / name
        return file.read_text() if file.exists() else ""

    def read_by(self, name: str = "read") -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.left(name).splitlines()]

    async def create(
        self,
        hooks: Mapping[str, str | list[str]],
        *,
        agent: str = "scripted",
        below: str = "",
        **settings: Any,
    ) -> RunFolder:
        """A run as it is kept once its template has been approved, started in the folder `below` the project.
        `agent` is `scripted`, or one that every process has in its table."""
        root = self.place / "project"
        if not root.exists():
            repository(root)
        commands = {
            name: ["sh", "-c", said, str(self.place)] if isinstance(said, str) else said
            for name, said in hooks.items()
        }
        raw = {**TemplateManager().get("_default").raw, "id": "tested", "hooks": commands}
        template = thaw(raw)
        agents = self.agents if agent == "scripted" else AgentTable()
        made = settings_of(template, Options(agent=agent, yes=True), agents)
        created = Created(
            template_id=template.id,
            template=template.raw,
            request="Do the work",
            source=source_of(await examine(root / below)),
            settings=replace(
                made,
                spawn_delay_ms=0,
                retry_delay_ms=1,
                hook_files=hook_files(template, root),
                **settings,
            ),
        )
        now = 1_700_000_000_000
        folder = self.home.make_folder(new_run_id(now))
        log = SqliteLog(folder.log)
        await log.append(0, [Event(1, now, created)])
        await log.close()
        return folder

    async def carried_out(self, folder: RunFolder) -> list[Event]:
        """Everything that is recorded when the run has ended and its holder has let go."""
        async with hold(folder, self.agents, who="a test") as link:
            await link.ask(Start())
            await until(link, *ENDS)
        return await read(folder)


async def until(link: RunLink, *types: str, after: int = 0) -> Event:
    """The first event from `after` on of one of the types."""
    async with asyncio.timeout(PATIENCE_S):
        async for event in link.follow(after):
            if event.type in types:
                return event
    raise AssertionError(f"the holder ended before any of {types}")


def ran(events: list[Event]) -> list[HookRan]:
    return [event.data for event in events if isinstance(event.data, HookRan)]


class Signal:
    """A pipe with a name, by which a hook says that it is at work: `echo $$ > $0/begun`."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        # Also for writing, so that no hook waits for us to open it.
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    async def line(self) -> str:
        loop, came = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._descriptor, came.set)
        try:
            async with asyncio.timeout(PATIENCE_S):
                said = b""
                while not said.endswith(b"\n"):
                    await came.wait()
                    came.clear()
                    said += os.read(self._descriptor, 1)
        finally:
            loop.remove_reader(self._descriptor)
        return said.decode().strip()

    def close(self) -> None:
        os.close(self._descriptor)


async def end_of(pid: int) -> None:
    """Waits until the process has ended, reaped or not."""
    async with asyncio.timeout(PATIENCE_S):
        while _alive(pid):  # noqa: ASYNC110 - processes end without telling us
            await asyncio.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
