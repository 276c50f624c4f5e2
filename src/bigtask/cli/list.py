"""`bigtask list`: runs, newest first, and what waits for the person."""

from __future__ import annotations

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json
from bigtask.cli.screen import note
from bigtask.words import counted

NEWEST = 20


@click.command(
    "list", short_help="Runs and what waits for you.", epilog="Example: bigtask list --unfinished --json"
)
@click.option("--unfinished", is_flag=True, help="Only runs without an outcome.")
@click.option("--all", "everything", is_flag=True, help=f"All runs, not only the newest {NEWEST}.")
@json_option
@click.pass_obj
def command(frame: Frame, unfinished: bool = False, everything: bool = False, as_json: bool = False) -> None:
    """Runs, newest first, with what waits for you. One whose log can't be read is listed with the reason."""
    from bigtask.cli.reading import glances
    from bigtask.cli.run_list import entry, show_list

    folders = list(frame.home.folders())
    chosen = folders if everything or unfinished else folders[:NEWEST]
    found = carry_out(lambda: glances(chosen))
    if unfinished:
        found = [one for one in found if one.run is None or one.run.outcome is None]
    if as_json:
        print_json({"runs": [entry(one) for one in found]})
        return
    if not found:
        _say_how_to_begin(any_run=bool(folders))
        return
    show_list(frame, found)
    if len(chosen) < len(folders):
        note(f"\n{counted(len(folders) - len(chosen), 'older run')}: bigtask list --all")


def _say_how_to_begin(*, any_run: bool) -> None:
    if any_run:
        note("No run is unfinished. All of them: bigtask list. One: bigtask show last")
        return
    note(
        "There is no run yet.\n\n"
        "  bigtask demo                         a sample project and a scripted run, without a model\n"
        '  bigtask run documentation "REQUEST"  in a project of yours\n'
        "  bigtask agents                       who can work here"
    )
