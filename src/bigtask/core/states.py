"""Every state there is, and the one table that says which move is allowed."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar


class Phase(StrEnum):
    ANALYSIS = "analysis"
    TASK_PLANNING = "taskPlanning"
    WORKER_EXECUTION = "workerExecution"
    AGGREGATION = "aggregation"
    VERIFICATION = "verification"


class Outcome(StrEnum):
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Status(StrEnum):
    """What the API shows in one word; derived from the run, never stored."""

    CREATED = "created"
    ANALYZING = "analyzing"
    PLANNING = "planning"
    CONFIRMING = "confirming"
    SPAWNING = "spawning"
    RUNNING = "running"
    AGGREGATING = "aggregating"
    VERIFYING = "verifying"
    COMPLETED = "completed"
    ERROR = "error"
    CANCELLED = "cancelled"
    PAUSED = "paused"


class TaskState(StrEnum):
    PENDING = "pending"
    BLOCKED = "blocked"
    READY = "ready"
    RUNNING = "running"
    INTEGRATING = "integrating"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


class AttemptState(StrEnum):
    SPAWNING = "spawning"
    RUNNING = "running"
    WAITING = "waiting"
    LIMITED = "limited"
    STALLED = "stalled"
    PAUSED = "paused"
    REPORTED = "reported"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    LOST = "lost"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    QUARANTINED = "quarantined"
    NEEDS_REVIEW = "needs_review"


class WaitingKind(StrEnum):
    PLAN = "plan"
    PERMISSION = "permission"
    QUESTION = "question"
    CONFLICT = "conflict"
    BUDGET = "budget"
    ANSWER = "answer"
    TRUST = "trust"
    LIMIT = "limit"


ENDED = frozenset(
    {
        TaskState.COMPLETED,
        TaskState.PARTIAL,
        TaskState.FAILED,
        TaskState.TIMEOUT,
        TaskState.CANCELLED,
        TaskState.SKIPPED,
    }
)
"""A task in one of these has nothing more to do unless somebody reopens it."""

FELL = frozenset({TaskState.FAILED, TaskState.TIMEOUT, TaskState.CANCELLED})
"""A task that ended like this takes those that depend on it with it."""

BUILT_ON = frozenset({TaskState.COMPLETED, TaskState.PARTIAL, TaskState.SKIPPED})
"""Others may come to build on a task in one of these."""

LIVE = frozenset(
    {
        AttemptState.SPAWNING,
        AttemptState.RUNNING,
        AttemptState.WAITING,
        AttemptState.LIMITED,
        AttemptState.STALLED,
    }
)
"""An attempt in one of these holds a slot and, somewhere, a session."""

RESTING = frozenset({AttemptState.PAUSED, AttemptState.NEEDS_REVIEW, AttemptState.QUARANTINED})
"""An attempt in one of these holds no slot, and its task isn't over: somebody has to say how it goes on."""

NOT_BEGUN = frozenset({TaskState.PENDING, TaskState.BLOCKED, TaskState.READY})
"""A task in one of these waits: for what it depends on, or to be started."""

_T = TaskState

TASK_MOVES: dict[TaskState, frozenset[TaskState]] = {
    _T.PENDING: frozenset({_T.READY, _T.BLOCKED, _T.CANCELLED, _T.SKIPPED}),
    _T.BLOCKED: frozenset({_T.READY, _T.PENDING, _T.CANCELLED, _T.SKIPPED}),
    _T.READY: frozenset({_T.RUNNING, _T.PENDING, _T.BLOCKED, _T.CANCELLED, _T.SKIPPED}),
    _T.RUNNING: frozenset({*NOT_BEGUN, _T.INTEGRATING, *ENDED}),
    _T.INTEGRATING: frozenset({*NOT_BEGUN, _T.RUNNING, *ENDED}),
    _T.COMPLETED: NOT_BEGUN,
    _T.PARTIAL: frozenset({*NOT_BEGUN, _T.PARTIAL}),
    _T.FAILED: frozenset({*NOT_BEGUN, _T.SKIPPED}),
    _T.TIMEOUT: frozenset({*NOT_BEGUN, _T.SKIPPED}),
    _T.CANCELLED: frozenset({*NOT_BEGUN, _T.SKIPPED}),
    _T.SKIPPED: NOT_BEGUN,
}

_A = AttemptState
_ATTEMPT_ENDS = {
    _A.FAILED,
    _A.TIMEOUT,
    _A.CRASHED,
    _A.LOST,
    _A.CANCELLED,
    _A.QUARANTINED,
    _A.NEEDS_REVIEW,
}
# Limits, questions, stalls and pauses of a live attempt come in any order and may come twice.
_FROM_LIVE = frozenset({*(LIVE - {_A.SPAWNING}), _A.PAUSED, _A.REPORTED, *_ATTEMPT_ENDS})

ATTEMPT_MOVES: dict[AttemptState, frozenset[AttemptState]] = {
    _A.SPAWNING: _FROM_LIVE,
    _A.RUNNING: _FROM_LIVE,
    _A.WAITING: _FROM_LIVE,
    _A.LIMITED: _FROM_LIVE,
    _A.STALLED: _FROM_LIVE,
    _A.PAUSED: frozenset({_A.SPAWNING, _A.SUPERSEDED, *_ATTEMPT_ENDS}),
    _A.REPORTED: frozenset({_A.COMPLETED, _A.PARTIAL, *_ATTEMPT_ENDS}),
    _A.COMPLETED: frozenset(),
    _A.PARTIAL: frozenset({_A.PARTIAL}),
    _A.NEEDS_REVIEW: frozenset({_A.REPORTED, _A.FAILED, _A.SUPERSEDED, _A.CANCELLED}),
    _A.QUARANTINED: frozenset({_A.REPORTED, _A.FAILED, _A.SUPERSEDED, _A.CANCELLED}),
    _A.FAILED: frozenset({_A.SUPERSEDED}),
    _A.TIMEOUT: frozenset({_A.SUPERSEDED}),
    _A.CRASHED: frozenset({_A.SUPERSEDED}),
    _A.LOST: frozenset({_A.SUPERSEDED}),
    _A.CANCELLED: frozenset({_A.SUPERSEDED}),
    _A.SUPERSEDED: frozenset(),
}


class IllegalMove(AssertionError):
    """A rule of bigtask itself asked for a move that the table doesn't have: a bug, never a user's fault."""


S = TypeVar("S", TaskState, AttemptState)


def require_move(table: dict[S, frozenset[S]], before: S, after: S) -> None:
    if after not in table[before]:
        raise IllegalMove(f"{type(before).__name__}: {before} -> {after}")
