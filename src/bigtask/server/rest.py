"""The endpoints that belong to no single run."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from bigtask.core.answers import shares
from bigtask.core.states import Status
from bigtask.core.status import status
from bigtask.errors import BigtaskError
from bigtask.host.answer_record import record
from bigtask.server.envelope import success
from bigtask.server.metrics import metrics_text
from bigtask.server.parts import TheParts
from bigtask.server.role import DELEGATE, EVERYBODY
from bigtask.server.schemas import OBJECT, OBJECTS, STRING, answers, failures
from bigtask.server.strict_route import StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["rest"])


@router.get("/api/inbox", openapi_extra=DELEGATE, responses=answers(waiting=OBJECTS))
async def inbox(parts: TheParts) -> Response:
    """Everything that waits for a person, over all runs."""
    waiting: list[dict[str, Any]] = []
    for folder in parts.module.home.folders():
        try:
            run = await parts.module.custody.run(folder)
        except (BigtaskError, OSError):
            continue  # the list of runs says why it can't be read
        for item in run.waiting.values():
            fields: dict[str, Any] = msgspec.to_builtins(item)
            waiting.append({**fields, "orchestratorId": run.id, "cwd": run.created.source.cwd})
    return success(waiting=waiting)


@router.get("/api/agents", openapi_extra=DELEGATE, responses=answers(agents=OBJECTS, answers=OBJECT))
async def agents(parts: TheParts) -> Response:
    """The agents, whether they can work here, and how well they kept to the form of answers lately."""
    last = await record(parts.module.home)
    found = []
    for agent in parts.module.agents.values():
        available, traits = agent.availability(), agent.traits
        found.append(
            {
                "name": agent.name,
                "usable": available.usable,
                "detail": available.detail,
                "account": available.account,
                "costsMoney": traits.costs_money,
                "canInterrupt": traits.can_interrupt,
                "canResume": traits.can_resume,
            }
        )
    by_agent = {name: shares(counts) for name, counts in last.by_agent.items()}
    return success(agents=found, answers={"runs": last.runs, "byAgent": by_agent})


@router.get("/api/health", openapi_extra=EVERYBODY, responses=answers(status=STRING, version=STRING))
async def health(parts: TheParts) -> Response:
    """`ok`, or `trouble` with the runs that can't record at the moment."""
    held = parts.module.custody.troubles()
    return success(status="trouble" if held else "ok", version=version("bigtask"), troubles=held)


@router.get(
    "/metrics",
    openapi_extra=DELEGATE,
    response_class=Response,
    responses={
        200: {"description": "Prometheus text.", "content": {"text/plain": {"schema": STRING}}},
        **failures(),
    },
)
async def metrics(parts: TheParts) -> Response:
    """What the server carries out and how much it is used, for Prometheus."""
    held = parts.module.custody.held_here()
    by_status = dict.fromkeys(Status, 0)
    for run in held:
        by_status[status(run)] += 1
    text = metrics_text(parts.traffic, held, by_status)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
