"""What stands between a run and a simply green one."""

from __future__ import annotations

from collections.abc import Iterator

from bigtask.core import ledger
from bigtask.core.hooks import troubles
from bigtask.core.run import Run
from bigtask.core.states import ENDED, Outcome, TaskState


def missed(run: Run) -> list[str]:
    """What keeps the run from being complete, as sentences; empty where nothing does."""
    found: list[str] = []
    if run.outcome not in (None, Outcome.COMPLETE) and run.reason:
        found.append(f"the run is {run.outcome}: {run.reason}")
    for record in run.all_records():
        id = record.task.id
        if record.state in ENDED and record.state is not TaskState.COMPLETED:
            found.append(f"{id} is {record.state}" + (f": {record.reason}" if record.reason else ""))
        found += [f"{id}: {remark}" for remark in ledger.all_remarks(run, record)]
    found += troubles(run)
    return [*found, *(text for severity, text in _issues(run) if severity != "info")]


def _issues(run: Run) -> Iterator[tuple[str, str]]:
    """Severity and sentence of everything that verification noted."""
    if run.verdict is None:
        return
    for issue in run.verdict.data.get("issues", ()):
        where = f" ({issue['location']})" if issue.get("location") else ""
        severity = str(issue.get("severity", "error"))
        yield severity, f"verification: {severity}: {issue.get('description', '')}{where}"
