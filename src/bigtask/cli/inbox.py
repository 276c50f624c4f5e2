"""`bigtask inbox`: everything that waits for a person, over all runs."""

from __future__ import annotations

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json
from bigtask.cli.screen import Screen, note
from bigtask.words import short


@click.command(
    short_help="Everything that waits for a person, over all runs.", epilog="Example: bigtask inbox --json"
)
@json_option
@click.pass_obj
def command(frame: Frame, as_json: bool) -> None:
    """Everything that waits for a person, over all runs, each with the command that answers it."""
    from bigtask.cli.reading import glances
    from bigtask.cli.waiting_items import entry, show_waiting

    found = carry_out(lambda: glances(frame.home.folders()))
    items = [
        (one.run, waiting, frame.name_of(one.folder))
        for one in found
        if one.run is not None
        for waiting in one.run.waiting.values()
    ]
    if as_json:
        print_json({"waiting": [entry(*item) for item in items]})
        return
    for one in found:
        if one.run is None:
            note(f"{short(one.folder.id)} can't be read: {one.error}")
    if not items:
        note("Nothing waits for you.")
        return
    screen = Screen()
    for place, item in enumerate(items):
        if place:
            screen.print()
        show_waiting(screen, *item, with_run=True)
