"""What bigtask has to reach, and whether it did. Times depend on the machine: nothing fails on them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bigtask.benchmark.rounds import Row
from bigtask.benchmark.runners import FAN, IDLE, PARSER, RECOVERY, STARTUP, WORKTREES

_WHOLE = "bigtask whole"
_FLOOR = "asyncio cp/none"
_DURABLE_FLOOR = "asyncio cp/group"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure of one runner on one subject."""

    subject: str
    name: str
    runner: str = _WHOLE

    def of(self, rows: Sequence[Row]) -> Sequence[float]:
        """A value for each round; empty where it wasn't measured."""
        for row in rows:
            if (row.subject, row.runner.name) == (self.subject, self.runner):
                return row.values(self.name)
        return ()


@dataclass(frozen=True, kw_only=True)
class Goal:
    """At most `most`, in `unit`; with `over`, as a ratio to that figure of the same round."""

    what: str
    figure: Figure
    most: float
    unit: str = "×"
    over: Figure | None = None

    def measured(self, rows: Sequence[Row]) -> float | None:
        """The median over the rounds; None where it wasn't measured."""
        values = self.figure.of(rows)
        if self.over is not None:
            # Round by round: what disturbs the machine for a while disturbs both sides of a ratio.
            values = [
                value / other for value, other in zip(values, self.over.of(rows), strict=False) if other
            ]
        return statistics.median(values) if values else None


def _beside_the_floor(subject: str, what: str) -> Goal:
    return Goal(
        what=f"{subject}, {what}: time over asyncio's with the longest path first",
        figure=Figure(subject=subject, name="wall_s"),
        over=Figure(subject=subject, name="wall_s", runner=_FLOOR),
        most=1.02,
    )


GOALS = (
    Goal(
        what="W1, 1,000 tasks at once: time a task, every change on the disk",
        figure=Figure(subject="W1", name="wall_us_per_task"),
        most=80,
        unit="µs",
    ),
    Goal(
        what="W2, a chain: end of a task to start of the next, over asyncio with the same syncs",
        figure=Figure(subject="W2", name="gap_p50_us"),
        over=Figure(subject="W2", name="gap_p50_us", runner=_DURABLE_FLOOR),
        most=1.6,
    ),
    _beside_the_floor("W3", "layers with a heavy tail"),
    Goal(
        what="W4, 10,000 tasks: time a task, every change on the disk",
        figure=Figure(subject="W4", name="wall_us_per_task"),
        most=100,
        unit="µs",
    ),
    Goal(
        what="W4, 10,000 tasks: peak memory",
        figure=Figure(subject="W4", name="peak_mb"),
        most=80,
        unit="MB",
    ),
    Goal(
        what="from 1,000 tasks (G1000) to 10,000 (W4): time a task",
        figure=Figure(subject="W4", name="wall_us_per_task"),
        over=Figure(subject="G1000", name="wall_us_per_task"),
        most=1.2,
    ),
    _beside_the_floor("W5", "stragglers"),
    _beside_the_floor("W6", "a long chain among short tasks"),
    Goal(
        what="import bigtask, over the bare interpreter",
        figure=Figure(subject=STARTUP, name="import_ms"),
        most=60,
        unit="ms",
    ),
    Goal(
        what="bigtask --help",
        figure=Figure(subject=STARTUP, name="help_ms"),
        most=250,
        unit="ms",
    ),
    Goal(
        what="a long transcript with valid blocks: time a MB, over Python's json on a MB of the blocks",
        figure=Figure(subject=PARSER, name="parse_ms_per_mb"),
        over=Figure(subject=PARSER, name="json_ms_per_mb"),
        most=2,
    ),
    Goal(
        what="the worst of the hostile texts of 256 KiB: time to refuse it",
        figure=Figure(subject=PARSER, name="hostile_worst_ms"),
        most=50,
        unit="ms",
    ),
    Goal(
        what="a server with ten paused runs that nobody asks for anything: of a core",
        figure=Figure(subject=IDLE, name="cpu_percent"),
        most=0.5,
        unit="%",
    ),
    Goal(
        what="the same server: memory",
        figure=Figure(subject=IDLE, name="rss_mb"),
        most=120,
        unit="MB",
    ),
    Goal(
        what="events to 200 watchers: CPU a delivery, over plain Starlette's",
        figure=Figure(subject=FAN, name="cpu_us_per_delivery"),
        over=Figure(subject=FAN, name="cpu_us_per_delivery", runner="starlette plain"),
        most=1.0,
    ),
    *(
        Goal(
            what=f"a worktree in a repository of 5,000 files, {what}: time over git's own",
            figure=Figure(subject=WORKTREES, name=f"{name}_ms"),
            over=Figure(subject=WORKTREES, name=f"git_{name}_ms"),
            most=1.2,
        )
        for what, name in (("made", "add"), ("made and given up", "whole"))
    ),
    *(
        Goal(
            what=f"half of 10,000 tasks done, the holder {how}: the next one ready",
            figure=Figure(subject=RECOVERY, name="ready_s", runner=f"bigtask {variant}"),
            most=3,
            unit="s",
        )
        for variant, how in (
            ("killed/kept", "killed"),
            ("closed/kept", "closed with a snapshot"),
            ("closed/dropped", "closed and no snapshot"),
        )
    ),
)
