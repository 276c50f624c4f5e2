"""`bigtask template create`: a new template of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from bigtask.cli.completion import template_ids
from bigtask.cli.frame import Frame, json_option, print_json
from bigtask.cli.template.options import cwd_option, entry, project_option, target, tell_saved
from bigtask.errors import InvalidInput


@click.command(
    short_help="A new template of your own.",
    epilog='Example: bigtask template create api-docs --name "API docs" --extends documentation',
)
@click.argument("template_id", metavar="[ID]", required=False)
@click.option("--name", metavar="NAME", help="Its name for people; without an ID, that is made of it.")
@click.option("--description", metavar="TEXT", help="What it is for, in a sentence.")
@click.option(
    "--extends",
    "parent",
    metavar="ID",
    shell_complete=template_ids,
    help="What it inherits from. Default: _default.",
)
@click.option(
    "--from", "original", metavar="ID", shell_complete=template_ids, help="Copy this template's own file."
)
@project_option
@cwd_option
@json_option
@click.pass_obj
def command(
    frame: Frame,
    template_id: str | None,
    name: str | None,
    description: str | None,
    parent: str | None,
    original: str | None,
    in_project: bool,
    cwd: Path,
    as_json: bool,
) -> None:
    """Makes a template that inherits everything (--extends) or begins as a copy (--from). What it does
    differently you write with `bigtask template edit ID`."""
    from bigtask.templates.identity import id_from, usable_id

    if parent is not None and original is not None:
        raise InvalidInput("--extends inherits, --from copies: choose one of them")
    if template_id is None and name is None:
        raise InvalidInput("give the new template an ID, or a --name that one is made of")
    id = usable_id(template_id) if template_id is not None else id_from(name or "")
    templates = frame.templates(cwd)
    raw = (
        templates.get(original, resolved=False)
        if original is not None
        else {"$schema": "urn:bigtask:template", "extends": parent or "_default"}
    )
    own = {
        "id": id,
        "name": name or raw.get("name") or id,
        "description": description or raw.get("description"),
    }
    head = {key: raw[key] for key in ("$schema",) if key in raw}
    content = {**head, **{key: value for key, value in own.items() if value is not None}}
    one = templates.create(
        {**content, **{k: v for k, v in raw.items() if k not in content}}, into=target(in_project)
    )
    if as_json:
        print_json(entry(one))
        return
    tell_saved(one, "created")
    from bigtask.cli.screen import note

    note(f"Write what it does differently: bigtask template edit {one.id}")
