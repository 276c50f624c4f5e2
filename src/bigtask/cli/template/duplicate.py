"""`bigtask template duplicate`: a copy under another id."""

from __future__ import annotations

from pathlib import Path

import click

from bigtask.cli.frame import Frame, json_option, print_json
from bigtask.cli.template.options import (
    cwd_option,
    entry,
    project_option,
    target,
    tell_saved,
    template_argument,
)


@click.command(
    short_help="A copy under another id.",
    epilog="Example: bigtask template duplicate documentation our-docs",
)
@template_argument
@click.argument("new_id", metavar="NEW_ID")
@click.option("--name", metavar="NAME", help="The copy's name for people.")
@project_option
@cwd_option
@json_option
@click.pass_obj
def command(
    frame: Frame, template_id: str, new_id: str, name: str | None, in_project: bool, cwd: Path, as_json: bool
) -> None:
    """Copies a template's own file. It goes on inheriting what the original inherits."""
    one = frame.templates(cwd).duplicate(template_id, new_id, name=name, into=target(in_project))
    if as_json:
        print_json(entry(one))
    else:
        tell_saved(one, "created")
