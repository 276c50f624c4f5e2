"""`bigtask report`: what a run came to, as one document."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bigtask.cli.frame import Frame, carry_out, readable_argument
from bigtask.cli.screen import note
from bigtask.errors import InvalidInput
from bigtask.words import plain

if TYPE_CHECKING:
    from bigtask.report.result import RunResult

_FORMATS = ("markdown", "json", "junit")
_BY_SUFFIX = {".json": "json", ".xml": "junit"}


@click.command(
    short_help="A run's result as Markdown, JSON or JUnit.",
    epilog="\b\nExamples:\n  bigtask report last\n  bigtask report last -o result.xml",
)
@readable_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    help="By default what the name of FILE says, or markdown.",
)
@click.option("-o", "--output", metavar="FILE", help="Write it there, over what was there, not to stdout.")
@click.pass_obj
def command(frame: Frame, run_id: str, form: str | None, output: str | None) -> None:
    """What a run came to: what became of every task with its evidence, the verdict, warnings, cost and time,
    how to take the result over, and what is left to you.

    The status is 0 whatever the run came to. FILE.zip is what `bigtask export` made of a run.
    """
    from bigtask.report.result import result_of

    source = frame.source(run_id)
    text = _renderer(form or _form_of(output))(result_of(carry_out(source.run)))
    if output is None or output == "-":
        click.echo(text, nl=False)
        return
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{plain(output)} can't be written: {error.strerror}") from None
    note(f"written to {output}")


def _form_of(output: str | None) -> str:
    return _BY_SUFFIX.get(Path(output or "").suffix.lower(), "markdown")


def _renderer(form: str) -> Callable[[RunResult], str]:
    from bigtask.report.documents import DOCUMENTS

    return DOCUMENTS[form]
