"""A plan as a table for the terminal, with what a person should know before confirming it."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bigtask.cli.screen import WIDE
from bigtask.core.checks import Program, programs
from bigtask.core.run import Run, TaskRecord
from bigtask.core.states import TaskState
from bigtask.core.values import Estimate, Task
from bigtask.words import command_line, counted, one_line, span

_WARNINGS = 5


def plan_table(run: Run, width: int) -> RenderableType:
    """`width` in cells: on a wide terminal scopes and titles are shown longer."""
    assert run.plan is not None
    wide = width >= WIDE
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        expand=True,
        show_edge=False,
        header_style="bold",
    )
    table.add_column("#", justify="right", style="dim", no_wrap=True)
    table.add_column("task", no_wrap=True, overflow="ellipsis", max_width=32 if wide else 18, style="cyan")
    table.add_column("title", no_wrap=True, overflow="ellipsis", ratio=2)
    table.add_column("after", no_wrap=True, overflow="ellipsis", max_width=30 if wide else 14)
    table.add_column("scope", no_wrap=True, overflow="ellipsis", ratio=1, style="dim")
    table.add_column("prio", justify="right", no_wrap=True)
    table.add_column("est", justify="right", no_wrap=True)
    for number, record in enumerate(run.tasks.values(), 1):
        table.add_row(*_row(number, record, wide), style="dim strike" if _skipped(record) else None)
    return Group(table, *_footer(run))


def _skipped(record: TaskRecord) -> bool:
    return record.state is TaskState.SKIPPED


def _row(number: int, record: TaskRecord, wide: bool) -> list[Text]:
    task = record.task
    after = _short(task.dependencies, 3 if wide else 1)
    scope = _short(task.scope, 3 if wide else 1)
    cells = (str(number), task.id, task.title, after, scope, str(task.priority), _estimate(task))
    return [Text(one_line(cell, 200)) for cell in cells]


def _short(items: tuple[str, ...], shown: int) -> str:
    more = len(items) - shown
    return ", ".join(items[:shown]) + (f" +{more}" if more > 0 else "")


def _estimate(task: Task) -> str:
    if task.estimated_minutes is not None:
        minutes = task.estimated_minutes
        return f"{minutes:g} min" if minutes >= 1 else "<1 min"
    return f"{task.estimated_tokens // 1000}k tok" if task.estimated_tokens is not None else ""


def _footer(run: Run) -> Iterator[Text]:
    for warning in run.warnings[:_WARNINGS]:
        yield Text(f"! {one_line(warning)}", style="yellow")
    if len(run.warnings) > _WARNINGS:
        yield Text(f"! and {counted(len(run.warnings) - _WARNINGS, 'further warning')}", style="yellow")
    for line in program_lines(run):
        yield Text(f"runs: {line}", style="yellow")
    yield Text(summary(run), style="bold")


def program_lines(run: Run) -> list[str]:
    """Every command that the run wants bigtask to run, whole, with who wants it and when: confirming allows
    those of the plan."""
    return [
        f"{command_line(program.command)}  ({_whose(program)}, {program.when})" for program in programs(run)
    ]


def _whose(program: Program) -> str:
    of_template = program.origin.startswith("template ")
    return program.origin if of_template else f"check of {_short(tuple(program.origin.split(', ')), 3)}"


def summary(run: Run) -> str:
    """`12 tasks on up to 5 workers · ≈2–5 min (the plan's own figures)`."""
    workers = min(run.settings.slots, len(run.tasks))
    parts = [f"{counted(len(run.tasks), 'task')} on up to {counted(workers, 'worker')}"]
    if run.estimate is not None:
        parts.append(_range(run.estimate))
    if run.settings.max_budget_usd is not None:
        parts.append(f"at most ${run.settings.max_budget_usd:,.2f}")
    return " · ".join(parts)


def _range(estimate: Estimate) -> str:
    cost = f", ${estimate.cost_low:,.2f}–{estimate.cost_high:,.2f}" if estimate.cost_high else ""
    return f"{span(estimate.minutes_low, estimate.minutes_high)}{cost} ({estimate.basis})"
