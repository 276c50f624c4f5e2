"""The endpoints of workers: tasks with their attempts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from bigtask.core.states import TaskState
from bigtask.core.view import WorkerView
from bigtask.errors import Forbidden
from bigtask.server.envelope import success
from bigtask.server.parts import TheCaller, TheParts
from bigtask.server.role import ATTEMPT, DELEGATE
from bigtask.server.run_requests import ReportProgress, SayToWorker
from bigtask.server.schemas import INTEGER, OBJECTS, STRING, answers, list_of, nullable, ref
from bigtask.server.strict_route import StrictRoute

router = APIRouter(prefix="/api/orchestrator/{run_id}/workers", route_class=StrictRoute, tags=["workers"])

_SESSION_S = 5.0
"""So long the answer to `retry` waits for the new attempt's session."""

_WORKER: dict[str, Any] = {"orchestratorId": STRING, "worker": ref("WorkerView")}
_MOVED = answers(404, 409, **_WORKER)


@router.get("", openapi_extra=DELEGATE, responses=answers(404, workers=list_of("WorkerView")))
async def list_workers(parts: TheParts, run_id: str, status: TaskState | None = None) -> Response:
    """The tasks of the plan, in its order."""
    workers = await parts.module.workers.list(parts.folder(run_id).id, status=status)
    return success(orchestratorId=run_id, workers=workers)


@router.get("/{task_id}", openapi_extra=DELEGATE, responses=answers(404, **_WORKER))
async def get_worker(parts: TheParts, run_id: str, task_id: str) -> Response:
    """One task with its attempts; also a phase, by its name (`@analysis`)."""
    return _worker(run_id, await parts.module.workers.get(parts.folder(run_id).id, task_id))


@router.get(
    "/{task_id}/transcript",
    openapi_extra=DELEGATE,
    responses=answers(404, lines=OBJECTS, after=INTEGER, attempt=INTEGER),
)
async def get_transcript(
    parts: TheParts,
    run_id: str,
    task_id: str,
    after: Annotated[int, Query(ge=0, le=1 << 40)] = 0,
    attempt: Annotated[int | None, Query(ge=1, le=1 << 20, description="By default the last.")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> Response:
    """What was said in an attempt: `{"who", "text"}` a line, from line `after` on; `after` of the answer asks
    for what comes next."""
    page = await parts.module.workers.transcript_page(
        parts.folder(run_id).id, task_id, attempt=attempt, after=after, limit=limit
    )
    return success(
        orchestratorId=run_id, taskId=task_id, attempt=page.attempt, lines=page.lines, after=page.after
    )


@router.get("/{task_id}/conflict", openapi_extra=DELEGATE, responses=answers(404, files=OBJECTS))
async def get_conflict(parts: TheParts, run_id: str, task_id: str) -> Response:
    """The files of a conflict that waits for somebody to settle it, each with its versions as text: `base`
    (what there was before), `ours` (merged so far) and `theirs` (the task's); null where there is none."""
    found = await parts.module.workers.conflict(parts.folder(run_id).id, task_id)
    return success(orchestratorId=run_id, taskId=task_id, files=[asdict(one) for one in found])


@router.post("/{task_id}/retry", responses=answers(404, 409, **_WORKER, sessionId=nullable(STRING)))
async def retry_worker(parts: TheParts, caller: TheCaller, run_id: str, task_id: str) -> Response:
    """Tries the task again. `sessionId` is the new attempt's; null where it has to wait for its turn."""
    workers, id = parts.module.workers, parts.folder(run_id).id
    tried = len((await workers.get(id, task_id)).attempts)
    worker = await workers.retry(id, task_id, wait_s=_SESSION_S, by=caller.name)
    session = worker.attempts[-1].session_id if len(worker.attempts) > tried else None
    return _worker(run_id, worker, sessionId=session)


@router.post("/{task_id}/cancel", responses=_MOVED)
async def cancel_worker(parts: TheParts, caller: TheCaller, run_id: str, task_id: str) -> Response:
    """Ends one task; those that depend on it are skipped."""
    cancelled = await parts.module.workers.cancel(parts.folder(run_id).id, task_id, by=caller.name)
    return _worker(run_id, cancelled)


@router.post("/{task_id}/pause", openapi_extra=DELEGATE, responses=_MOVED)
async def pause_worker(parts: TheParts, run_id: str, task_id: str) -> Response:
    """The attempt stops at its next safe point."""
    return _worker(run_id, await parts.module.workers.pause(parts.folder(run_id).id, task_id))


@router.post("/{task_id}/resume", responses=_MOVED)
async def resume_worker(parts: TheParts, caller: TheCaller, run_id: str, task_id: str) -> Response:
    """Goes on with a paused attempt."""
    resumed = await parts.module.workers.resume(parts.folder(run_id).id, task_id, by=caller.name)
    return _worker(run_id, resumed)


@router.post("/{task_id}/message", responses=_MOVED)
async def message_worker(parts: TheParts, run_id: str, task_id: str, body: SayToWorker) -> Response:
    """Says something to the session that is at work; 409 where none is open."""
    told = await parts.module.workers.message(parts.folder(run_id).id, task_id, body.text)
    return _worker(run_id, told)


@router.post("/{task_id}/report", openapi_extra=ATTEMPT, responses=answers(404, 409))
async def report_progress(
    parts: TheParts, caller: TheCaller, run_id: str, task_id: str, body: ReportProgress
) -> Response:
    """How far the caller's own attempt is, while it is under way. That it is done, and how, is said in its
    session alone."""
    if caller.attempt is None or caller.attempt[:2] != (run_id, task_id):
        raise Forbidden("an attempt reports for itself alone: use the token that its session was given")
    await parts.module.workers.report(*caller.attempt, **body.model_dump())
    return success()


def _worker(run_id: str, worker: WorkerView, **more: Any) -> Response:
    return success(orchestratorId=run_id, worker=worker, **more)
