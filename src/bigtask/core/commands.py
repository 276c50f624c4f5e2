"""What a person may ask of a run, and which events follow. The same verbs on every surface.

A command that already holds changes nothing and succeeds; one that isn't possible raises `Conflict`,
`NotFound` or `InvalidInput` and changes nothing either.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Annotated, Any, assert_never

import msgspec

from bigtask.core import budget, permissions, tampering
from bigtask.core import edits as plan_edits
from bigtask.core import events as e
from bigtask.core import plan as plans
from bigtask.core.dependents import skips
from bigtask.core.edits import Edit, SetTask
from bigtask.core.observations import Reported
from bigtask.core.phases import conflicts, intake, limits
from bigtask.core.reactions import continued, reported
from bigtask.core.run import Run, TaskRecord
from bigtask.core.states import BUILT_ON, ENDED, FELL, LIVE, AttemptState, Outcome, TaskState, WaitingKind
from bigtask.core.status import ALLOWED, status
from bigtask.core.values import (
    AGGREGATION,
    ANALYSIS,
    PLANNING,
    RESERVED,
    VERIFICATION,
    Plan,
    Report,
    Value,
    Waiting,
)
from bigtask.errors import Conflict, InvalidInput, InvalidPlan, NotFound, StaleRevision


class Command(Value, tag_field="verb"):
    """`by` is who asks: a person's name as their system knows it. `id` names the asking, so that it can be
    repeated when its answer got lost: what was done under that name isn't done again."""

    by: str = ""
    id: Annotated[str, msgspec.Meta(max_length=64)] = ""


class Start(Command, tag="start"):
    pass


class Modification(Value):
    skip: bool = False
    priority: int | None = None


class Confirm(Command, tag="confirm"):
    """`modifications` by task id go through the same code as a plan edit."""

    revision: int | None = None
    modifications: Mapping[str, Modification] = {}


class EditPlan(Command, tag="edit"):
    revision: int
    edits: tuple[Edit, ...]


class Answer(Command, tag="answer"):
    """`data` is the whole answer where `answer` is `edit`: what the agent should have said."""

    waiting_id: str
    answer: str
    scope: str = "once"
    data: Mapping[str, Any] | None = None


class Pause(Command, tag="pause"):
    now: bool = False


class Resume(Command, tag="resume"):
    """`ci`: whether the run asks nobody from here on; None leaves that as it is."""

    ci: bool | None = None


class Cancel(Command, tag="cancel"):
    pass


class Retry(Command, tag="retry"):
    """Without `task_id`: everything that failed, timed out or was cancelled."""

    task_id: str | None = None


class CancelTask(Command, tag="cancelTask"):
    task_id: str


class SkipTask(Command, tag="skipTask"):
    """Go on without the task: what depends on it may begin."""

    task_id: str


class ResumeTask(Command, tag="resumeTask"):
    task_id: str


AnyCommand = (
    Start | Confirm | EditPlan | Answer | Pause | Resume | Cancel | Retry | CancelTask | SkipTask | ResumeTask
)


def obey(run: Run, command: AnyCommand, *, resumable: Container[str] = ()) -> tuple[e.Happened, ...]:
    """`resumable` names the agents that can continue a session."""
    if command.id in run.commanded:
        return ()
    events = _consider(run, command, resumable)
    return (e.Commanded(id=command.id), *events) if events and command.id else events


def _consider(run: Run, command: AnyCommand, resumable: Container[str]) -> tuple[e.Happened, ...]:
    match command:
        case Start():
            if run.started:
                return ()
            require(run, "start")
            return (e.Started(by=command.by),)
        case Confirm():
            return _confirm(run, command)
        case EditPlan():
            require(run, "edit")
            return _edit(run, command.revision, command.edits, command.by)
        case Answer():
            return _answer(run, command, resumable)
        case Pause():
            return _pause(run, command)
        case Resume():
            return _resume(run, command, resumable)
        case Cancel():
            return _cancel(run, command.by)
        case Retry():
            return _retry(run, command)
        case CancelTask():
            return _cancel_task(run, command)
        case SkipTask():
            return _skip_task(run, command)
        case ResumeTask():
            record = _task(run, command.task_id)
            if record.attempt is None or record.attempt.state is not AttemptState.PAUSED:
                return ()
            going_on = continued(record, resumable)
            if isinstance(going_on, e.WorkerResumed) and not _has_room(run, record, ()):
                raise Conflict(
                    f"{record.task.id} can't go on yet: every slot is taken, or another task is at work "
                    "in the same place",
                    status=status(run),
                )
            return (going_on,)
        case _:
            assert_never(command)


def require(run: Run, verb: str) -> None:
    now = status(run)
    if verb not in ALLOWED[now]:
        possible = ", ".join(sorted(ALLOWED[now]))
        raise Conflict(
            f"the run is {now.value}: {verb} isn't possible now (possible: {possible})", status=now
        )


def _task(run: Run, id: str) -> TaskRecord:
    record = run.record(id)
    if record is None:
        known = ", ".join(list(run.tasks)[:8]) or "none yet"
        raise NotFound(f"the run has no task {id!r} (its tasks: {known})")
    return record


def _confirm(run: Run, command: Confirm) -> tuple[e.Happened, ...]:
    if run.confirmed:
        return ()
    require(run, "confirm")
    if run.plan is None:
        raise Conflict("there is no plan to confirm yet", status=status(run))
    if command.revision is not None and command.revision != run.plan.revision:
        raise StaleRevision(given=command.revision, current=run.plan.revision)
    for id in command.modifications:
        _planned(run, id)
    changes = tuple(
        SetTask(id=id, fields={"priority": wanted.priority})
        for id, wanted in command.modifications.items()
        if wanted.priority is not None
    )
    edited = _edit(run, run.plan.revision, changes, command.by) if changes else ()
    by = command.by or "person"
    skipped = [
        event
        for id, wanted in command.modifications.items()
        if wanted.skip
        for event in _skip(run, run.tasks[id], "skipped at confirmation", by)
    ]
    # Skipping one task may reopen another that is to be skipped too: the skips come last.
    skipped.sort(key=lambda event: isinstance(event, e.WorkerSkipped))
    revision = run.plan.revision + bool(edited)
    return (*edited, e.Confirmed(revision=revision, by=by, shown=True), *skipped)


def _edit(run: Run, revision: int, edits: tuple[Edit, ...], by: str) -> tuple[e.Happened, ...]:
    plan = editable_plan(run, revision, edits)
    found = plans.problems(plan_edits.apply(plan, edits).tasks, run.settings)
    if found:
        raise InvalidPlan(found)
    return (e.PlanChanged(revision=revision, edits=edits, by=by),)


def editable_plan(run: Run, revision: int, edits: Sequence[Edit]) -> Plan:
    """Where these edits may be made to it. Raises Conflict, NotFound or StaleRevision where they may not."""
    if run.plan is None:
        raise Conflict("there is no plan to edit yet", status=status(run))
    if revision != run.plan.revision:
        raise StaleRevision(given=revision, current=run.plan.revision)
    for edit in edits:
        for id in plan_edits.touched(edit):
            _require_editable(run, _planned(run, id), edit)
    return run.plan


def _require_editable(run: Run, record: TaskRecord, edit: Edit) -> None:
    id = record.task.id
    if record.state in _FIXED:
        what = f"is {record.state}: only tasks without a live or completed attempt can be edited"
    elif record.attempts and not isinstance(edit, SetTask):
        what = "has been tried, and the run keeps what became of it: skip it instead"
    else:
        return
    raise Conflict(f"task {id} {what}", status=status(run))


_FIXED = frozenset({TaskState.RUNNING, TaskState.INTEGRATING, TaskState.COMPLETED, TaskState.PARTIAL})


def _answer(run: Run, command: Answer, resumable: Container[str]) -> tuple[e.Happened, ...]:
    waiting = run.waiting.get(command.waiting_id)
    if waiting is None:
        open_ones = ", ".join(run.waiting) or "nothing"
        raise NotFound(f"nothing called {command.waiting_id!r} waits for an answer (waiting: {open_ones})")
    if command.answer not in waiting.options:
        raise InvalidInput(
            f"{command.answer!r} isn't an answer here: choose one of {', '.join(waiting.options)}"
        )
    by = command.by or "person"
    answered = e.Answered(
        waiting_id=waiting.id,
        answer=command.answer,
        scope=_scope(waiting, command.scope),
        by=by,
        covers=permissions.covered(waiting) if command.scope != permissions.ONCE else "",
    )
    if waiting.kind is WaitingKind.BUDGET and command.answer in (budget.RAISE, budget.FINISH):
        return (answered, *_resume(run, Resume(by=by), resumable))
    return (answered, *_consequences(run, waiting, command, by))


def _scope(waiting: Waiting, wanted: str) -> str:
    possible = permissions.scopes_of(waiting)
    if wanted in possible:
        return wanted
    if wanted == permissions.REPOSITORY and len(possible) > 1:
        why = "it is about what the project brings for agents, or no tool"
    else:
        why = "it is told only in part" if waiting.request_id is not None else f"it is a {waiting.kind}"
    raise InvalidInput(
        f"the answer to {waiting.id} can't hold for {wanted!r}, because {why}: choose {' or '.join(possible)}"
    )


def _consequences(run: Run, waiting: Waiting, command: Answer, by: str) -> tuple[e.Happened, ...]:
    if waiting.request_id is not None:
        return ()
    match waiting.kind, command.answer:
        case WaitingKind.PLAN, "confirm":
            assert run.plan is not None
            return (e.Confirmed(revision=run.plan.revision, by=by, shown=True),)
        case (WaitingKind.PLAN, "cancel") | (
            WaitingKind.QUESTION | WaitingKind.BUDGET | WaitingKind.TRUST | WaitingKind.LIMIT,
            intake.STOP,
        ):
            return _cancel(run, by)
        case WaitingKind.LIMIT, answer:
            return limits.answered(run, waiting, answer)
    if waiting.task_id is None:
        return ()
    record = _task(run, waiting.task_id)
    match command.answer:
        case tampering.ACCEPT if waiting.kind is WaitingKind.TRUST:
            return tampering.accepted(record)
        case conflicts.RESOLVE | conflicts.DONE | conflicts.OURS | conflicts.THEIRS:
            return conflicts.answered(record, command.answer, by)
        case "retry":
            return _reopen(run, record, by)
        case "skip" if record.state is TaskState.PARTIAL:
            return skips(run, record.task.id, "is only partly done", by=by)
        case "skip":
            return (e.WorkerSkipped(task_id=record.task.id, reason=f"skipped by {by}", by=by),)
        case "fail":
            assert record.attempt is not None
            reason = f"{record.reason} (given up by {by})"
            return (e.WorkerFailed(task_id=record.task.id, attempt=record.attempt.number, reason=reason),)
        case "accept":
            assert record.attempt is not None
            return (
                e.WorkerPartial(
                    task_id=record.task.id, attempt=record.attempt.number, reason=record.reason, by=by
                ),
            )
        case _:
            return _by_hand(run, record, command)


def _by_hand(run: Run, record: TaskRecord, command: Answer) -> tuple[e.Happened, ...]:
    """A person wrote what the agent should have answered; the host has read it as the protocol does."""
    if command.data is None or record.attempt is None:
        raise InvalidInput("an answer written by hand needs its data: --data FILE")
    if record.task.id == PLANNING:
        tasks = tuple(plans.task_from_answer(task) for task in command.data["tasks"])
        found = plans.problems(tasks, run.settings)
        if found:
            raise InvalidPlan(found)
    attempt = record.attempt
    seen = Reported(
        task_id=record.task.id,
        attempt=attempt.number,
        report=Report(data=command.data, quality="edited"),
    )
    return reported(run, record, seen, jitter=0.0)


def _pause(run: Run, command: Pause) -> tuple[e.Happened, ...]:
    if run.paused or (run.pausing and (run.pausing_now or not command.now)):
        return ()
    require(run, "pause")
    pausing = e.Pausing(now=command.now, by=command.by)
    if not command.now:
        return (pausing,)
    return (pausing, *_lose(run, "ended to pause at once"))


def _lose(run: Run, reason: str) -> tuple[e.WorkerLost, ...]:
    return tuple(e.WorkerLost(task_id=id, attempt=n, reason=reason) for id, n in run.live.items())


def _resume(run: Run, command: Resume, resumable: Container[str]) -> tuple[e.Happened, ...]:
    changed = None if command.ci in (None, run.asks_nobody) else command.ci
    if not run.paused and not run.pausing:
        # An ended run has nobody to ask.
        return () if changed is None or run.outcome is not None else _asking(run, command, changed)
    events: list[e.Happened] = [e.Resumed(by=command.by, asks_nobody=changed)]
    begun: list[str] = []
    for record in run.all_records():
        attempt = record.attempt
        if attempt is None or attempt.state is not AttemptState.PAUSED:
            continue
        going_on = continued(record, resumable)
        if isinstance(going_on, e.WorkerResumed):
            if _has_room(run, record, begun):
                begun.append(record.task.id)
            else:
                # It was paused alone, and others have begun since: it queues, as a new attempt.
                why = "paused, and others have its slot or work in its place"
                going_on = e.WorkerLost(task_id=record.task.id, attempt=attempt.number, reason=why)
        events.append(going_on)
    return tuple(events)


def _asking(run: Run, command: Resume, asks_nobody: bool) -> tuple[e.Resumed, ...]:
    return (e.Resumed(by=command.by, asks_nobody=asks_nobody),)


def _has_room(run: Run, record: TaskRecord, begun: Sequence[str]) -> bool:
    """Whether a resting attempt may go on beside what is at work and the tasks that have just `begun`."""
    if len(run.live) + len(begun) >= run.settings.slots:
        return False
    mine = run.areas.get(record.task.id, ())
    others = (*run.live, *run.integrating, *begun)
    return not any(plans.overlap(mine, run.areas.get(other, ())) for other in others)


def _cancel(run: Run, by: str) -> tuple[e.Happened, ...]:
    if run.outcome is Outcome.CANCELLED:
        return ()
    require(run, "cancel")
    ended = tuple(_cancelled(record, by) for record in run.all_records() if record.state not in ENDED)
    return (*ended, e.Cancelled(by=by))


def _cancelled(record: TaskRecord, by: str) -> e.WorkerCancelled:
    """With the attempt's number if it is still under way, resting attempts included."""
    begun = record.state in (TaskState.RUNNING, TaskState.INTEGRATING)
    number = record.attempt.number if begun and record.attempt else None
    return e.WorkerCancelled(task_id=record.task.id, attempt=number, by=by)


def _retry(run: Run, command: Retry) -> tuple[e.Happened, ...]:
    if command.task_id is not None:
        record = _task(run, command.task_id)
        if record.state not in ENDED and not _rests_for_review(record):
            return ()
        require(run, "retry")
        _require_retry_of_use(run, record)
        return _reopen(run, record, command.by)
    require(run, "retry")
    fallen = [record for record in run.all_records() if record.state in FELL]
    return tuple({event.task_id: event for r in fallen for event in _reopen(run, r, command.by)}.values())


def _require_retry_of_use(run: Run, record: TaskRecord) -> None:
    id = record.task.id
    if id in (ANALYSIS, PLANNING) and record.state in BUILT_ON:
        raise Conflict(
            f"{id} is {record.state} and the run is built on that: edit the plan instead", status=status(run)
        )
    for other in record.task.dependencies:
        if run.tasks[other].state in ENDED and not run.tasks[other].met:
            raise Conflict(
                f"{id} depends on {other}, which is {run.tasks[other].state}: retry that one, or skip it",
                status=status(run),
            )


def _rests_for_review(record: TaskRecord) -> bool:
    return record.attempt is not None and record.attempt.state in _FOR_REVIEW


_FOR_REVIEW = (AttemptState.NEEDS_REVIEW, AttemptState.QUARANTINED)


def _reopen(run: Run, record: TaskRecord, by: str) -> tuple[e.WorkerLost | e.WorkerReopened, ...]:
    """The task, and those that were skipped because of it. A phase that is looking at the merged work
    looks again when that is done."""
    looking = [id for id in (AGGREGATION, VERIFICATION) if id != record.task.id and id in run.reserved]
    attempts = [(id, attempt) for id in looking if (attempt := run.reserved[id].attempt) is not None]
    outdated = tuple(
        e.WorkerLost(task_id=id, attempt=attempt.number, reason="tasks run again")
        for id, attempt in attempts
        if attempt.state in LIVE or attempt.state is AttemptState.PAUSED or id in run.integrating
    )
    found = {record.task.id: None}
    stack = [record.task.id]
    while stack:
        for other in run.dependents.get(stack.pop(), ()):
            skipped = run.tasks[other]
            if other not in found and skipped.state is TaskState.SKIPPED and not skipped.by:
                found[other] = None
                stack.append(other)
    return (*outdated, *(e.WorkerReopened(task_id=id, by=by) for id in found))


def _planned(run: Run, id: str) -> TaskRecord:
    record = _task(run, id)
    if id in RESERVED:
        raise Conflict(f"{id} is a phase of the run: cancel the run instead", status=status(run))
    return record


def _cancel_task(run: Run, command: CancelTask) -> tuple[e.Happened, ...]:
    record = _planned(run, command.task_id)
    if record.state in ENDED:
        return ()
    return (_cancelled(record, command.by), *skips(run, record.task.id, "was cancelled"))


def _skip_task(run: Run, command: SkipTask) -> tuple[e.Happened, ...]:
    record = _planned(run, command.task_id)
    if record.state is TaskState.COMPLETED:
        raise Conflict(f"{record.task.id} is {record.state}: it can't be skipped", status=status(run))
    by = command.by or "person"
    return _skip(run, record, f"skipped by {by}", by)


def _skip(run: Run, record: TaskRecord, reason: str, by: str) -> tuple[e.Happened, ...]:
    if record.met:
        return ()
    before: tuple[e.Happened, ...] = ()
    if record.state in ENDED:
        before = _reopen(run, record, by)
    elif record.state in (TaskState.RUNNING, TaskState.INTEGRATING) and not _rests_for_review(record):
        before = (_cancelled(record, by),)
    return (*before, e.WorkerSkipped(task_id=record.task.id, reason=reason, by=by))
