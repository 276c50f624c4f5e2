"""`bigtask template edit`: a template in the person's editor, checked when it is saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json
from bigtask.cli.screen import note
from bigtask.cli.template.options import (
    content_of,
    cwd_option,
    entry,
    problem_line,
    tell_saved,
    template_argument,
)
from bigtask.errors import BigtaskError, InvalidTemplate

if TYPE_CHECKING:
    from bigtask.cli.editor import Draft
    from bigtask.templates.listed import Listed
    from bigtask.templates.manager import TemplateManager


@click.command(
    short_help="A template in your editor, checked when you save.",
    epilog="\b\nExamples:\n  bigtask template edit mine\n  bigtask template edit mine --from mine.json",
)
@template_argument
@click.option("--from", "given", metavar="FILE", help="Take this file over; - is standard input.")
@click.option("--revision", metavar="R", help="Only if it is this revision still (`show --json` has it).")
@cwd_option
@json_option
@click.pass_obj
def command(
    frame: Frame, template_id: str, given: str | None, revision: str | None, cwd: Path, as_json: bool
) -> None:
    """Opens a copy of the template in your editor (VISUAL, else EDITOR).

    What you save is checked; where something is wrong you see the places and can go on editing. The template
    stays as it was until the copy is right.
    """
    templates = frame.templates(cwd)
    before, current = templates.text(template_id)
    wanted = revision if revision is not None else current
    broken: list[Listed] = []
    templates.on("template:error", lambda _, one: broken.append(one))
    if given is not None:
        one: Listed | None = templates.update(template_id, content_of(given), revision=wanted)
    else:
        one = _with_editor(templates, template_id, before, wanted)
    if as_json:
        print_json(entry(one if one is not None else templates.find(template_id)))
    if one is None:
        note(f"{template_id} stays as it is")
        return
    tell_saved(one, "saved")
    for other in broken:
        if other.id != template_id:
            note(f"  this breaks {other.id}: {problem_line(other.errors[0])}")


def _with_editor(templates: TemplateManager, template_id: str, before: str, revision: str) -> Listed | None:
    from bigtask.cli.editor import draft

    with draft(f"-{template_id}.json") as held:
        try:
            return carry_out(lambda: _edited(templates, template_id, before, revision, held))
        except BigtaskError:
            if held.keep:
                note(f"what you wrote is kept: bigtask template edit {template_id} --from {held.path}")
            raise


async def _edited(
    templates: TemplateManager, template_id: str, before: str, revision: str, held: Draft
) -> Listed | None:
    """None where nothing was changed. Raises what kept the text from being saved, and `held` keeps it."""
    text = before
    while True:
        text = await held.edited(text)
        if text == before:
            return None
        try:
            return templates.update(template_id, text.encode(), revision=revision)
        except InvalidTemplate as error:
            if not _goes_on(template_id, error):
                held.keep = True
                raise
        except BigtaskError:
            held.keep = True
            raise


def _goes_on(template_id: str, error: InvalidTemplate) -> bool:
    from bigtask.cli import approving

    if not approving.can_ask():
        return False
    note(f"{template_id} isn't saved yet:")
    for problem in error.problems:
        note(f"  {problem_line(problem)}")
    return click.confirm("Go on editing?", default=True, err=True)
