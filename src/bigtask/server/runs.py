"""The endpoints of runs."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bigtask.core.edits import Edit
from bigtask.core.states import Status
from bigtask.core.view import RunView
from bigtask.errors import Forbidden, InvalidInput
from bigtask.host.creation import Options
from bigtask.host.home import RunFolder
from bigtask.server.envelope import success
from bigtask.server.parts import Parts, TheCaller, TheParts
from bigtask.server.refusal import Refusal
from bigtask.server.role import DELEGATE, Caller, Role
from bigtask.server.run_requests import (
    AnswerWaiting,
    ConfirmRun,
    CreateRun,
    EditRunPlan,
    PauseRun,
    RunOptions,
)
from bigtask.server.schemas import BOOLEAN, INTEGER, OBJECT, OBJECTS, STRING, answers, list_of, nullable, ref
from bigtask.server.streaming import stream
from bigtask.server.strict_route import StrictRoute

BASE = "/api/orchestrator"

router = APIRouter(prefix=BASE, route_class=StrictRoute, tags=["runs"])

_RUN: dict[str, Any] = {"orchestratorId": STRING, "orchestrator": ref("RunView")}
_MOVED = answers(404, 409, **_RUN)


@router.get(
    "", openapi_extra=DELEGATE, responses=answers(orchestrators=list_of("Summary"), cursor=nullable(STRING))
)
async def list_runs(
    parts: TheParts,
    status: Status | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """Newest first. `cursor` of an answer is where the next page begins, null at the end; runs whose log
    can't be read are in `unreadable` with the reason."""
    found = await parts.module.orchestrators.page(status=status, limit=limit, cursor=cursor)
    return success(orchestrators=found.runs, unreadable=found.unreadable, cursor=found.cursor)


@router.post(
    "/create",
    status_code=201,
    openapi_extra=DELEGATE,
    responses=answers(404, 409, code=201, said="Created.", **_RUN),
)
async def create_run(
    parts: TheParts,
    caller: TheCaller,
    request: Request,
    body: CreateRun,
    idempotency_key: Annotated[
        str | None, Header(description="Repeated with the same request, it gives the same run.")
    ] = None,
) -> Response:
    """Makes a run, which begins when it is started."""
    options = _options(body.options, caller)
    cwd = parts.project(body.cwd)
    asked = msgspec.json.encode((caller.role, msgspec.json.decode(await request.body())), order="sorted")
    runs = parts.module
    async with parts.once.run_id(idempotency_key, asked) as run_id:
        if RunFolder(runs.home.runs / run_id).log.exists():
            return _run(await runs.orchestrators.get(run_id), 201)
        made = await runs.orchestrators.create(
            template_id=body.template_id,
            cwd=cwd,
            message=body.message,
            custom_variables=body.custom_variables,
            options=options,
            by=caller.name,
            run_id=run_id,
        )
        return _run(made, 201)


@router.get("/{run_id}", openapi_extra=DELEGATE, responses=answers(404, **_RUN))
async def get_run(parts: TheParts, run_id: str) -> Response:
    """The whole state."""
    return _run(await parts.module.orchestrators.get(parts.folder(run_id).id))


@router.get("/{run_id}/status", openapi_extra=DELEGATE, responses=answers(404, orchestrator=ref("Summary")))
async def get_status(parts: TheParts, run_id: str) -> Response:
    """The state in a few words, with progress and cost."""
    return success(orchestrator=await parts.module.orchestrators.status(parts.folder(run_id).id))


@router.post("/{run_id}/start", openapi_extra=DELEGATE, responses=_MOVED)
async def start_run(parts: TheParts, caller: TheCaller, run_id: str) -> Response:
    """Begins a run. One that has begun and that nobody carries out any more is carried on."""
    return _run(await parts.module.orchestrators.start(parts.folder(run_id).id, by=caller.name))


@router.post("/{run_id}/adopt", responses=_MOVED)
async def adopt_run(parts: TheParts, run_id: str) -> Response:
    """Takes up a run that nobody carries out, as it stands: for commands, which then ask its holder."""
    folder = parts.folder(run_id)
    await parts.module.custody.adopt(folder)
    return _run(await parts.module.orchestrators.get(folder.id))


@router.post("/{run_id}/pause", openapi_extra=DELEGATE, responses=_MOVED)
async def pause_run(
    parts: TheParts, caller: TheCaller, run_id: str, body: PauseRun | None = None
) -> Response:
    """Nothing new begins, and what is under way stops at its next safe point."""
    now = body is not None and body.now
    return _run(await parts.module.orchestrators.pause(parts.folder(run_id).id, now=now, by=caller.name))


@router.post("/{run_id}/resume", responses=_MOVED)
async def resume_run(parts: TheParts, caller: TheCaller, run_id: str) -> Response:
    """Goes on with a run that is paused, or that nobody carries out any more."""
    return _run(await parts.module.orchestrators.resume(parts.folder(run_id).id, by=caller.name))


@router.post("/{run_id}/cancel", responses=_MOVED)
async def cancel_run(parts: TheParts, caller: TheCaller, run_id: str) -> Response:
    """Ends a run; its work stays on its branches."""
    return _run(await parts.module.orchestrators.cancel(parts.folder(run_id).id, by=caller.name))


@router.put("/{run_id}/plan", openapi_extra=DELEGATE, responses=answers(404, 409, 412, **_RUN))
async def edit_plan(
    parts: TheParts,
    caller: TheCaller,
    run_id: str,
    body: EditRunPlan,
    if_match: Annotated[str | None, Header(max_length=40, description="The plan's revision.")] = None,
) -> Response:
    """All edits or none, where the plan is still the one that was read; the result is checked as a whole."""
    revision = body.revision if body.revision is not None else _number(if_match)
    runs, id = parts.module.orchestrators, parts.folder(run_id).id
    return _run(await runs.edit_plan(id, _edits(body.edits), revision=revision, by=caller.name))


@router.post("/{run_id}/plan/check", openapi_extra=DELEGATE, responses=answers(404, 409, 412, outlook=OBJECT))
async def check_plan(
    parts: TheParts,
    run_id: str,
    body: EditRunPlan,
    if_match: Annotated[str | None, Header(max_length=40, description="The plan's revision.")] = None,
) -> Response:
    """What the edits would make of the plan, which stays as it is: `problems` that keep it from being used,
    each with its task and field, `warnings`, and the `estimate`."""
    revision = body.revision if body.revision is not None else _number(if_match)
    runs, id = parts.module.orchestrators, parts.folder(run_id).id
    return success(outlook=await runs.check_plan(id, _edits(body.edits), revision=revision))


@router.post("/{run_id}/confirm", responses=answers(404, 409, 412, **_RUN))
async def confirm_run(
    parts: TheParts, caller: TheCaller, run_id: str, body: ConfirmRun | None = None
) -> Response:
    """Starts the workers of the plan, which may be changed a last time."""
    return await _confirmed(parts, caller, run_id, body)


@router.post("/{run_id}/confirm-tasks", responses=answers(404, 409, 412, **_RUN))
async def confirm_tasks(
    parts: TheParts, caller: TheCaller, run_id: str, body: ConfirmRun | None = None
) -> Response:
    """The same as `confirm`."""
    return await _confirmed(parts, caller, run_id, body)


@router.post("/{run_id}/answer", responses=_MOVED)
async def answer_waiting(parts: TheParts, caller: TheCaller, run_id: str, body: AnswerWaiting) -> Response:
    """Settles something that the run waits for; `waiting` of the run lists what there is, with the answers
    that each takes."""
    answered = await parts.module.orchestrators.answer(
        parts.folder(run_id).id,
        body.waiting_id,
        body.answer,
        scope=body.scope,
        data=body.data,
        by=f"{caller.name}@api",
    )
    return _run(answered)


@router.post(
    "/{run_id}/merge", responses=answers(404, 409, commit=nullable(STRING), files=OBJECTS, already=BOOLEAN)
)
async def merge_run(parts: TheParts, caller: TheCaller, run_id: str) -> Response:
    """Puts the result into your branch or folder. Repeated, it changes nothing and says `already`."""
    merged = await parts.module.orchestrators.merge(parts.folder(run_id).id, by=caller.name)
    return success(orchestratorId=run_id, **merged)


@router.post("/{run_id}/merge/undo", responses=answers(404, 409, commit=nullable(STRING), files=OBJECTS))
async def undo_merge(parts: TheParts, caller: TheCaller, run_id: str) -> Response:
    """Takes the result out again, where nothing has changed since."""
    undone = await parts.module.orchestrators.merge(parts.folder(run_id).id, undo=True, by=caller.name)
    return success(orchestratorId=run_id, **undone)


@router.get(
    "/{run_id}/events", openapi_extra=DELEGATE, responses=answers(404, events=list_of("Event"), after=INTEGER)
)
async def get_events(
    parts: TheParts,
    request: Request,
    run_id: str,
    after: Annotated[int, Query(ge=0, le=1 << 53)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    accept: Annotated[str, Header()] = "",
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """What has happened, from `after` on; `after` of the answer asks for what comes next. With `Accept:
    text/event-stream` a stream that goes on: after a cut, Last-Event-ID takes it up where it was."""
    folder = parts.folder(run_id)
    if "text/event-stream" in accept:
        begin = _number(last_event_id) if last_event_id else after
        return StreamingResponse(stream(parts, folder, begin), media_type="text/event-stream")
    found = await parts.module.following.page(folder, after, limit)
    return success(
        events=[msgspec.Raw(parts.module.following.text(run_id, event)) for event in found],
        after=found[-1].seq if found else after,
    )


@router.get("/{run_id}/result", openapi_extra=DELEGATE, responses=answers(404, result=ref("RunResult")))
async def get_result(parts: TheParts, run_id: str) -> Response:
    """What the run has come to, also while it goes on; docs/results.md."""
    return success(result=await parts.module.orchestrators.result(parts.folder(run_id).id))


@router.get(
    "/{run_id}/diff", openapi_extra=DELEGATE, responses=answers(404, 409, files=OBJECTS, patch=STRING)
)
async def get_diff(
    parts: TheParts, run_id: str, task_id: Annotated[str | None, Query(alias="taskId", max_length=200)] = None
) -> Response:
    """What the run, or the last attempt at one of its tasks, has changed."""
    found = await parts.module.orchestrators.changes(parts.folder(run_id).id, task_id)
    return success(orchestratorId=run_id, taskId=task_id, files=found.files, patch=found.patch)


@router.delete("/{run_id}", responses=answers(404, 409, orchestratorId=STRING))
async def delete_run(parts: TheParts, run_id: str) -> Response:
    """Forgets a run that is over. Its branches stay in the repository; a result that isn't merged and exists
    nowhere else isn't deleted."""
    await parts.module.orchestrators.delete(parts.folder(run_id).id)
    return success(orchestratorId=run_id)


def _run(view: RunView, code: int = 200) -> Response:
    return success(code, orchestratorId=view.id, orchestrator=view)


def _options(given: RunOptions, caller: Caller) -> Options:
    """Raises Forbidden for what a delegate can't give itself."""
    chosen = given.model_dump(exclude_none=True)
    if caller.role is not Role.OWNER and (
        chosen.get("permission_mode") == "all" or chosen.get("project_rules")
    ):
        raise Forbidden(
            "only the owner lets agents do everything or load what a project brings: leave that out"
        )
    return Options(**chosen)


async def _confirmed(parts: Parts, caller: Caller, run_id: str, body: ConfirmRun | None) -> Response:
    given = body or ConfirmRun()
    changes = {id: wanted.model_dump() for id, wanted in given.modifications.items()}
    confirmed = await parts.module.orchestrators.confirm_tasks(
        parts.folder(run_id).id, changes, revision=given.revision, by=caller.name
    )
    return _run(confirmed)


def _edits(given: list[dict[str, Any]]) -> tuple[Edit, ...]:
    try:
        return msgspec.convert(given, tuple[Edit, ...])
    except msgspec.ValidationError as error:
        said, _, path = str(error).partition(" - at `$")
        pointer = "/edits" + path.rstrip("`").replace("[", "/").replace("]", "").replace(".", "/")
        raise Refusal(
            400,
            f"the edits can't be used: {pointer}: {said}",
            {"errors": [{"pointer": pointer, "message": said}]},
        ) from None


def _number(given: str | None) -> int:
    """Of a revision or an event. Raises InvalidInput."""
    digits = (given or "").strip('"')
    if not digits.isascii() or not digits.isdigit() or len(digits) > 16:
        raise InvalidInput("say which revision or event you have seen, as a number (`revision` or If-Match)")
    return int(digits)
