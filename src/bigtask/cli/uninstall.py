"""`bigtask uninstall`: everything that bigtask has put on this machine, and its removal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from bigtask.cli.frame import EXIT_FAILED, EXIT_OK, Frame, carry_out, json_option, print_json
from bigtask.cli.screen import note
from bigtask.words import counted, one_line, short, size

if TYPE_CHECKING:
    from bigtask.host.uninstalling import Inventory

_WORD = "uninstall"


@click.command(
    short_help="Take everything of bigtask off this machine.", epilog="Example: bigtask uninstall --dry-run"
)
@click.option("-n", "--dry-run", is_flag=True, help="Only list what bigtask has put anywhere.")
@click.option(
    "--branches",
    is_flag=True,
    help="Also every branch and all rescued work. What isn't merged is lost then.",
)
@json_option
@click.pass_obj
def command(frame: Frame, dry_run: bool, branches: bool, as_json: bool) -> int:
    """Lists everything that bigtask has put on this machine: its folder with runs, logs and workspaces, and
    the branches, refs and worktrees in every repository that it has worked in. Without --dry-run it is
    removed, after you have typed a word.

    What you wrote stays: your configuration, your templates, what repositories hold in .bigtask. Branches
    stay unless you say --branches. The program itself goes with the tool that installed it.
    """
    from bigtask.host import uninstalling

    found = carry_out(lambda: uninstalling.inventory(frame.home, os.environ))
    if as_json and dry_run:
        print_json(uninstalling.as_json(found))
        return EXIT_OK
    _show(found, branches=branches)
    if dry_run:
        return EXIT_OK
    uninstalling.require_possible(found, branches=branches)
    if not found.anything:
        note("Nothing is to be removed.")
        return EXIT_OK
    typed = click.prompt(f"Type {_WORD} to remove it", default="", show_default=False, err=True)
    if typed.strip() != _WORD:
        note("nothing is removed")
        return EXIT_FAILED
    stayed = carry_out(lambda: uninstalling.carry_out(frame.home, frame.agents, found, branches=branches))
    for what, why in stayed:
        note(f"{what} stays: {why}")
    if as_json:
        print_json({"removed": not stayed, "stayed": [{"what": what, "why": why} for what, why in stayed]})
    else:
        note("Removed. The program itself: pip uninstall bigtask, or whatever installed it.")
    return EXIT_FAILED if stayed else EXIT_OK


def _show(found: Inventory, *, branches: bool) -> None:
    if found.home is not None:
        what = f"{size(found.used)}, {counted(len(found.runs), 'run')}"
        _line("goes", f"what bigtask keeps in {found.home} ({what})")
    for one in found.worktrees:
        _line("goes", f"worktree {one.name} of {one.root}")
    for left in found.branches:
        rescued = f", {left.rescued} of them rescued work" if left.rescued else ""
        where = f"{counted(len(left.refs), 'ref')} of run {short(left.run_id)} in {left.root}{rescued}"
        _line("goes" if branches else "stays", where)
    for path in found.persons:
        _line("stays", f"{path}, which is yours")
    for run_id in found.only_here:
        note(f"the result of run {short(run_id)} isn't merged and exists nowhere else")


def _line(fate: str, what: str) -> None:
    click.echo(f"{fate:5}  {one_line(what)}")
