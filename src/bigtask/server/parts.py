"""What the endpoints work with: one value, made when the server starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from bigtask.errors import InvalidInput, NotFound
from bigtask.host.home import RunFolder, is_run_id
from bigtask.module import OrchestratorModule
from bigtask.server.doors import Doors
from bigtask.server.once import Once
from bigtask.server.role import Caller
from bigtask.server.sign_in import Failures, SignIns
from bigtask.server.system_events import SystemEvents
from bigtask.server.traffic import Traffic
from bigtask.templates.manager import TemplateManager


@dataclass(frozen=True, kw_only=True)
class Gate:
    """How browsers get in. Where the routes are part of another application, that one's gate is used."""

    sign_ins: SignIns
    failures: Failures
    doors: Doors


@dataclass(frozen=True, kw_only=True)
class Parts:
    module: OrchestratorModule
    once: Once
    system: SystemEvents
    traffic: Traffic

    def folder(self, run_id: str) -> RunFolder:
        """The folder of the run with exactly this id; beginnings and `last` aren't taken. Raises NotFound."""
        if is_run_id(run_id):
            folder = RunFolder(self.module.home.runs / run_id)
            if folder.log.exists():
                return folder
        raise NotFound(f"there is no run {run_id[:40]!r}: GET /api/orchestrator lists them")

    def templates_of(self, cwd: str | None) -> TemplateManager:
        """Raises InvalidInput for a folder that can't be."""
        if cwd is None:
            return self.module.templates
        return self.module.templates_of(_absolute(cwd))

    def project(self, cwd: str) -> Path:
        """Raises InvalidInput for a folder that can't be."""
        path = _absolute(cwd)
        self.module.templates_of(path)  # which says why some paths can be no folder's
        return path


def _absolute(cwd: str) -> Path:
    if not Path(cwd).is_absolute():
        raise InvalidInput(
            f"cwd is {cwd[:200]!r}: give the absolute path of a folder on the server's machine"
        )
    return Path(cwd)


PARTS = "bigtask.parts"
"""Under which a request of another application carries them."""


def parts_of(connection: HTTPConnection) -> Parts:
    found = connection.scope["state"].get(PARTS) or connection.app.state.parts
    assert isinstance(found, Parts)
    return found


def gate_of(connection: HTTPConnection) -> Gate:
    found = connection.app.state.gate
    assert isinstance(found, Gate)
    return found


def caller_of(request: Request) -> Caller:
    found = request.scope["state"]["caller"]
    assert isinstance(found, Caller)
    return found


TheParts = Annotated[Parts, Depends(parts_of)]
TheGate = Annotated[Gate, Depends(gate_of)]
TheCaller = Annotated[Caller, Depends(caller_of)]
