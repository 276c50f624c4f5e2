"""Aggregation: `@aggregation` reviews the merged whole and writes the result."""

from __future__ import annotations

from bigtask.core.events import Happened
from bigtask.core.phases import reserved
from bigtask.core.run import Run
from bigtask.core.states import Phase, TaskState
from bigtask.core.values import AGGREGATION, Report


def proceed(run: Run, now: int) -> tuple[Happened, ...] | None:
    if not run.settings.phase(Phase.AGGREGATION).enabled or not anything_merged(run):
        return None
    return reserved.proceed(run, AGGREGATION, now)


def anything_merged(run: Run) -> bool:
    return bool(run.counts[TaskState.COMPLETED] + run.counts[TaskState.PARTIAL])


def read(run: Run, report: Report) -> tuple[Happened, ...]:
    """The answer is the result itself; the run keeps it with the attempt."""
    return ()
