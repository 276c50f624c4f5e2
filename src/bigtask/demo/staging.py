"""Setting the demonstration up as an ordinary run, and finding it again when it was left in the middle."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

from bigtask.agents.table import SCRIPTED, AgentTable
from bigtask.core.commands import Answer
from bigtask.core.events import WaitingRaised
from bigtask.demo.performance import REQUEST, WORKERS, performance
from bigtask.errors import BigtaskError, InvalidInput
from bigtask.host import access, creation
from bigtask.host.home import Home, RunFolder
from bigtask.host.socket import SocketLink
from bigtask.templates.manager import TemplateManager

_LOOK_EVERY_S = 0.05


def write_script(home: Home, *, pace: float) -> str:
    """The name of the agent that plays it. Its file lies beside the runs, so that one that was left can go
    on. Raises InvalidInput where nothing can be written."""
    file = home.path / "demo.json"
    unfinished = home.path / f"demo.json.{os.getpid()}"
    try:
        home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished.write_text(json.dumps(performance(python_of_checks(), pace=pace)), encoding="utf-8")
        unfinished.replace(file)
    except OSError as error:
        raise InvalidInput(
            f"can't write into {home.path}: {error.strerror}. "
            "Set BIGTASK_HOME to a folder that you can write to"
        ) from None
    return f"{SCRIPTED}{file}"


def python_of_checks() -> str:
    """The short name of this interpreter where it has one: people read the checks."""
    found = shutil.which("python3")
    return "python3" if found and os.path.samefile(found, sys.executable) else sys.executable


async def unfinished(home: Home, agent: str) -> tuple[RunFolder, Path] | None:
    """The newest run of the demonstration, if it hasn't ended and its project is still there."""
    for folder in home.folders():
        try:
            run = await access.read_run(folder)
        except (BigtaskError, AssertionError):
            # What can't be read isn't ours to judge: `bigtask list` says so.
            continue
        if run.settings.agent == agent:
            project = Path(run.created.source.cwd)
            return (folder, project) if run.outcome is None and project.is_dir() else None
    return None


async def begin(home: Home, project: Path, agent: str, *, agents: AgentTable, by: str) -> RunFolder:
    """A run that isn't started yet. The commands of its checks are our own: nobody needs to be shown them."""
    tasks = performance(python_of_checks())["tasks"]
    commands = tuple(tuple(check["command"]) for task in tasks for check in task.get("checks", ()))
    return await creation.create(
        home,
        template_id="documentation",
        cwd=project,
        request=REQUEST,
        agents=agents,
        templates=TemplateManager(),
        options=creation.Options(agent=agent, max_workers=WORKERS, allowed_commands=commands),
        by=by,
    )


async def answer_after(folder: RunFolder, patience_s: float) -> None:
    """Answers whatever the run asks when nobody has for that long. Runs until it is cancelled."""
    link = SocketLink(folder.socket)
    seen = 0
    while True:
        try:
            async for event in link.follow(seen):
                seen = event.seq
                if isinstance(event.data, WaitingRaised):
                    await asyncio.sleep(patience_s)
                    waiting = event.data.waiting
                    await link.ask(Answer(waiting_id=waiting.id, answer=waiting.options[0], by="demo"))
        except BigtaskError:
            # Nobody holds the run yet or any more, or the person was quicker.
            await asyncio.sleep(_LOOK_EVERY_S)
