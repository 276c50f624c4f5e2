"""`bigtask template export`: templates as a file for others."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bigtask.cli.completion import template_ids
from bigtask.cli.frame import Frame
from bigtask.cli.screen import note
from bigtask.cli.template.options import cwd_option
from bigtask.errors import InvalidInput
from bigtask.words import counted


@click.command(
    short_help="One template or several, as a file for others.",
    epilog="Example: bigtask template export --all -o team.zip",
)
@click.argument("ids", metavar="[ID]...", nargs=-1, shell_complete=template_ids)
@click.option("--all", "everything", is_flag=True, help="All of your own and of the repository.")
@click.option("--resolved", is_flag=True, help="With everything that they inherit, so that they stand alone.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Into this new file, a zip where it ends with .zip. Default: standard output.",
)
@cwd_option
@click.pass_obj
def command(
    frame: Frame, ids: tuple[str, ...], everything: bool, resolved: bool, output: Path | None, cwd: Path
) -> None:
    """Writes templates for `bigtask template import`: one as a JSON object, several as a JSON array or a zip.
    An existing file isn't overwritten."""
    from bigtask.templates.bundle import packed
    from bigtask.templates.listed import Source

    templates = frame.templates(cwd)
    if everything:
        listed = templates.list()
        ids += tuple(one.id for one in listed if one.source is not Source.SHIPPED and one.hidden_by is None)
    if not ids:
        raise InvalidInput("name the templates to export, or all of your own with --all")
    found = templates.export(tuple(dict.fromkeys(ids)), resolved=resolved)
    if output is not None and output.suffix == ".zip":
        data = packed(found)
    else:
        bodies = list(found.values())
        body = bodies[0] if len(bodies) == 1 else bodies
        data = json.dumps(body, indent=2, ensure_ascii=False).encode() + b"\n"
    if output is None:
        click.echo(data, nl=False)
        return
    try:
        with output.open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise InvalidInput(f"{output} exists already: remove it, or choose another name") from None
    except OSError as error:
        raise InvalidInput(f"{output} can't be written: {error.strerror}") from None
    note(f"{output}: {counted(len(found), 'template')}, {len(data) / 1024:,.0f} KiB")
