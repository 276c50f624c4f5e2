"""What each `worker:` event means: functions of `(run, data, at)` that change a task and its attempts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bigtask.core import budget
from bigtask.core import events as e
from bigtask.core.moves import find, move_attempt, move_task, rest, retire, withdraw
from bigtask.core.phases import limits
from bigtask.core.run import Attempt, Run, TaskRecord
from bigtask.core.states import (
    ENDED,
    AttemptState,
    IllegalMove,
    TaskState,
)
from bigtask.core.values import AGGREGATION, RESERVED, VERIFICATION, InConflict, Task, Usage


def spawned(run: Run, data: e.WorkerSpawned, at: int) -> None:
    id = data.task_id
    if id in RESERVED and id not in run.reserved:
        run.reserved[id] = TaskRecord(Task(id=id, title=RESERVED[id]), state=TaskState.READY)
    record = run.record(id)
    if record is None or data.attempt != len(record.attempts) + 1:
        raise IllegalMove(f"attempt {data.attempt} at {id} can't be the next one")
    retire(run, record, at)
    move_task(run, record, TaskState.RUNNING)
    record.not_before = 0
    attempt = Attempt(number=data.attempt, agent=data.agent, session_name=data.session_name, started_at=at)
    attempt.resolves = record.in_conflict if record.resolving else None
    record.attempts.append(attempt)
    run.live[id] = data.attempt


def worker_started(run: Run, data: e.WorkerStarted, at: int) -> None:
    record, attempt = find(run, data.task_id, data.attempt)
    move_attempt(run, data.task_id, attempt, AttemptState.RUNNING, at)
    limits.settle(run, data.task_id, data.attempt)
    attempt.session_id = data.session_id
    attempt.branch = data.branch
    record.places = data.places or record.places


def worker_progress(run: Run, data: e.WorkerProgress, at: int) -> None:
    _, attempt = find(run, data.task_id, data.attempt)
    attempt.percent, attempt.action = data.percent, data.action
    if attempt.state in (AttemptState.LIMITED, AttemptState.STALLED):
        move_attempt(run, data.task_id, attempt, AttemptState.RUNNING, at)


def reported(run: Run, data: e.WorkerReported, at: int) -> None:
    record, attempt = find(run, data.task_id, data.attempt)
    if attempt.state is AttemptState.QUARANTINED:
        attempt.reason = record.reason = ""
    move_attempt(run, data.task_id, attempt, AttemptState.REPORTED, at)
    attempt.report = data.report
    _account(run, attempt, data.usage, data.tools)
    move_task(run, record, TaskState.INTEGRATING)
    run.integrating[data.task_id] = data.attempt


_NOTHING = Usage()


def _account(run: Run, attempt: Attempt, usage: Usage, tools: Mapping[str, int]) -> None:
    """A later figure replaces an earlier one; an event that brings none leaves it."""
    if usage != _NOTHING:
        run.used = run.used + (usage - attempt.usage)
        attempt.usage = usage
    attempt.tools = tools or attempt.tools


def reasked(run: Run, data: e.WorkerReasked, at: int) -> None:
    _, attempt = find(run, data.task_id, data.attempt)
    attempt.reasked = data.number


def checked(run: Run, data: e.WorkerChecked, at: int) -> None:
    _, attempt = find(run, data.task_id, data.attempt)
    attempt.checks = data.results


def worker_merged(run: Run, data: e.WorkerMerged, at: int) -> None:
    _, attempt = find(run, data.task_id, data.attempt)
    attempt.evidence = data.evidence


def _end(
    run: Run,
    data: e.WorkerEvent,
    at: int,
    attempt_state: AttemptState,
    task_state: TaskState | None,
    *,
    by: str = "",
) -> tuple[TaskRecord, Attempt]:
    record, attempt = find(run, data.task_id, data.attempt)
    move_attempt(run, data.task_id, attempt, attempt_state, at)
    run.integrating.pop(data.task_id, None)
    withdraw(run, data.task_id)
    if task_state is not None:
        move_task(run, record, task_state, by=by)
    return record, attempt


def worker_completed(run: Run, data: e.WorkerCompleted, at: int) -> None:
    _end(run, data, at, AttemptState.COMPLETED, TaskState.COMPLETED)


def worker_partial(run: Run, data: e.WorkerPartial, at: int) -> None:
    record, _ = _end(run, data, at, AttemptState.PARTIAL, TaskState.PARTIAL, by=data.by)
    record.reason = data.reason


def ended(
    attempt_state: AttemptState, task_state: TaskState | None, *, uses_up_a_retry: bool
) -> Callable[[Run, Any, int], None]:
    def meaning(run: Run, data: e.AttemptEnded, at: int) -> None:
        record, attempt = _end(run, data, at, attempt_state, task_state)
        attempt.reason = record.reason = data.reason
        record.failures += uses_up_a_retry
        _account(run, attempt, data.usage, data.tools)

    return meaning


def needs_review(run: Run, data: e.WorkerNeedsReview, at: int) -> None:
    ended(AttemptState.NEEDS_REVIEW, None, uses_up_a_retry=False)(run, data, at)
    record, attempt = find(run, data.task_id, data.attempt)
    attempt.unusable = attempt.report is None
    if record.state is TaskState.INTEGRATING:
        move_task(run, record, TaskState.RUNNING)


def quarantined(run: Run, data: e.WorkerQuarantined, at: int) -> None:
    ended(AttemptState.QUARANTINED, None, uses_up_a_retry=False)(run, data, at)
    record, attempt = find(run, data.task_id, data.attempt)
    attempt.tampered = data.changed
    if record.state is TaskState.INTEGRATING:
        move_task(run, record, TaskState.RUNNING)


def tampered(run: Run, data: e.WorkerTampered, at: int) -> None:
    _, attempt = find(run, data.task_id, data.attempt)
    attempt.tampered = tuple(dict.fromkeys((*attempt.tampered, *data.changed)))


def lost(run: Run, data: e.WorkerLost, at: int) -> None:
    record, attempt = _end(run, data, at, AttemptState.LOST, None)
    attempt.reason = data.reason
    _account(run, attempt, data.usage, data.tools)
    rest(run, record)


def superseded(run: Run, data: e.WorkerSuperseded, at: int) -> None:
    _, attempt = find(run, data.task_id, data.attempt)
    move_attempt(run, data.task_id, attempt, AttemptState.SUPERSEDED, at)


def conflict(run: Run, data: e.WorkerConflict, at: int) -> None:
    record, attempt = find(run, data.task_id, data.attempt)
    attempt.reason = "conflicts in " + ", ".join(data.files)
    record.conflicts = data.conflicts or tuple(InConflict(path=path) for path in data.files)
    record.places = data.places
    record.in_conflict, record.resolving = data.attempt, False


def resolving(run: Run, data: e.WorkerResolving, at: int) -> None:
    record, attempt = find(run, data.task_id, data.attempt)
    if attempt.state is AttemptState.REPORTED:
        _end(run, data, at, AttemptState.NEEDS_REVIEW, None)
    withdraw(run, data.task_id)
    retire(run, record, at)
    record.resolving, record.reason = True, ""
    rest(run, record)


def settling(run: Run, data: e.WorkerSettling, at: int) -> None:
    record, attempt = find(run, data.task_id, data.attempt)
    withdraw(run, data.task_id)
    move_attempt(run, data.task_id, attempt, AttemptState.REPORTED, at)
    if attempt.report is None:
        # It was to resolve the conflict and didn't get there: what is merged is what was reported before.
        assert record.in_conflict is not None
        attempt.report = record.attempts[record.in_conflict - 1].report
    attempt.settling, attempt.unusable = data.how, False
    attempt.reason = record.reason = ""
    move_task(run, record, TaskState.INTEGRATING)
    run.integrating[data.task_id] = data.attempt


def failed(run: Run, data: e.WorkerFailed, at: int) -> None:
    ended(AttemptState.FAILED, TaskState.FAILED, uses_up_a_retry=True)(run, data, at)
    if data.taken_out:
        # Merged and taken out: there is nothing left to resolve, and the next attempt begins anew.
        _forget_conflict(find(run, data.task_id, data.attempt)[0])


def _forget_conflict(record: TaskRecord) -> None:
    record.conflicts, record.places, record.in_conflict, record.resolving = (), {}, None, False


def reopened(run: Run, data: e.WorkerReopened, at: int) -> None:
    record = run.record(data.task_id)
    assert record is not None
    retire(run, record, at)
    withdraw(run, data.task_id)
    _forget_conflict(record)
    record.failures, record.reason = 0, ""
    if run.answers.get(budget.SUBJECT) == budget.FINISH:
        del run.answers[budget.SUBJECT]
    rest(run, record)
    run.outcome, run.reason = None, ""
    for id in (AGGREGATION, VERIFICATION):
        after = run.reserved.get(id)
        if after is not None and after.state in ENDED and id != data.task_id:
            retire(run, after, at)
            after.failures = 0
            rest(run, after)


def retrying(run: Run, data: e.WorkerRetrying, at: int) -> None:
    record = run.record(data.task_id)
    assert record is not None
    record.reason = ""
    rest(run, record, not_before=at + data.delay_ms if data.delay_ms else 0)


def worker_cancelled(run: Run, data: e.WorkerCancelled, at: int) -> None:
    record = run.record(data.task_id)
    assert record is not None
    attempt = record.attempt
    if attempt is not None and attempt.number == data.attempt:
        move_attempt(run, data.task_id, attempt, AttemptState.CANCELLED, at)
    run.integrating.pop(data.task_id, None)
    withdraw(run, data.task_id)
    record.reason = "cancelled by " + (data.by or "request")
    move_task(run, record, TaskState.CANCELLED)


def skipped(run: Run, data: e.WorkerSkipped, at: int) -> None:
    record = run.record(data.task_id)
    assert record is not None
    retire(run, record, at)
    run.integrating.pop(data.task_id, None)
    withdraw(run, data.task_id)
    record.reason = data.reason
    move_task(run, record, TaskState.SKIPPED, by=data.by)


def worker_paused(run: Run, data: e.WorkerPaused, at: int) -> None:
    _, attempt = find(run, data.task_id, data.attempt)
    move_attempt(run, data.task_id, attempt, AttemptState.PAUSED, at)
    run.overtaken.pop(data.task_id, None)
    _account(run, attempt, data.usage, data.tools)
    withdraw(run, data.task_id)


def worker_resumed(run: Run, data: e.WorkerResumed, at: int) -> None:
    _, attempt = find(run, data.task_id, data.attempt)
    move_attempt(run, data.task_id, attempt, AttemptState.SPAWNING, at)
    attempt.continued += bool(data.reason)


def limited(run: Run, data: e.WorkerLimited, at: int) -> None:
    _, attempt = find(run, data.task_id, data.attempt)
    move_attempt(run, data.task_id, attempt, AttemptState.LIMITED, at)
    attempt.limit = data.kind
    attempt.limit_ends_at = None if data.reset_ms is None else at + data.reset_ms


def held(run: Run, data: e.WorkerHeld, at: int) -> None:
    _, attempt = find(run, data.task_id, data.attempt)
    if attempt.state is AttemptState.SPAWNING:
        attempt.action = data.reason


def went_on(run: Run, data: e.WorkerWentOn, at: int) -> None:
    _, attempt = find(run, data.task_id, data.attempt)
    move_attempt(run, data.task_id, attempt, AttemptState.RUNNING, at)
    if data.after == "limit":
        limits.settle(run, data.task_id, data.attempt)


def stalled(run: Run, data: e.WorkerStalled, at: int) -> None:
    _, attempt = find(run, data.task_id, data.attempt)
    move_attempt(run, data.task_id, attempt, AttemptState.STALLED, at)
    attempt.quiet_since = at - data.quiet_ms


def time_up(run: Run, data: e.WorkerTimeUp, at: int) -> None:
    _, attempt = find(run, data.task_id, data.attempt)
    attempt.time_up = True


def used(run: Run, data: e.WorkerUsed, at: int) -> None:
    _, attempt = find(run, data.task_id, data.attempt)
    _account(run, attempt, data.usage, data.tools)


def now(state: AttemptState) -> Callable[[Run, Any, int], None]:
    def meaning(run: Run, data: e.WorkerEvent, at: int) -> None:
        _, attempt = find(run, data.task_id, data.attempt)
        move_attempt(run, data.task_id, attempt, state, at)

    return meaning
