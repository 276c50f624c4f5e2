"""Work that git can't merge with what came first: an agent resolves it, or a person says what becomes of it.

    conflict ──┬─ onConflict resolve ─> the next attempt resolves it ──┬─> merged like any other work
               │                                  ^                    └─ comes to nothing ─┐
               └─ onConflict ask ─> a person: ────┘ resolve                                 │
                       ^              done, ours, theirs ─> merged                          │
                       │              retry, skip                                           │
                       └────────────────────────────────────────────────────────────────────┘

`first` and `last` never come here: the host settles those while it merges.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bigtask.core import events as e
from bigtask.core.run import Run, TaskRecord
from bigtask.core.states import WaitingKind
from bigtask.core.values import InConflict, Usage, Waiting

RESOLVE, DONE, OURS, THEIRS = "resolve", "done", "ours", "theirs"
SETTLES = (DONE, OURS, THEIRS)
"""Answers by which a person settles it."""
OPTIONS = (RESOLVE, DONE, OURS, THEIRS, "retry", "skip")
_WAYS = (
    "let an agent resolve it, resolve it yourself in its workspace (and then: done), keep these files as "
    "ours (what is merged by now) or theirs (the task's), retry it on what is merged by now, or skip it?"
)
_NAMED = 3


def met(
    run: Run,
    record: TaskRecord,
    attempt: int,
    conflicts: tuple[InConflict, ...],
    *,
    others: tuple[str, ...],
    places: Mapping[str, str],
) -> tuple[e.Happened, ...]:
    """`others` are the tasks whose work came first; `places` says where a person finds what they need."""
    files = tuple(conflict.path for conflict in conflicts)
    id = record.task.id
    told = e.WorkerConflict(
        task_id=id, attempt=attempt, files=files, conflicts=conflicts, others=others, places=places
    )
    if run.settings.on_conflict == RESOLVE and not record.attempts[attempt - 1].settling:
        return (told, e.WorkerResolving(task_id=id, attempt=attempt))
    by = f" (of {', '.join(others)})" if others else ""
    why = f"{id} conflicts with what is merged by now{by} in {_listed(conflicts)}"
    return (told, *_asked(run, id, attempt, why, conflicts, places))


def again(
    run: Run,
    record: TaskRecord,
    attempt: int,
    reason: str,
    usage: Usage = Usage(),  # noqa: B008 - frozen
    tools: Mapping[str, int] | None = None,
) -> tuple[e.Happened, ...]:
    """What should have resolved it came to nothing: a person is asked."""
    why = f"the conflict of {record.task.id} in {_listed(record.conflicts)} isn't resolved ({reason})"
    return _asked(run, record.task.id, attempt, why, record.conflicts, record.places, usage, tools)


def answered(record: TaskRecord, answer: str, by: str) -> tuple[e.Happened, ...]:
    """For `resolve` and the answers of `SETTLES`."""
    assert record.attempt is not None
    who: dict[str, Any] = {"task_id": record.task.id, "attempt": record.attempt.number, "by": by}
    return (e.WorkerResolving(**who) if answer == RESOLVE else e.WorkerSettling(**who, how=answer),)


def _asked(
    run: Run,
    id: str,
    attempt: int,
    why: str,
    conflicts: tuple[InConflict, ...],
    places: Mapping[str, str],
    usage: Usage = Usage(),  # noqa: B008 - frozen
    tools: Mapping[str, int] | None = None,
) -> tuple[e.Happened, ...]:
    waiting = Waiting(
        id=f"w{run.asked + 1}",
        kind=WaitingKind.CONFLICT,
        question=f"{why}: {_WAYS}",
        options=OPTIONS,
        details={
            "files": tuple(conflict.path for conflict in conflicts),
            "conflicts": tuple({"path": conflict.path, "what": conflict.what} for conflict in conflicts),
            **places,
        },
        task_id=id,
        attempt=attempt,
    )
    end = e.WorkerNeedsReview(task_id=id, attempt=attempt, reason=why, usage=usage, tools=tools or {})
    return (end, e.WaitingRaised(waiting=waiting))


def _listed(conflicts: tuple[InConflict, ...]) -> str:
    shown = [f"{one.path} ({one.what})" if one.what else one.path for one in conflicts[:_NAMED]]
    more = [f"{len(conflicts) - _NAMED} more files"] if len(conflicts) > _NAMED else []
    return ", ".join(shown + more)
