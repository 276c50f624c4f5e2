"""`bigtask template delete`: one of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from bigtask.cli.frame import EXIT_OK, EXIT_WAITING, Frame, json_option, print_json
from bigtask.cli.screen import note
from bigtask.cli.template.options import cwd_option, template_argument


@click.command(short_help="Delete one of your own.", epilog="Example: bigtask template delete api-docs --yes")
@template_argument
@click.option("-y", "--yes", is_flag=True, help="Without a question.")
@click.option("--revision", metavar="R", help="Only if it is this revision still (`show --json` has it).")
@cwd_option
@json_option
@click.pass_obj
def command(frame: Frame, template_id: str, yes: bool, revision: str | None, cwd: Path, as_json: bool) -> int:
    """Deletes a template's file, unless another template extends it. Runs that were made with it keep what
    they use. Exits with 3 when nobody can be asked."""
    from bigtask.cli import approving
    from bigtask.errors import Forbidden

    templates = frame.templates(cwd)
    one = templates.find(template_id)
    if one.path is None:
        raise Forbidden(f"{template_id} is shipped and can't be deleted")
    sure = yes or revision is not None
    if not sure and not approving.can_ask():
        note(f"nobody can be asked here: bigtask template delete {template_id} --yes deletes {one.path}")
        return EXIT_WAITING
    if not sure and not click.confirm(f"Delete {one.path}?", default=False, err=True):
        note("nothing is deleted")
        return EXIT_OK
    templates.delete(template_id, revision=revision if revision is not None else one.revision)
    if as_json:
        print_json({"id": template_id, "path": str(one.path), "deleted": True})
    else:
        note(f"{one.path} is deleted")
    return EXIT_OK
