"""`bigtask doctor`: what is in force here, and what is left over."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import click

from bigtask.cli.frame import EXIT_FAILED, EXIT_OK, Frame, carry_out, json_option, print_json
from bigtask.cli.words import counted


@click.command(
    short_help="What is in force here, and what is left over.", epilog="Example: bigtask doctor --json"
)
@json_option
@click.pass_obj
def command(frame: Frame, as_json: bool) -> int:
    """Looks at this machine and changes nothing. Exits with 1 when there is something that bigtask can't work
    with; a warning alone doesn't."""
    from bigtask.cli.screen import Screen, note, table, word
    from bigtask.doctor import Level, findings

    found = carry_out(
        lambda: findings(frame.home, frame.agents, frame.templates(Path.cwd()).list(), os.environ)
    )
    bad = [one for one in found if one.level is Level.PROBLEM]
    if as_json:
        print_json({"ok": not bad, "findings": [asdict(one) for one in found]})
        return EXIT_FAILED if bad else EXIT_OK
    screen = Screen()
    rows = table("", "what", "found", fixed=("", "what"))
    marks = {Level.OK: "ok", Level.WARN: "warn", Level.PROBLEM: "problem"}
    styles = {Level.OK: "green", Level.WARN: "yellow", Level.PROBLEM: "bold red"}
    for one in found:
        said = word(one.text, style="")
        if one.next:
            said.append_text(word(f" → {one.next}", style="bold" if one.level is not Level.OK else "dim"))
        rows.add_row(word(marks[one.level], style=styles[one.level]), word(one.area, style=""), said)
    screen.print(rows)
    warned = sum(one.level is Level.WARN for one in found)
    note(f"\n{counted(len(bad), 'problem')}, {counted(warned, 'warning')}")
    return EXIT_FAILED if bad else EXIT_OK
