"""The figures as a page of Markdown, with what they were measured on and how to measure them again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bigtask.benchmark.rounds import Row
from bigtask.benchmark.tables import Table, of_goals, of_workloads, versions


def written(rows: Sequence[Row], machine: Mapping[str, str], command: str, rounds: int) -> str:
    """`command` is what makes the page again."""
    return "\n".join(_lines(rows, machine, command, rounds)) + "\n"


def _lines(rows: Sequence[Row], machine: Mapping[str, str], command: str, rounds: int) -> Iterator[str]:
    yield "# What was measured"
    yield ""
    yield f"Written by `{command}`; the same command measures again. bench/README.md says how."
    yield ""
    yield (
        f"Rounds: {rounds}. In a round every system runs once. Shown is the median of the rounds, with the "
        "least and the most in brackets. Ratios within this page count; times of two machines don't compare."
    )
    yield ""
    yield (
        "*a task*: the whole time divided by the tasks; *its CPU*: the same for processor time; *memory*: "
        "the peak of all processes; *over bound*: the whole time over what no scheduler can beat; *end to "
        "start*: from the end of a task's last dependency to its start."
    )
    yield ""
    on = {**machine, **versions(rows)}
    yield from _table(Table(title="On", head=("what", "which"), rows=list(on.items())))
    goals = of_goals(rows)
    if goals.rows:
        yield from _table(goals)
    for table in of_workloads(rows):
        yield from _table(table)


def _table(table: Table) -> Iterator[str]:
    yield f"## {table.title}"
    yield ""
    yield _line(table.head)
    yield _line(["---"] * len(table.head))
    yield from (_line(row) for row in table.rows)
    yield ""


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
