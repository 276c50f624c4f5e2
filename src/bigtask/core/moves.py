"""How a task or an attempt goes from one state to the next, with everything that hangs on it."""

from __future__ import annotations

from bigtask.core.run import Attempt, Run, TaskRecord
from bigtask.core.states import (
    ATTEMPT_MOVES,
    BUILT_ON,
    LIVE,
    NOT_BEGUN,
    RESTING,
    TASK_MOVES,
    AttemptState,
    IllegalMove,
    TaskState,
    require_move,
)
from bigtask.core.values import RESERVED


def move_task(run: Run, record: TaskRecord, state: TaskState, *, by: str = "") -> None:
    """Keeps everything that hangs on a task's state: counters, the queue, and who waits for it."""
    before = record.state
    id = record.task.id
    require_move(TASK_MOVES, before, state)
    if id in RESERVED:
        record.state, record.by = state, by
        return
    run.counts[before] -= 1
    run.counts[state] += 1
    if before is TaskState.READY:
        run.queue.discard(id)
    if before not in BUILT_ON and state not in BUILT_ON:
        record.state, record.by = state, by
        return
    was_met, was_half_done = record.met, record.half_done
    record.state, record.by = state, by
    waiting = run.dependents.get(id)
    if waiting:
        missing, half_met = was_met - record.met, record.half_done - was_half_done
        _tell_dependents(run, waiting, missing=missing, half_met=half_met)


def _tell_dependents(run: Run, ids: list[str], *, missing: int, half_met: int) -> None:
    if not missing and not half_met:
        return
    for dependent in ids:
        other = run.tasks[dependent]
        other.missing += missing
        other.half_met += half_met
        if other.state in NOT_BEGUN:
            rest(run, other)


def rest(run: Run, record: TaskRecord, *, not_before: int = 0) -> None:
    """The task waits: to be started, or for what it depends on."""
    if not record.missing:
        state = TaskState.READY
    elif record.half_met:
        state = TaskState.BLOCKED
    else:
        state = TaskState.PENDING
    if state is record.state:
        return
    move_task(run, record, state)
    if record.task.id in RESERVED:
        record.not_before = not_before
    elif state is TaskState.READY:
        run.queue.push(record.task.id, run.rank[record.task.id], not_before=not_before)


def move_attempt(run: Run, id: str, attempt: Attempt, state: AttemptState, at: int) -> None:
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
    # Also what writes in the same place looks again when work is reported, and stands back once more.
    run.queue.release(id)
    if state is not AttemptState.PAUSED:
        attempt.ended_at = at


def find(run: Run, id: str, number: int) -> tuple[TaskRecord, Attempt]:
    record = run.record(id)
    if record is None or not 1 <= number <= len(record.attempts):
        raise IllegalMove(f"there is no attempt {number} at {id}")
    return record, record.attempts[number - 1]


def retire(run: Run, record: TaskRecord, at: int) -> None:
    """An attempt that only rested is replaced by the next one."""
    attempt = record.attempt
    if attempt is not None and attempt.state in RESTING:
        move_attempt(run, record.task.id, attempt, AttemptState.SUPERSEDED, at)


def withdraw(run: Run, id: str) -> None:
    """What the task's ended attempt was waiting for needs no answer any more."""
    if not run.waiting:
        return
    for waiting in [w for w in run.waiting.values() if w.task_id == id]:
        del run.waiting[waiting.id]
