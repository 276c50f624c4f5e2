"""The way of a run, from top to bottom.

    created ─ start ─> analysis ─> planning ─> confirmation ─> workers ─> aggregation ─> verification ─> end
                                                     ^                                        │
                                                     └───────────── repair round ─────────────┘

`decide` says what the rules demand next, as events to record. The host records them, folds them in, and
asks again until the answer is empty: then the run waits for the world (an attempt, a person, a time).
"""

from __future__ import annotations

from bigtask.core.events import Happened, Paused
from bigtask.core.phases import aggregation, analysis, ending, execution, intake, planning, verification
from bigtask.core.run import Run

WAY = (
    intake.proceed,
    analysis.proceed,
    planning.proceed,
    planning.confirm,
    execution.proceed,
    aggregation.proceed,
    verification.proceed,
    ending.proceed,
)


def decide(run: Run, now: int) -> tuple[Happened, ...]:
    """`now` is in milliseconds since the epoch and only compared with `at` of recorded events."""
    if not run.started or run.outcome is not None or run.paused:
        return ()
    if run.pausing:
        return () if run.live or run.integrating else (Paused(),)
    for step in WAY:
        events = step(run, now)
        if events is not None:
            return events
    return ()


def wakes_at(run: Run) -> int | None:
    """When asking again makes sense although nothing has happened: the next retry is due, and may start."""
    if run.outcome is not None or run.paused or run.pausing or len(run.live) >= run.settings.slots:
        return None
    due = [r.not_before for r in run.reserved.values() if r.not_before]
    queued = run.queue.next_due()
    return min((*due, queued) if queued is not None else due, default=None)
