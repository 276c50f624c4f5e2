"""`bigtask clean`: what ended runs take of the disk, and what of it goes."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from bigtask.cli.completion import run_names
from bigtask.cli.frame import EXIT_FAILED, EXIT_OK, EXIT_WAITING, Frame, carry_out, json_option, print_json
from bigtask.cli.screen import note
from bigtask.errors import BigtaskError
from bigtask.words import counted, one_line, short, size

if TYPE_CHECKING:
    from bigtask.host.retention import Removal

_AGES = {"h": 1 / 24, "d": 1, "w": 7}


def _days(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})([hdw])", value)
    if found is None:
        raise click.BadParameter(f"{value!r} isn't an age: write 12h, 30d or 8w")
    return int(found[1]) * _AGES[found[2]]


@click.command(
    short_help="Remove what ended runs take of the disk.",
    epilog="Example: bigtask clean --older-than 30d --dry-run",
)
@click.argument("run_ids", metavar="[RUN]...", nargs=-1, shell_complete=run_names)
@click.option("--older-than", callback=_days, metavar="AGE", help="Runs that ended longer ago: 12h, 30d, 8w.")
@click.option("--keep", type=click.IntRange(min=0), metavar="N", help="Keep so many ended runs, the newest.")
@click.option(
    "--branches",
    is_flag=True,
    help="Also the named runs' branches and rescued work. What isn't merged is lost then.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would go.")
@click.option("-y", "--yes", is_flag=True, help="Without a question.")
@json_option
@click.pass_obj
def command(
    frame: Frame,
    run_ids: tuple[str, ...],
    older_than: float | None,
    keep: int | None,
    branches: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Removes the workspaces of ended runs, and ended runs beyond what your configuration keeps (keepRuns,
    keepDays, keepGib, keepTrashDays). With RUN: all that is kept of those runs.

    Nobody's work goes with it: what isn't committed in a workspace is put under a rescue ref first, and
    branches stay in your repository unless you name their run and say --branches. Runs that aren't over keep
    everything. Exits with 3 when nobody can be asked, and with 1 where something couldn't be removed.
    """
    from bigtask.cli import approving
    from bigtask.host import cleaning

    if run_ids and (older_than is not None or keep is not None):
        raise click.UsageError("--older-than and --keep choose runs, and so do names: give one of them.")
    if branches and not run_ids:
        raise click.UsageError("--branches needs the runs whose branches go: bigtask clean RUN --branches")
    if run_ids:
        removals = carry_out(lambda: _named(frame, run_ids, branches=branches))
    else:
        removals = carry_out(lambda: _due(frame, older_than, keep))
    remains = list(cleaning.remains(frame.home))
    nothing = not removals and not remains
    if not as_json:
        _show(removals, len(remains), dry_run=dry_run)
    elif nothing or dry_run:
        _print(removals, dry_run=dry_run)
    if nothing and not dry_run:
        carry_out(lambda: cleaning.remove_remains(frame.home))
    if nothing or dry_run:
        return EXIT_OK
    if not yes and not approving.can_ask():
        note("nobody can be asked here: --yes removes it, --dry-run only says what would go")
        return EXIT_WAITING
    if not yes and not click.confirm("Remove that?", default=False, err=True):
        note("nothing is removed")
        return EXIT_OK
    done, failed = carry_out(lambda: _removed(frame, removals, branches=branches))
    if as_json:
        _print(done, failed)
    else:
        for removal, why in failed:
            note(f"{short(removal.id)} stays: {why}")
        freed = sum(removal.used for removal in done)
        note(f"{size(freed)} freed" if freed else "done")
    return EXIT_FAILED if failed else EXIT_OK


async def _named(frame: Frame, given: tuple[str, ...], *, branches: bool) -> list[Removal]:
    """Raises NotFound, and Conflict for a run that isn't over."""
    from bigtask.core.commands import require
    from bigtask.errors import NotFound
    from bigtask.host import cleaning, strays
    from bigtask.host.access import read_run
    from bigtask.host.retention import Removal, What

    found: dict[str, Removal] = {}
    for name in given:
        try:
            folder = frame.find(name)
        except NotFound:
            left = await strays.branches_of(frame.home, name) if branches else None
            if left is None:
                raise
            why = f"{counted(len(left.refs), 'ref')} in {left.root}"
            found[left.run_id] = Removal(id=left.run_id, what=What.RUN, used=0, why=why)
            continue
        require(await read_run(folder), "delete")
        (seen,) = await cleaning.look([folder])
        why = "named, with its branches" if branches else "named"
        found[folder.id] = Removal(id=folder.id, what=What.RUN, used=seen.used, why=why)
    return list(found.values())


async def _due(frame: Frame, older_than_days: float | None, keep: int | None) -> list[Removal]:
    """By the rules of the configuration, each of the two in place of its rule."""
    from bigtask.host import cleaning
    from bigtask.host.retention import due

    rules = cleaning.rules(os.environ)
    rules = replace(
        rules,
        days=rules.days if older_than_days is None else older_than_days,
        runs=rules.runs if keep is None else keep,
    )
    return list(due(await cleaning.look(frame.home.folders()), rules, int(time.time() * 1000)))


async def _removed(
    frame: Frame, removals: list[Removal], *, branches: bool
) -> tuple[list[Removal], list[tuple[Removal, str]]]:
    """What went, and what didn't and why: one that can't go is no reason to leave the others."""
    from bigtask.host import cleaning

    done, failed = [], []
    for removal in removals:
        try:
            await cleaning.carry_out(frame.home, frame.agents, removal, branches=branches)
            done.append(removal)
        except BigtaskError as error:
            failed.append((removal, str(error)))
        except OSError as error:
            failed.append((removal, f"{error.filename}: {error.strerror}"))
    await cleaning.remove_remains(frame.home)
    return done, failed


def _show(removals: list[Removal], remains: int, *, dry_run: bool) -> None:
    from bigtask.cli.screen import Screen, table, word

    if not removals and not remains:
        note("Nothing is to be removed.")
        return
    rows = table("run", "what", "space", "why", fixed=("run", "what", "space"), right=("space",))
    for removal in removals:
        rows.add_row(
            word(short(removal.id), style=""),
            word(_WORDS[removal.what], style=""),
            word(size(removal.used), style=""),
            word(one_line(removal.why), style="dim"),
        )
    if removals:
        Screen().print(rows)
    if remains:
        note(f"{counted(remains, 'folder')} of runs whose removal, or making, was cut off")
    would = "would be freed" if dry_run else "in all"
    note(f"{size(sum(removal.used for removal in removals))} {would}")


_WORDS = {"run": "all of it", "workspaces": "workspaces", "trash": "ignored files"}


def _print(
    removed: list[Removal], failed: Sequence[tuple[Removal, str]] = (), *, dry_run: bool = False
) -> None:
    print_json(
        {
            "removed": [_entry(removal) for removal in removed],
            "failed": [{**_entry(removal), "error": why} for removal, why in failed],
            "bytes": sum(removal.used for removal in removed),
            "dryRun": dry_run,
        }
    )


def _entry(removal: Removal) -> dict[str, Any]:
    return {"id": removal.id, "what": removal.what.value, "bytes": removal.used, "why": removal.why}
