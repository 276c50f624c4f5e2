"""The endpoints that belong to no single run."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from bigtask.approvals import Approvals
from bigtask.core.answers import shares
from bigtask.core.states import Status
from bigtask.core.status import status
from bigtask.errors import BigtaskError
from bigtask.host import creation
from bigtask.host.answer_record import record
from bigtask.host.at_work import sessions_and_limits
from bigtask.server.envelope import success
from bigtask.server.metrics import metrics_text
from bigtask.server.parts import TheParts
from bigtask.server.role import DELEGATE, EVERYBODY
from bigtask.server.schemas import INTEGER, OBJECT, OBJECTS, STRING, answers, failures, nullable
from bigtask.server.strict_route import StrictRoute
from bigtask.templates.shape import SCHEMA_PATH
from bigtask.workspaces.source import examine

router = APIRouter(route_class=StrictRoute, tags=["rest"])

_DIRTY_SHOWN = 20
"""Of the uncommitted changes in the answer about a project; the count is of all."""


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
            whose = {
                "orchestratorId": run.id,
                "request": run.created.request,
                "cwd": run.created.source.cwd,
            }
            waiting.append({**fields, **whose})
    return success(waiting=waiting)


@router.get("/api/agents", openapi_extra=DELEGATE, responses=answers(agents=OBJECTS, answers=OBJECT))
async def agents(parts: TheParts) -> Response:
    """The agents, whether they can work here, how many `sessions` of each are open on this machine, what its
    account is limited to, and how well they kept to the form of answers lately."""
    last = await record(parts.module.home)
    found = []
    busy = sessions_and_limits(parts.module.home)
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
                **busy(agent),
            }
        )
    by_agent = {name: shares(counts) for name, counts in last.by_agent.items()}
    return success(agents=found, answers={"runs": last.runs, "byAgent": by_agent})


@router.get(
    "/api/project",
    responses=answers(
        403, 409, kind=STRING, root=STRING, branch=nullable(STRING), head=nullable(STRING), dirtyCount=INTEGER
    ),
)
async def project(parts: TheParts, cwd: Annotated[str, Query(min_length=1, max_length=4096)]) -> Response:
    """Whether a run can begin in that folder, and what it would begin with; nothing is written there."""
    folder = parts.project(cwd)
    source = creation.source_of(await examine(folder, Approvals(parts.module.home.approvals).allow_git))
    return success(
        kind=source.kind,
        cwd=source.cwd,
        root=source.root,
        branch=source.branch,
        head=source.head,
        dirty=source.dirty[:_DIRTY_SHOWN],
        dirtyCount=source.dirty_count,
    )


@router.get("/api/schemas/template", openapi_extra=DELEGATE, responses=answers(schema=OBJECT))
async def template_schema() -> Response:
    """What a template may hold, as JSON Schema with a description and a default for every field."""
    return success(schema=msgspec.Raw(SCHEMA_PATH.read_bytes()))


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
