"""The endpoint about the machine that the server runs on, for its person."""

from __future__ import annotations

import os
from dataclasses import asdict
from importlib.metadata import version

from fastapi import APIRouter
from starlette.responses import Response

from bigtask.approvals import Approvals
from bigtask.configuration.standing import standing
from bigtask.doctor import Level, containment, findings
from bigtask.leftovers import leftovers
from bigtask.server.envelope import success
from bigtask.server.parts import TheParts
from bigtask.server.schemas import BOOLEAN, INTEGER, OBJECTS, STRING, answers
from bigtask.server.strict_route import StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["rest"])


@router.get(
    "/api/system",
    responses=answers(version=STRING, home=STRING, process=INTEGER, ok=BOOLEAN, findings=OBJECTS),
)
async def system(parts: TheParts) -> Response:
    """What `bigtask doctor` finds, as far as it belongs to no project; `ok` is false where something can't be
    worked with. Each finding has an `area`, a `level` (`ok`, `absent`, `warn`, `problem`), a `text`, and
    `next`: what to do about it. What is `absent` nobody has to have."""
    module = parts.module
    home = module.home
    stands = standing(home.path, module.environ, Approvals(home.approvals))
    found = [
        *await findings(home, module.agents, module.templates.list(), module.environ, stands),
        containment(),
        *await leftovers(home),
    ]
    return success(
        version=version("bigtask"),
        home=str(home.path),
        process=os.getpid(),
        ok=not any(one.level is Level.PROBLEM for one in found),
        findings=[asdict(one) for one in found],
    )
