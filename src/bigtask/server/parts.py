"""What the endpoints work with: one value, made when the server starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from bigtask.agents.table import AgentTable
from bigtask.errors import NotFound
from bigtask.host.home import Home, RunFolder, is_run_id
from bigtask.server.custody import Custody
from bigtask.server.doors import Doors
from bigtask.server.following import Following
from bigtask.server.once import Once
from bigtask.server.role import Caller
from bigtask.server.sign_in import Failures, SignIns
from bigtask.server.system_events import SystemEvents
from bigtask.server.traffic import Traffic
from bigtask.templates.manager import TemplateManager


@dataclass(frozen=True, kw_only=True)
class Parts:
    home: Home
    agents: AgentTable
    templates: TemplateManager
    custody: Custody
    following: Following
    once: Once
    sign_ins: SignIns
    failures: Failures
    doors: Doors
    system: SystemEvents
    traffic: Traffic
    environ: Mapping[str, str]

    def folder(self, run_id: str) -> RunFolder:
        """By the whole id and nothing else. Raises NotFound."""
        if is_run_id(run_id):
            folder = RunFolder(self.home.runs / run_id)
            if folder.log.exists():
                return folder
        raise NotFound(f"there is no run {run_id[:40]!r}: GET /api/orchestrator lists them")

    def templates_of(self, cwd: str | None) -> TemplateManager:
        return self.templates if cwd is None else self.templates.in_project(Path(cwd))


def parts_of(connection: HTTPConnection) -> Parts:
    found = connection.app.state.parts
    assert isinstance(found, Parts)
    return found


def caller_of(request: Request) -> Caller:
    found = request.scope["state"]["caller"]
    assert isinstance(found, Caller)
    return found


TheParts = Annotated[Parts, Depends(parts_of)]
TheCaller = Annotated[Caller, Depends(caller_of)]
