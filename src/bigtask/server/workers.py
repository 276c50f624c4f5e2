"""The endpoints of workers: tasks with their attempts."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from bigtask.core import view as views
from bigtask.core.commands import CancelTask, ResumeTask, Retry
from bigtask.core.events import WorkerStarted
from bigtask.core.run import Run, TaskRecord
from bigtask.core.states import TaskState
from bigtask.errors import NotFound
from bigtask.host.home import RunFolder
from bigtask.host.link import RunLink
from bigtask.host.transcript_folder import TranscriptFolder
from bigtask.server.envelope import success
from bigtask.server.parts import Parts, TheCaller, TheParts
from bigtask.server.role import DELEGATE
from bigtask.server.run_requests import SayToWorker
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
    run = await parts.custody.run(parts.folder(run_id))
    chosen = [record for record in run.tasks.values() if status is None or record.state is status]
    return success(orchestratorId=run_id, workers=[views.worker(record) for record in chosen])


@router.get("/{task_id}", openapi_extra=DELEGATE, responses=answers(404, **_WORKER))
async def get_worker(parts: TheParts, run_id: str, task_id: str) -> Response:
    """One task with its attempts; also a phase, by its name (`@analysis`)."""
    return _worker(await parts.custody.run(parts.folder(run_id)), task_id)


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
    folder = parts.folder(run_id)
    record = _record(await parts.custody.run(folder), task_id)
    number = attempt or len(record.attempts)
    if not record.attempts and attempt is None:
        return success(orchestratorId=run_id, taskId=task_id, attempt=0, lines=[], after=0)
    if number > len(record.attempts):
        raise NotFound(f"{task_id} has no attempt {number}: it has had {len(record.attempts)}")
    said = await asyncio.to_thread(TranscriptFolder(folder.transcripts).read, task_id, number)
    # The last line may be half written.
    lines = said[: said.rfind(b"\n") + 1].splitlines()[after : after + limit]
    return success(
        orchestratorId=run_id,
        taskId=task_id,
        attempt=number,
        lines=[msgspec.Raw(line) for line in lines],
        after=after + len(lines),
    )


@router.post("/{task_id}/retry", responses=answers(404, 409, **_WORKER, sessionId=nullable(STRING)))
async def retry_worker(parts: TheParts, caller: TheCaller, run_id: str, task_id: str) -> Response:
    """Tries the task again. `sessionId` is the new attempt's; null where it has to wait for its turn."""
    folder = parts.folder(run_id)
    before = _record(await parts.custody.run(folder), task_id)
    tried = len(before.attempts)
    run = await parts.custody.carry_on(folder, Retry(task_id=task_id, by=caller.name))
    await _begun(parts, folder, run.seq, task_id, tried)
    run = await parts.custody.run(folder)
    attempts = _record(run, task_id).attempts
    session = attempts[-1].session_id if len(attempts) > tried else None
    return _worker(run, task_id, sessionId=session)


@router.post("/{task_id}/cancel", responses=_MOVED)
async def cancel_worker(parts: TheParts, caller: TheCaller, run_id: str, task_id: str) -> Response:
    """Ends one task; those that depend on it are skipped."""
    return _worker(
        await parts.custody.ask(parts.folder(run_id), CancelTask(task_id=task_id, by=caller.name)), task_id
    )


@router.post("/{task_id}/pause", openapi_extra=DELEGATE, responses=_MOVED)
async def pause_worker(parts: TheParts, run_id: str, task_id: str) -> Response:
    """The attempt stops at its next safe point."""
    folder = parts.folder(run_id)
    _record(await parts.custody.run(folder), task_id)

    async def pause(link: RunLink) -> None:
        await link.pause_task(task_id)

    await parts.custody.through(folder, pause)
    return _worker(await parts.custody.run(folder), task_id)


@router.post("/{task_id}/resume", responses=_MOVED)
async def resume_worker(parts: TheParts, caller: TheCaller, run_id: str, task_id: str) -> Response:
    """Goes on with a paused attempt."""
    command = ResumeTask(task_id=task_id, by=caller.name)
    return _worker(await parts.custody.carry_on(parts.folder(run_id), command), task_id)


@router.post("/{task_id}/message", responses=_MOVED)
async def message_worker(parts: TheParts, run_id: str, task_id: str, body: SayToWorker) -> Response:
    """Says something to the session that is at work; 409 where none is open."""
    folder = parts.folder(run_id)
    _record(await parts.custody.run(folder), task_id)

    async def say(link: RunLink) -> None:
        await link.say(task_id, body.text)

    await parts.custody.through(folder, say)
    return _worker(await parts.custody.run(folder), task_id)


async def _begun(parts: Parts, folder: RunFolder, after: int, task_id: str, tried: int) -> None:
    """Until the attempt after `tried` has a session, the time is over, or nobody follows any more."""
    try:
        async with asyncio.timeout(_SESSION_S):
            async for event in parts.following.follow(folder, after):
                data = event.data
                if isinstance(data, WorkerStarted) and (data.task_id == task_id and data.attempt > tried):
                    return
    except TimeoutError:
        return


def _worker(run: Run, task_id: str, **more: Any) -> Response:
    return success(orchestratorId=run.id, worker=views.worker(_record(run, task_id)), **more)


def _record(run: Run, task_id: str) -> TaskRecord:
    record = run.record(task_id)
    if record is None:
        raise NotFound(
            f"the run has no task {task_id[:80]!r}: GET /api/orchestrator/{run.id}/workers lists them"
        )
    return record
