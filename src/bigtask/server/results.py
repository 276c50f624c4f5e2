"""The endpoints of what a run came to: what a merge would do, and the result as a document to send."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from bigtask.server.envelope import success
from bigtask.server.parts import TheCaller, TheParts
from bigtask.server.role import DELEGATE
from bigtask.server.schemas import OBJECTS, STRING, answers
from bigtask.server.strict_route import StrictRoute
from bigtask.words import short

router = APIRouter(prefix="/api/orchestrator/{run_id}", route_class=StrictRoute, tags=["runs"])

_ENDS = {"markdown": "md", "json": "json", "junit": "xml", "html": "html"}


@router.get(
    "/merge",
    openapi_extra=DELEGATE,
    responses=answers(404, 409, way=STRING, words=STRING, refused=STRING, files=OBJECTS),
)
async def foresee_merge(parts: TheParts, run_id: str) -> Response:
    """What `merge` would do: `words` is a sentence; `refused` says why it can't be done as things stand, and
    is empty when it can; `inTheWay` are the files to see to first. Nothing is changed by it."""
    seen, words = await parts.module.orchestrators.foresee_merge(parts.folder(run_id).id)
    facts: dict[str, Any] = msgspec.to_builtins(seen)
    facts["inTheWay"] = facts.pop("in_the_way")
    return success(orchestratorId=run_id, words=words, **facts)


@router.get(
    "/report", openapi_extra=DELEGATE, responses=answers(404, format=STRING, name=STRING, text=STRING)
)
async def get_report(
    parts: TheParts,
    caller: TheCaller,
    run_id: str,
    format: Annotated[Literal["markdown", "json", "junit", "html"], Query()] = "markdown",
) -> Response:
    """The result as one document, and `name` for a file of it: docs/results.md. `html` is a page that can be
    opened anywhere; it is redacted as `bigtask export` does it."""
    folder = parts.folder(run_id)
    text = await parts.module.orchestrators.report(folder.id, format, by=caller.name)
    return success(
        orchestratorId=run_id, format=format, name=f"bigtask-{short(folder.id)}.{_ENDS[format]}", text=text
    )
