"""`bigtask template list`: all templates, and what is wrong with which."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bigtask.cli.frame import Frame, json_option, print_json
from bigtask.cli.template.options import SOURCES, cwd_option, entry, problem_line

if TYPE_CHECKING:
    from bigtask.templates.listed import Listed


@click.command(
    "list",
    short_help="All templates, and what is wrong with which.",
    epilog="Example: bigtask template list --json",
)
@cwd_option
@json_option
@click.pass_obj
def command(frame: Frame, cwd: Path, as_json: bool) -> None:
    """The shipped templates, your own and those of the repository, with everything that is wrong with them.

    A broken file doesn't keep the others from being used."""
    found = frame.templates(cwd).list()
    if as_json:
        print_json({"templates": [entry(one) for one in found]})
        return
    _show(found)


def _show(found: tuple[Listed, ...]) -> None:
    from bigtask.cli.screen import STYLES, Screen, note, table, word
    from bigtask.words import one_line

    screen = Screen()
    columns = ("template", "from", "extends", "state", "about")
    rows = table(*columns, fixed=columns, cut="about")
    for one in found:
        state = state_of(one)
        style = {"ok": "", "broken": STYLES["failed"], "hidden": "dim"}.get(state, STYLES["waiting"])
        rows.add_row(
            word(one_line(one.id, 64), style="bold" if one.usable else ""),
            word(SOURCES[one.source], style=""),
            word(one_line(one.extends or "–", 64), style="dim"),
            word(state, style=style),
            word(one_line(one.description or one.name, 200), style=""),
        )
    screen.print(rows)
    for one in found:
        if one.errors or one.warnings or one.hidden_by is not None:
            screen.title(f"{one_line(one.id, 64)}  {one.path or ''}".rstrip())
        if one.hidden_by is not None:
            screen.item(
                "hidden", f"by the {SOURCES[one.hidden_by]} template of that name: give it another id"
            )
        for problem in one.errors:
            screen.item("error", problem_line(problem), style=STYLES["error"])
        for problem in one.warnings:
            screen.item("warning", problem_line(problem), style=STYLES["warn"])
    for one in found:
        if one.approved is False:
            note(f"\n{one.id} isn't approved: bigtask template approve {one.id}")


def state_of(one: Listed) -> str:
    if one.hidden_by is not None:
        return "hidden"
    if one.errors:
        return "broken"
    if one.approved is False:
        return "not approved"
    return "warnings" if one.warnings else "ok"
