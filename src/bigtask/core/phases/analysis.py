"""Analysis: `@analysis` explores the project and says what there is and into how many parts it falls."""

from __future__ import annotations

from bigtask.core.events import AnalysisComplete, Happened
from bigtask.core.phases import reserved
from bigtask.core.run import Run
from bigtask.core.states import Phase
from bigtask.core.values import ANALYSIS, Report


def proceed(run: Run, now: int) -> tuple[Happened, ...] | None:
    if run.analysis is not None or not run.settings.phase(Phase.ANALYSIS).enabled:
        return None
    return reserved.proceed(run, ANALYSIS, now)


def read(run: Run, report: Report) -> tuple[Happened, ...]:
    return (AnalysisComplete(analysis=report.data),)
