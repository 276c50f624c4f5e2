"""The one word of the public API for where a run stands, and what a person may do there."""

from __future__ import annotations

from bigtask.core.run import Run
from bigtask.core.states import Outcome, Phase, Status, WaitingKind

_BY_OUTCOME = {
    Outcome.COMPLETE: Status.COMPLETED,
    Outcome.INCOMPLETE: Status.COMPLETED,
    Outcome.FAILED: Status.ERROR,
    Outcome.CANCELLED: Status.CANCELLED,
}
_BY_PHASE = {
    Phase.ANALYSIS: Status.ANALYZING,
    Phase.TASK_PLANNING: Status.PLANNING,
    Phase.AGGREGATION: Status.AGGREGATING,
    Phase.VERIFICATION: Status.VERIFYING,
}


def status(run: Run) -> Status:
    if run.outcome is not None:
        return _BY_OUTCOME[run.outcome]
    if not run.started:
        return Status.CREATED
    if run.paused or run.pausing:
        return Status.PAUSED
    if any(waiting.kind is WaitingKind.PLAN for waiting in run.waiting.values()):
        return Status.CONFIRMING
    if run.phase is Phase.WORKER_EXECUTION:
        begun = any(record.attempts for record in run.tasks.values())
        return Status.RUNNING if begun else Status.SPAWNING
    return _BY_PHASE[run.phase] if run.phase is not None else Status.ANALYZING


_AT_WORK = frozenset({"pause", "cancel"})
_OVER = frozenset({"retry", "merge", "delete"})

ALLOWED: dict[Status, frozenset[str]] = {
    Status.CREATED: frozenset({"start", "cancel", "delete"}),
    Status.ANALYZING: _AT_WORK,
    Status.PLANNING: _AT_WORK,
    Status.CONFIRMING: _AT_WORK | {"confirm", "edit"},
    Status.SPAWNING: _AT_WORK | {"edit", "retry"},
    Status.RUNNING: _AT_WORK | {"edit", "retry"},
    Status.AGGREGATING: _AT_WORK | {"retry"},
    Status.VERIFYING: _AT_WORK | {"retry"},
    Status.PAUSED: frozenset({"resume", "cancel", "confirm", "edit", "retry", "pause"}),
    Status.COMPLETED: _OVER,
    Status.ERROR: _OVER,
    Status.CANCELLED: _OVER,
}
"""What a person may ask of a run, by status: buttons, errors and docs are made from this."""
