"""The endpoints of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bigtask.core import view as views
from bigtask.core.commands import (
    Answer,
    AnyCommand,
    Cancel,
    Confirm,
    EditPlan,
    Modification,
    Pause,
    Resume,
    Start,
)
from bigtask.core.edits import Edit
from bigtask.core.run import Run
from bigtask.core.states import Status
from bigtask.errors import Forbidden, InvalidInput
from bigtask.host import creation, removal
from bigtask.host.creation import Options
from bigtask.host.home import RunFolder
from bigtask.host.link import RunLink
from bigtask.report.result import result_of
from bigtask.server.accounts import account_of
from bigtask.server.envelope import success
from bigtask.server.parts import Parts, TheCaller, TheParts
from bigtask.server.refusal import Refusal
from bigtask.server.role import DELEGATE, Caller, Role
from bigtask.server.run_list import RunList, page_of
from bigtask.server.run_requests import (
    AnswerWaiting,
    ConfirmRun,
    CreateRun,
    EditRunPlan,
    PauseRun,
    RunOptions,
)
from bigtask.server.schemas import BOOLEAN, INTEGER, OBJECTS, STRING, answers, list_of, nullable, ref
from bigtask.server.streaming import stream
from bigtask.server.strict_route import StrictRoute
from bigtask.server.summary import Summary, summary

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
    found: RunList = await page_of(parts, status=status, limit=limit, cursor=cursor)
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
    cwd = Path(body.cwd)
    if not cwd.is_absolute():
        raise InvalidInput(f"cwd is {body.cwd!r}: give the absolute path of a folder on the server's machine")
    asked = msgspec.json.encode((caller.role, msgspec.json.decode(await request.body())), order="sorted")
    async with parts.once.run_id(idempotency_key, asked) as run_id:
        folder = RunFolder(parts.home.runs / run_id)
        if not folder.log.exists():
            await creation.create(
                parts.home,
                template_id=body.template_id,
                cwd=cwd,
                request=body.message,
                agents=parts.agents,
                templates=parts.templates_of(body.cwd),
                options=options,
                variables=body.custom_variables,
                environ=parts.environ,
                by=caller.name,
                run_id=run_id,
            )
            parts.custody.tell()
    return await _shown(parts, folder, 201)


@router.get("/{run_id}", openapi_extra=DELEGATE, responses=answers(404, **_RUN))
async def get_run(parts: TheParts, run_id: str) -> Response:
    """The whole state."""
    return await _shown(parts, parts.folder(run_id))


@router.get("/{run_id}/status", openapi_extra=DELEGATE, responses=answers(404, orchestrator=ref("Summary")))
async def get_status(parts: TheParts, run_id: str) -> Response:
    """The state in a few words, with progress and cost."""
    folder = parts.folder(run_id)
    return success(orchestrator=await _summary(parts, folder))


@router.post("/{run_id}/start", openapi_extra=DELEGATE, responses=_MOVED)
async def start_run(parts: TheParts, caller: TheCaller, run_id: str) -> Response:
    """Begins a run. One that has begun and that nobody carries out any more is carried on."""
    return await _carried_on(parts, run_id, Start(by=caller.name))


@router.post("/{run_id}/pause", openapi_extra=DELEGATE, responses=_MOVED)
async def pause_run(
    parts: TheParts, caller: TheCaller, run_id: str, body: PauseRun | None = None
) -> Response:
    """Nothing new begins, and what is under way stops at its next safe point."""
    return await _asked(parts, run_id, Pause(by=caller.name, now=body is not None and body.now))


@router.post("/{run_id}/resume", responses=_MOVED)
async def resume_run(parts: TheParts, caller: TheCaller, run_id: str) -> Response:
    """Goes on with a run that is paused, or that nobody carries out any more."""
    return await _carried_on(parts, run_id, Resume(by=caller.name))


@router.post("/{run_id}/cancel", responses=_MOVED)
async def cancel_run(parts: TheParts, caller: TheCaller, run_id: str) -> Response:
    """Ends a run; its work stays on its branches."""
    return await _asked(parts, run_id, Cancel(by=caller.name))


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
    command = EditPlan(revision=revision, edits=_edits(body.edits), by=caller.name)
    return await _asked(parts, run_id, command)


@router.post("/{run_id}/confirm", responses=answers(404, 409, 412, **_RUN))
async def confirm_run(
    parts: TheParts, caller: TheCaller, run_id: str, body: ConfirmRun | None = None
) -> Response:
    """Starts the workers of the plan, which may be changed a last time."""
    return await _carried_on(parts, run_id, _confirmation(body, caller))


@router.post("/{run_id}/confirm-tasks", responses=answers(404, 409, 412, **_RUN))
async def confirm_tasks(
    parts: TheParts, caller: TheCaller, run_id: str, body: ConfirmRun | None = None
) -> Response:
    """The same as `confirm`."""
    return await _carried_on(parts, run_id, _confirmation(body, caller))


@router.post("/{run_id}/answer", responses=_MOVED)
async def answer_waiting(parts: TheParts, caller: TheCaller, run_id: str, body: AnswerWaiting) -> Response:
    """Settles something that the run waits for; `waiting` of the run lists what there is, with the answers
    that each takes."""
    command = Answer(
        waiting_id=body.waiting_id, answer=body.answer, scope=body.scope, data=body.data, by=caller.name
    )
    return await _asked(parts, run_id, command)


@router.post(
    "/{run_id}/merge", responses=answers(404, 409, commit=nullable(STRING), files=OBJECTS, already=BOOLEAN)
)
async def merge_run(parts: TheParts, caller: TheCaller, run_id: str) -> Response:
    """Puts the result into your branch or folder. Repeated, it changes nothing and says `already`."""

    async def merge(link: RunLink) -> dict[str, Any]:
        return await link.merge(by=caller.name)

    return success(orchestratorId=run_id, **await parts.custody.through(parts.folder(run_id), merge))


@router.post("/{run_id}/merge/undo", responses=answers(404, 409, commit=nullable(STRING), files=OBJECTS))
async def undo_merge(parts: TheParts, caller: TheCaller, run_id: str) -> Response:
    """Takes the result out again, where nothing has changed since."""

    async def undo(link: RunLink) -> dict[str, Any]:
        return await link.undo_merge(by=caller.name)

    return success(orchestratorId=run_id, **await parts.custody.through(parts.folder(run_id), undo))


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
    found = await parts.following.page(folder, after, limit)
    return success(
        events=[msgspec.Raw(parts.following.text(run_id, event)) for event in found],
        after=found[-1].seq if found else after,
    )


@router.get("/{run_id}/result", openapi_extra=DELEGATE, responses=answers(404, result=ref("RunResult")))
async def get_result(parts: TheParts, run_id: str) -> Response:
    """What the run has come to, also while it goes on; docs/results.md."""
    return success(result=result_of(await parts.custody.run(parts.folder(run_id))))


@router.get(
    "/{run_id}/diff", openapi_extra=DELEGATE, responses=answers(404, 409, files=OBJECTS, patch=STRING)
)
async def get_diff(
    parts: TheParts, run_id: str, task_id: Annotated[str | None, Query(alias="taskId", max_length=200)] = None
) -> Response:
    """What the run, or the last attempt at one of its tasks, has changed."""

    async def look(link: RunLink) -> tuple[Any, str]:
        return await link.changes(task_id), await link.diff(task_id)

    files, patch = await parts.custody.through(parts.folder(run_id), look)
    return success(orchestratorId=run_id, taskId=task_id, files=files, patch=patch)


@router.delete("/{run_id}", responses=answers(404, 409, orchestratorId=STRING))
async def delete_run(parts: TheParts, run_id: str) -> Response:
    """Forgets a run that is over. Its branches stay in the repository; a result that isn't merged and exists
    nowhere else isn't deleted."""
    folder = parts.folder(run_id)
    run = await parts.custody.run(folder)
    if run.outcome is not None or not run.started:
        await parts.custody.let_go(run_id)
    await removal.delete(folder, parts.agents)
    parts.custody.tell()
    return success(orchestratorId=run_id)


async def _carried_on(parts: Parts, run_id: str, command: AnyCommand) -> Response:
    return _run(await parts.custody.carry_on(parts.folder(run_id), command))


async def _asked(parts: Parts, run_id: str, command: AnyCommand) -> Response:
    return _run(await parts.custody.ask(parts.folder(run_id), command))


async def _shown(parts: Parts, folder: RunFolder, code: int = 200) -> Response:
    return _run(await parts.custody.run(folder), code)


def _run(run: Run, code: int = 200) -> Response:
    return success(code, orchestratorId=run.id, orchestrator=views.view(run))


async def _summary(parts: Parts, folder: RunFolder) -> Summary:
    run = await parts.custody.run(folder)
    account = account_of(parts.agents, run.settings.agent)
    return summary(run, held=parts.custody.is_held(folder), account=account)


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


def _confirmation(body: ConfirmRun | None, caller: Caller) -> Confirm:
    given = body or ConfirmRun()
    changes = {
        id: Modification(skip=wanted.skip, priority=wanted.priority)
        for id, wanted in given.modifications.items()
    }
    return Confirm(revision=given.revision, modifications=changes, by=caller.name)


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
