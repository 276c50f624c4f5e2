"""One server for the tests that only use it, and a project to work on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bigtask.host.home import Home
from projects import Desk, Project, repository

from .served import Served, served

BASE = "/api/orchestrator"

TASKS = [{"id": "left"}, {"id": "right"}, {"id": "both", "dependencies": ["left", "right"]}]


@dataclass(frozen=True)
class Workshop:
    server: Served
    desk: Desk
    project: Project

    def body(self, script: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        """Of a request that makes a run of the scripted agent."""
        agent = self.desk.script({"tasks": TASKS, **(script or {})})
        return {
            "templateId": "tested",
            "cwd": str(self.project.root),
            "message": "Do the work",
            "options": {"agent": agent, **options},
        }

    def create(self, script: dict[str, Any] | None = None, **options: Any) -> str:
        id = self.server.post(f"{BASE}/create", self.body(script, **options))["orchestratorId"]
        assert isinstance(id, str)
        return id

    def planned(self, script: dict[str, Any] | None = None, **options: Any) -> str:
        """A run whose plan waits to be confirmed."""
        id = self.create(script, **options)
        self.server.post(f"{BASE}/{id}/start")
        self.server.wait_for(id, "orchestrator:waiting")
        return id

    def done(self, script: dict[str, Any] | None = None, **options: Any) -> str:
        id = self.planned(script, **options)
        self.server.post(f"{BASE}/{id}/confirm")
        self.server.wait_for(id, "orchestrator:completed")
        return id


def furnish(place: Path) -> tuple[Desk, Project]:
    desk = Desk(Home(place / "home"))
    desk.template(config={"maxWorkers": 2})
    return desk, repository(place / "project")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    place = tmp_path_factory.mktemp("shop")
    desk, project = furnish(place)
    with served(desk.home.path) as server:
        yield Workshop(server, desk, project)
