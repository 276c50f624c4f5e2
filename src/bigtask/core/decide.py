"""The way of a run, from top to bottom.

    created ─ start ─> analysis ─> planning ─> confirmation ─> workers ─> aggregation ─> verification ─> end
                                                     ^                                        │
                                                     └───────────── repair round ─────────────┘

`decide` says what the rules demand next, as events to record. The host records them, folds them in, and
asks again until the answer is empty: then the run waits for the world (an attempt, a person, a time).
"""

from __future__ import annotations

from bigtask.core import unanswered
from bigtask.core.events import Happened, Paused
from bigtask.core.phases import (
    aggregation,
    analysis,
    budget,
    ending,
    execution,
    intake,
    planning,
    preparation,
    verification,
)
from bigtask.core.run import Run
from bigtask.core.states import Phase, TaskState
from bigtask.core.values import PLANNING, RESERVED

WAY = (
    intake.proceed,
    analysis.proceed,
    planning.proceed,
    planning.confirm,
    execution.proceed,
    aggregation.proceed,
    verification.proceed,
)
"""Each step gives what it wants next, or None when it is through; then comes the end."""


def decide(run: Run, now: int) -> tuple[Happened, ...]:
    """`now` is in milliseconds since the epoch and only compared with `at` of recorded events."""
    if not run.started or run.outcome is not None:
        return ()
    if run.paused:
        # The cap's question rests the run, and would otherwise never be answered by its policy.
        return unanswered.answered(run, now) if budget.asks(run) else ()
    if run.pausing:
        # What a hook says of a plan can be heard while the run is paused.
        merging = any(id != PLANNING for id in run.integrating)
        return () if run.live or merging else (Paused(),)
    noticed = budget.notice(run) or unanswered.answered(run, now)
    if noticed:
        return noticed
    for step in WAY:
        events = step(run, now)
        if events is not None:
            return preparation.allow(run, budget.allow(run, events))
    return ending.proceed(run)


def wakes_at(run: Run) -> int | None:
    """When asking again makes sense although nothing has happened: the next retry is due, and may start.

    A retry that is due but can't begin yet (paused, no slot, not its phase) wakes nobody: what frees it is
    an event, and waking for it would never end.
    """
    if run.outcome is not None or run.pausing or (run.paused and not budget.asks(run)):
        return None
    return min((at for at in (_retry_at(run), unanswered.wakes_at(run)) if at is not None), default=None)


def _retry_at(run: Run) -> int | None:
    if run.paused or budget.asks(run) or preparation.asks(run):
        return None
    if len(run.live) >= run.settings.slots:
        return None
    if run.phase is Phase.WORKER_EXECUTION:
        return run.queue.next_due()
    record = next((run.reserved[id] for id in run.reserved if RESERVED[id] is run.phase), None)
    return record.not_before or None if record is not None and record.state is TaskState.READY else None
