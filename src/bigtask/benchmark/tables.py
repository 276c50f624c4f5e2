"""The figures as cells: the same for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bigtask.benchmark.goals import GOALS
from bigtask.benchmark.rounds import Row, Spread

HEAD = ("system", "variant", "a task", "its CPU", "memory", "over bound", "end to start", "note")
"""Per workload. A median, then the least and the most of all rounds. `over bound` is the time over what no
scheduler can beat; `end to start` is from a task's last dependency to the task."""

GOALS_HEAD = ("goal", "at most", "here", "")

_FIGURES = {
    "wall_us_per_task": " µs",
    "cpu_us_per_task": " µs",
    "peak_mb": " MB",
    "over_bound": "",
    "gap_p50_us": " µs",
}
"""With their units."""


@dataclass(frozen=True, kw_only=True)
class Table:
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def of_workloads(rows: Sequence[Row]) -> Sequence[Table]:
    """One for each workload, in the order of `rows`; what has no time a task is seen among the goals."""
    subjects: dict[str, list[Row]] = {}
    for row in rows:
        if row.failed or row.errors or row.values("wall_us_per_task"):
            subjects.setdefault(row.subject, []).append(row)
    return [
        Table(title=_title(subject, found), head=HEAD, rows=[_cells(row) for row in found])
        for subject, found in subjects.items()
    ]


def _title(subject: str, rows: Sequence[Row]) -> str:
    printed = next((row.printed[0] for row in rows if row.printed), None)
    if printed is None or "tasks" not in printed:
        return subject
    return f"{subject}: {printed['tasks']:,} tasks, {printed['slots']} slots"


def _cells(row: Row) -> Sequence[str]:
    note = row.failed or ("wrong: " + "; ".join(dict.fromkeys(row.errors)) if row.errors else "")
    return (
        row.runner.system,
        row.runner.variant,
        *(_spread(row.spread(figure), unit) for figure, unit in _FIGURES.items()),
        note,
    )


def of_goals(rows: Sequence[Row]) -> Table:
    """Only those that were measured."""
    cells = []
    for goal in GOALS:
        measured = goal.measured(rows)
        if measured is not None:
            here = f"{_number(measured)} {goal.unit}"
            reached = "reached" if measured <= goal.most else "not yet"
            cells.append((goal.what, f"{goal.most:g} {goal.unit}", here, reached))
    return Table(title="Goals", head=GOALS_HEAD, rows=cells)


def versions(rows: Sequence[Row]) -> Mapping[str, str]:
    """Of the peers that were measured."""
    return {row.runner.system: row.version for row in rows if row.version and not row.runner.ours}


def _spread(spread: Spread | None, unit: str) -> str:
    if spread is None:
        return "–"
    median = f"{_number(spread.median)}{unit}"
    if spread.low == spread.high:
        return median
    return f"{median} ({_number(spread.low)}–{_number(spread.high)})"


def _number(value: float) -> str:
    """Ratios near 1 are told apart, and large figures have no digits that say nothing."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.4g}"
