"""A run of a workload under the agent that does nothing, in a home of its own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

from bigtask.agents.table import AgentTable
from bigtask.core.events import Cancelled, Completed, Errored, Event, WaitingRaised
from bigtask.host.creation import Options, create
from bigtask.host.home import Home, RunFolder
from bigtask.host.link import RunLink
from bigtask.templates.manager import TemplateManager
from kit.workload import Workload
from no_op_agent import NAME, NoOpAgent

_TEMPLATE = "workload"


async def make(place: Path, workload: Workload, agent: NoOpAgent) -> tuple[RunFolder, AgentTable]:
    """The run isn't started. It works in a plain folder and changes nothing there, so it has no worktrees."""
    home, project = Home(place / "home"), place / "project"
    home.templates.mkdir(parents=True)
    template = {
        "id": _TEMPLATE,
        "name": "A workload",
        "extends": "_default",
        "config": {
            "autoSpawn": True,
            "isolation": "none",
            "maxWorkers": workload.slots,
            "spawnDelay": 0,
        },
        "phases": {
            "taskPlanning": {"validation": {"maxTasks": 10_000}},
            "aggregation": {"enabled": False},
            "verification": {"enabled": False},
        },
    }
    (home.templates / f"{_TEMPLATE}.json").write_text(json.dumps(template))
    project.mkdir()
    (project / "README.md").write_text("A project in which nothing is to be done.\n")
    agents = AgentTable({NAME: agent})
    folder = await create(
        home,
        template_id=_TEMPLATE,
        cwd=project,
        request=f"Carry out {workload.name}.",
        agents=agents,
        templates=TemplateManager(user_dir=home.templates),
        options=Options(agent=NAME),
    )
    return folder, agents


async def followed(link: RunLink) -> AsyncIterator[Event]:
    """What a follower sees up to the run's end, or to where it would wait for a person."""
    async for event in link.follow():
        yield event
        if isinstance(event.data, Completed | Errored | Cancelled | WaitingRaised):
            return
