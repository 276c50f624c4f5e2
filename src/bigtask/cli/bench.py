"""`bigtask bench`: what bigtask itself costs, beside a bare floor and other systems."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bigtask.cli.frame import EXIT_FAILED, EXIT_OK, carry_out, json_option, print_json
from bigtask.errors import InvalidInput

if TYPE_CHECKING:
    from bigtask.benchmark.rounds import Row
    from bigtask.benchmark.tables import Table
    from bigtask.cli.screen import Screen


@click.command(
    short_help="What bigtask itself costs, beside other systems.",
    epilog="Example: bigtask bench W1 W2 --compare langgraph --install",
)
@click.argument("subjects", metavar="[WORKLOAD]...", nargs=-1)
@click.option("--compare", metavar="PEER", multiple=True, help="Another system to measure; may be repeated.")
@click.option("--peer-python", metavar="PEER=PATH", multiple=True, help="The Python that has a peer.")
@click.option("--install", is_flag=True, help="Install missing peers, each in an environment of its own.")
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True)
@click.option(
    "--timeout",
    "timeout_s",
    metavar="SECONDS",
    type=click.FloatRange(1, 3_600),
    default=120.0,
    show_default=True,
    help="How long one run may take.",
)
@click.option(
    "--write-results",
    "page",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the figures to a page of Markdown.",
)
@json_option
def command(
    subjects: Sequence[str],
    compare: Sequence[str],
    peer_python: Sequence[str],
    install: bool,
    rounds: int,
    timeout_s: float,
    page: Path | None,
    as_json: bool,
) -> int:
    """Carries workloads out with an agent that does nothing, and prints what is left: bigtask's own cost.

    A WORKLOAD is a name (W1 to W6, G10, G100, G1000), a file, startup, recovery, parser, idle or fan;
    without one, all of them. The runs go through the whole product, with its log on the disk. No time makes
    it fail: it exits with 1 only when a run wasn't right, say a task was started twice.
    """
    from bigtask.benchmark.machine import described
    from bigtask.benchmark.page import written
    from bigtask.benchmark.peers import named_pythons, prepare
    from bigtask.benchmark.rounds import measure
    from bigtask.benchmark.runners import Runners, require_peers
    from bigtask.cli.screen import note

    if page is not None and not page.absolute().parent.is_dir():
        raise InvalidInput(f"{page} can't be written: make its folder first")
    runners = Runners.find()
    known = runners.peers()
    require_peers(compare, known)
    wanted = runners.subjects(subjects)
    named = named_pythons(peer_python, known)

    async def all_of_them() -> list[Row]:
        peers = {name: known[name] for name in (*compare, *named)}
        pythons = await prepare(peers, named, install=install, say=note)
        rows: list[Row] = []
        for subject, file in wanted.items():
            of_it = runners.of(subject, file, pythons)
            rows += await measure(subject, of_it, rounds=rounds, timeout_s=timeout_s, say=note)
        return rows

    machine = described()
    rows = carry_out(all_of_them)
    if as_json:
        print_json({"machine": machine, "rounds": rounds, **_for_programs(rows)})
    else:
        _show(rows)
    if page is not None:
        page.write_text(written(rows, machine, f"bigtask {shlex.join(sys.argv[1:])}", rounds))
    return EXIT_FAILED if any(row.wrong for row in rows) else EXIT_OK


def _for_programs(rows: Sequence[Row]) -> Mapping[str, Any]:
    from bigtask.benchmark.goals import GOALS

    measured = ((goal, goal.measured(rows)) for goal in GOALS)
    return {
        "goals": [
            {
                "what": goal.what,
                "most": goal.most,
                "unit": goal.unit,
                "measured": value,
                "reached": value <= goal.most,
            }
            for goal, value in measured
            if value is not None
        ],
        "rows": [
            {
                "subject": row.subject,
                "system": row.runner.system,
                "variant": row.runner.variant,
                "version": row.version,
                "runs": len(row.printed),
                "figures": {name: asdict(spread) for name, spread in row.figures().items()},
                "errors": row.errors,
                "failed": row.failed,
            }
            for row in rows
        ],
    }


def _show(rows: Sequence[Row]) -> None:
    from bigtask.benchmark.tables import of_goals, of_workloads
    from bigtask.cli.screen import Screen

    screen = Screen()
    for table in of_workloads(rows):
        _show_table(screen, table, right=table.head[2:-1])
    goals = of_goals(rows)
    if goals.rows:
        _show_table(screen, goals, right=goals.head[1:-1])


def _show_table(screen: Screen, table: Table, *, right: Sequence[str]) -> None:
    from bigtask.cli.screen import table as made
    from bigtask.cli.screen import word

    screen.title(table.title)
    shown = made(*table.head, right=right)
    for cells in table.rows:
        shown.add_row(*(word(cell) for cell in cells))
    screen.print(shown)
