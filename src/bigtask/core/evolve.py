"""`evolve`: what each event means. The only place that changes a `Run`.

It owns the state and changes it in place, so folding a long log costs no copies. It decides nothing: an
event that isn't legal here is a bug and raises `IllegalMove`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bigtask.core import edits as plan_edits
from bigtask.core import estimate
from bigtask.core import events as e
from bigtask.core import plan as plans
from bigtask.core.queue import ReadyQueue
from bigtask.core.run import Attempt, Grant, Run, TaskRecord
from bigtask.core.states import (
    ATTEMPT_MOVES,
    ENDED,
    LIVE,
    NOT_BEGUN,
    RESTING,
    TASK_MOVES,
    AttemptState,
    IllegalMove,
    Outcome,
    TaskState,
    WaitingKind,
    require_move,
)
from bigtask.core.values import AGGREGATION, RESERVED, VERIFICATION, Plan, Task, Usage


def begin(run_id: str, event: e.Event) -> Run:
    """The state after the first event of a log, which is `Created`."""
    if not isinstance(event.data, e.Created):
        raise IllegalMove(f"a run begins with {e.Created.type}, not with {event.type}")
    return Run(id=run_id, created=event.data, created_at=event.at, seq=event.seq, updated_at=event.at)


def fold(run_id: str, events: Iterable[e.Event]) -> Run:
    """Raises IllegalMove for an empty log."""
    iterator = iter(events)
    first = next(iterator, None)
    if first is None:
        raise IllegalMove("an empty log is no run")
    run = begin(run_id, first)
    for event in iterator:
        evolve(run, event)
    return run


def evolve(run: Run, event: e.Event) -> None:
    if event.seq != run.seq + 1:
        raise IllegalMove(f"event {event.seq} can't follow event {run.seq}")
    _MEANING[type(event.data)](run, event.data, event.at)
    run.seq = event.seq
    run.updated_at = event.at


def _move_task(run: Run, record: TaskRecord, state: TaskState, *, by: str = "") -> None:
    """Keeps everything that hangs on a task's state: counters, the queue, and who waits for it."""
    before = record.state
    was_met, was_half_done = record.met, record.half_done
    require_move(TASK_MOVES, before, state)
    record.state, record.by = state, by
    id = record.task.id
    if id in RESERVED:
        return
    run.counts[before] -= 1
    run.counts[state] += 1
    if before is TaskState.READY:
        run.queue.discard(id)
    missing = was_met - record.met
    half_met = record.half_done - was_half_done
    if missing or half_met:
        for dependent in run.dependents.get(id, ()):
            other = run.tasks[dependent]
            other.missing += missing
            other.half_met += half_met
            if other.state in NOT_BEGUN:
                _rest(run, other)


def _rest(run: Run, record: TaskRecord, *, not_before: int = 0) -> None:
    """The task waits: to be started, or for what it depends on."""
    if not record.missing:
        state = TaskState.READY
    elif record.half_met:
        state = TaskState.BLOCKED
    else:
        state = TaskState.PENDING
    if state is record.state:
        return
    _move_task(run, record, state)
    if record.task.id in RESERVED:
        record.not_before = not_before
    elif state is TaskState.READY:
        run.queue.push(record.task.id, run.rank[record.task.id], not_before=not_before)


def _move_attempt(run: Run, id: str, attempt: Attempt, state: AttemptState, at: int) -> None:
    require_move(ATTEMPT_MOVES, attempt.state, state)
    attempt.state = state
    if state in LIVE:
        run.live[id] = attempt.number
        return
    if run.live.get(id) == attempt.number:
        del run.live[id]
    if state in (AttemptState.LOST, AttemptState.PAUSED):
        for given in run.grants.values():
            if id in given and given[id].attempt == attempt.number:
                given[id].unheard = True
    if state is not AttemptState.REPORTED:
        run.queue.release(id)
    if state is not AttemptState.PAUSED:
        attempt.ended_at = at


def _find(run: Run, id: str, number: int) -> tuple[TaskRecord, Attempt]:
    record = run.record(id)
    if record is None or not 1 <= number <= len(record.attempts):
        raise IllegalMove(f"there is no attempt {number} at {id}")
    return record, record.attempts[number - 1]


# The run


def _started(run: Run, data: e.Started, at: int) -> None:
    run.started = True


def _phase_changed(run: Run, data: e.PhaseChanged, at: int) -> None:
    run.phase = data.phase
    run.fix_round = data.round


def _analysis_complete(run: Run, data: e.AnalysisComplete, at: int) -> None:
    run.analysis = data.analysis


def _tasks_ready(run: Run, data: e.TasksReady, at: int) -> None:
    _set_plan(run, data.plan)
    run.warnings = data.warnings
    run.estimate = data.estimate


def _plan_changed(run: Run, data: e.PlanChanged, at: int) -> None:
    assert run.plan is not None
    plan = plan_edits.apply(run.plan, data.edits)
    for edit in data.edits:
        if isinstance(edit, plan_edits.AddTask | plan_edits.MergeTasks):
            # A new task, even where one of that id was skipped or cancelled before.
            run.tasks.pop(edit.task.id, None)
    _set_plan(run, plan)
    run.warnings = plans.warnings(plan)
    run.estimate = estimate.of(plan, run.settings)


def _set_plan(run: Run, plan: Plan) -> None:
    paths = plans.remaining_paths(plan.tasks)
    old = run.tasks
    run.plan = plan
    run.tasks = {task.id: _record(old.get(task.id), task) for task in plan.tasks}
    run.dependents = plans.dependents_of(plan.tasks)
    run.rank = {t.id: (t.priority, -paths[t.id], place) for place, t in enumerate(plan.tasks)}
    run.areas = {task.id: where for task in plan.tasks if (where := plans.areas(task))}
    run.queue = ReadyQueue()
    run.counts = dict.fromkeys(TaskState, 0)
    for record in run.tasks.values():
        others = [run.tasks[id] for id in record.task.dependencies]
        record.missing = sum(not other.met for other in others)
        record.half_met = sum(other.half_done for other in others)
        if record.state in NOT_BEGUN:
            record.state = TaskState.PENDING
        run.counts[record.state] += 1
    for record in run.tasks.values():
        if record.state is TaskState.PENDING:
            _rest(run, record)


def _record(old: TaskRecord | None, task: Task) -> TaskRecord:
    if old is None:
        return TaskRecord(task)
    old.task = task
    return old


def _confirmed(run: Run, data: e.Confirmed, at: int) -> None:
    run.confirmed = True
    for waiting in [w for w in run.waiting.values() if w.kind is WaitingKind.PLAN]:
        del run.waiting[waiting.id]


def _nothing(run: Run, data: e.Happened, at: int) -> None:
    """For watchers only."""


def _waiting_raised(run: Run, data: e.WaitingRaised, at: int) -> None:
    run.asked += 1
    run.waiting[data.waiting.id] = data.waiting


def _answered(run: Run, data: e.Answered, at: int) -> None:
    waiting = run.waiting.pop(data.waiting_id)
    if "subject" in waiting.details:
        run.answers[waiting.details["subject"]] = data.answer
    if waiting.kind is WaitingKind.PERMISSION:
        whose = "" if data.scope == "run" else waiting.task_id or ""
        grant = Grant(data.answer, data.scope, data.by, waiting.attempt)
        run.grants.setdefault(waiting.question, {})[whose] = grant
    if waiting.task_id is None or any(w.task_id == waiting.task_id for w in run.waiting.values()):
        return
    attempt = run.live_attempt(waiting.task_id)
    if attempt is not None and attempt.state is AttemptState.WAITING:
        _move_attempt(run, waiting.task_id, attempt, AttemptState.RUNNING, at)


def _pausing(run: Run, data: e.Pausing, at: int) -> None:
    run.pausing = True
    run.pausing_now = run.pausing_now or data.now


def _paused(run: Run, data: e.Paused, at: int) -> None:
    run.paused, run.pausing, run.pausing_now = True, False, False


def _resumed(run: Run, data: e.Resumed, at: int) -> None:
    if run.pausing:
        run.overtaken = dict(run.live)
    run.paused, run.pausing, run.pausing_now = False, False, False


def _recovered(run: Run, data: e.Recovered, at: int) -> None:
    # The clock of the new holder may be another one: nothing is held back by times of the old.
    run.queue.release_all()
    for record in run.reserved.values():
        record.not_before = 0


def _merged(run: Run, data: e.Merged, at: int) -> None:
    run.merged = None if data.undone else data.commit or "applied"


def _completed(run: Run, data: e.Completed, at: int) -> None:
    _finish(run, data.outcome, data.reason)


def _errored(run: Run, data: e.Errored, at: int) -> None:
    _finish(run, Outcome.FAILED, data.reason)


def _cancelled(run: Run, data: e.Cancelled, at: int) -> None:
    _finish(run, Outcome.CANCELLED, "cancelled by " + (data.by or "request"))


def _finish(run: Run, outcome: Outcome, reason: str) -> None:
    run.outcome, run.reason = outcome, reason
    run.paused, run.pausing, run.pausing_now = False, False, False
    run.waiting.clear()


# Tasks and their attempts


def _spawned(run: Run, data: e.WorkerSpawned, at: int) -> None:
    id = data.task_id
    if id in RESERVED and id not in run.reserved:
        run.reserved[id] = TaskRecord(Task(id=id, title=RESERVED[id]), state=TaskState.READY)
    record = run.record(id)
    if record is None or data.attempt != len(record.attempts) + 1:
        raise IllegalMove(f"attempt {data.attempt} at {id} can't be the next one")
    _retire(run, record, at)
    _move_task(run, record, TaskState.RUNNING)
    record.not_before = 0
    record.attempts.append(
        Attempt(number=data.attempt, agent=data.agent, session_name=data.session_name, started_at=at)
    )
    run.live[id] = data.attempt


def _retire(run: Run, record: TaskRecord, at: int) -> None:
    """An attempt that only rested is replaced by the next one."""
    attempt = record.attempt
    if attempt is not None and attempt.state in RESTING:
        _move_attempt(run, record.task.id, attempt, AttemptState.SUPERSEDED, at)


def _worker_started(run: Run, data: e.WorkerStarted, at: int) -> None:
    _, attempt = _find(run, data.task_id, data.attempt)
    _move_attempt(run, data.task_id, attempt, AttemptState.RUNNING, at)
    attempt.session_id = data.session_id
    attempt.branch = data.branch


def _worker_progress(run: Run, data: e.WorkerProgress, at: int) -> None:
    _, attempt = _find(run, data.task_id, data.attempt)
    attempt.percent, attempt.action = data.percent, data.action
    if attempt.state in (AttemptState.LIMITED, AttemptState.STALLED):
        _move_attempt(run, data.task_id, attempt, AttemptState.RUNNING, at)


def _reported(run: Run, data: e.WorkerReported, at: int) -> None:
    record, attempt = _find(run, data.task_id, data.attempt)
    _move_attempt(run, data.task_id, attempt, AttemptState.REPORTED, at)
    attempt.report = data.report
    _account(run, attempt, data.usage, data.tools)
    _move_task(run, record, TaskState.INTEGRATING)
    run.integrating[data.task_id] = data.attempt


def _account(run: Run, attempt: Attempt, usage: Usage, tools: Mapping[str, int]) -> None:
    """A later figure replaces an earlier one; an event that brings none leaves it."""
    if usage != Usage():
        run.used = run.used + (usage - attempt.usage)
        attempt.usage = usage
    attempt.tools = tools or attempt.tools


def _reasked(run: Run, data: e.WorkerReasked, at: int) -> None:
    _, attempt = _find(run, data.task_id, data.attempt)
    attempt.reasked = data.number


def _checked(run: Run, data: e.WorkerChecked, at: int) -> None:
    _, attempt = _find(run, data.task_id, data.attempt)
    attempt.checks = data.results


def _worker_merged(run: Run, data: e.WorkerMerged, at: int) -> None:
    _, attempt = _find(run, data.task_id, data.attempt)
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
    record, attempt = _find(run, data.task_id, data.attempt)
    _move_attempt(run, data.task_id, attempt, attempt_state, at)
    run.integrating.pop(data.task_id, None)
    _withdraw(run, data.task_id)
    if task_state is not None:
        _move_task(run, record, task_state, by=by)
    return record, attempt


def _withdraw(run: Run, id: str) -> None:
    """What the task's ended attempt was waiting for needs no answer any more."""
    for waiting in [w for w in run.waiting.values() if w.task_id == id]:
        del run.waiting[waiting.id]


def _worker_completed(run: Run, data: e.WorkerCompleted, at: int) -> None:
    _end(run, data, at, AttemptState.COMPLETED, TaskState.COMPLETED)


def _worker_partial(run: Run, data: e.WorkerPartial, at: int) -> None:
    record, _ = _end(run, data, at, AttemptState.PARTIAL, TaskState.PARTIAL, by=data.by)
    record.reason = data.reason


def _ended(
    attempt_state: AttemptState, task_state: TaskState | None, *, uses_up_a_retry: bool
) -> Callable[[Run, Any, int], None]:
    def meaning(run: Run, data: e.AttemptEnded, at: int) -> None:
        record, attempt = _end(run, data, at, attempt_state, task_state)
        attempt.reason = record.reason = data.reason
        record.failures += uses_up_a_retry
        _account(run, attempt, data.usage, data.tools)

    return meaning


def _needs_review(run: Run, data: e.WorkerNeedsReview, at: int) -> None:
    _ended(AttemptState.NEEDS_REVIEW, None, uses_up_a_retry=False)(run, data, at)
    record, _ = _find(run, data.task_id, data.attempt)
    if record.state is TaskState.INTEGRATING:
        _move_task(run, record, TaskState.RUNNING)


def _lost(run: Run, data: e.WorkerLost, at: int) -> None:
    record, attempt = _end(run, data, at, AttemptState.LOST, None)
    attempt.reason = data.reason
    _account(run, attempt, data.usage, data.tools)
    _rest(run, record)


def _superseded(run: Run, data: e.WorkerSuperseded, at: int) -> None:
    _, attempt = _find(run, data.task_id, data.attempt)
    _move_attempt(run, data.task_id, attempt, AttemptState.SUPERSEDED, at)


def _conflict(run: Run, data: e.WorkerConflict, at: int) -> None:
    _, attempt = _find(run, data.task_id, data.attempt)
    attempt.reason = "conflicts in " + ", ".join(data.files)


def _reopened(run: Run, data: e.WorkerReopened, at: int) -> None:
    record = run.record(data.task_id)
    assert record is not None
    _retire(run, record, at)
    _withdraw(run, data.task_id)
    record.failures, record.reason = 0, ""
    _rest(run, record)
    run.outcome, run.reason = None, ""
    for id in (AGGREGATION, VERIFICATION):
        after = run.reserved.get(id)
        if after is not None and after.state in ENDED and id != data.task_id:
            _retire(run, after, at)
            after.failures = 0
            _rest(run, after)


def _retrying(run: Run, data: e.WorkerRetrying, at: int) -> None:
    record = run.record(data.task_id)
    assert record is not None
    record.reason = ""
    _rest(run, record, not_before=at + data.delay_ms if data.delay_ms else 0)


def _worker_cancelled(run: Run, data: e.WorkerCancelled, at: int) -> None:
    record = run.record(data.task_id)
    assert record is not None
    attempt = record.attempt
    if attempt is not None and attempt.number == data.attempt:
        _move_attempt(run, data.task_id, attempt, AttemptState.CANCELLED, at)
    run.integrating.pop(data.task_id, None)
    _withdraw(run, data.task_id)
    record.reason = "cancelled by " + (data.by or "request")
    _move_task(run, record, TaskState.CANCELLED)


def _skipped(run: Run, data: e.WorkerSkipped, at: int) -> None:
    record = run.tasks[data.task_id]
    _retire(run, record, at)
    run.integrating.pop(data.task_id, None)
    _withdraw(run, data.task_id)
    record.reason = data.reason
    _move_task(run, record, TaskState.SKIPPED, by=data.by)


def _worker_paused(run: Run, data: e.WorkerPaused, at: int) -> None:
    _, attempt = _find(run, data.task_id, data.attempt)
    _move_attempt(run, data.task_id, attempt, AttemptState.PAUSED, at)
    run.overtaken.pop(data.task_id, None)
    _account(run, attempt, data.usage, data.tools)
    _withdraw(run, data.task_id)


def _worker_resumed(run: Run, data: e.WorkerResumed, at: int) -> None:
    _, attempt = _find(run, data.task_id, data.attempt)
    _move_attempt(run, data.task_id, attempt, AttemptState.SPAWNING, at)


def _now(state: AttemptState) -> Callable[[Run, Any, int], None]:
    def meaning(run: Run, data: e.WorkerEvent, at: int) -> None:
        _, attempt = _find(run, data.task_id, data.attempt)
        _move_attempt(run, data.task_id, attempt, state, at)

    return meaning


_MEANING: dict[type[e.Happened], Callable[[Run, Any, int], None]] = {
    e.Started: _started,
    e.PhaseChanged: _phase_changed,
    e.AnalysisComplete: _analysis_complete,
    e.TasksReady: _tasks_ready,
    e.PlanChanged: _plan_changed,
    e.Confirmed: _confirmed,
    e.Progress: _nothing,
    e.WaitingRaised: _waiting_raised,
    e.Answered: _answered,
    e.Pausing: _pausing,
    e.Paused: _paused,
    e.Resumed: _resumed,
    e.Recovered: _recovered,
    e.Merged: _merged,
    e.Completed: _completed,
    e.Errored: _errored,
    e.Cancelled: _cancelled,
    e.WorkerSpawned: _spawned,
    e.WorkerStarted: _worker_started,
    e.WorkerProgress: _worker_progress,
    e.WorkerMessage: _nothing,
    e.WorkerReported: _reported,
    e.WorkerReasked: _reasked,
    e.WorkerChecked: _checked,
    e.WorkerConflict: _conflict,
    e.WorkerMerged: _worker_merged,
    e.WorkerCompleted: _worker_completed,
    e.WorkerPartial: _worker_partial,
    e.WorkerFailed: _ended(AttemptState.FAILED, TaskState.FAILED, uses_up_a_retry=True),
    e.WorkerTimeout: _ended(AttemptState.TIMEOUT, TaskState.TIMEOUT, uses_up_a_retry=True),
    e.WorkerCrashed: _ended(AttemptState.CRASHED, TaskState.FAILED, uses_up_a_retry=True),
    e.WorkerLost: _lost,
    e.WorkerSuperseded: _superseded,
    e.WorkerNeedsReview: _needs_review,
    e.WorkerReopened: _reopened,
    e.WorkerRetrying: _retrying,
    e.WorkerCancelled: _worker_cancelled,
    e.WorkerSkipped: _skipped,
    e.WorkerPaused: _worker_paused,
    e.WorkerResumed: _worker_resumed,
    e.WorkerWaiting: _now(AttemptState.WAITING),
    e.WorkerLimited: _now(AttemptState.LIMITED),
    e.WorkerStalled: _now(AttemptState.STALLED),
}
