"""`bigtask watch`: follow a run, and carry it on if nobody does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bigtask.cli.frame import Frame, carry_out, json_option, run_argument
from bigtask.errors import Conflict

if TYPE_CHECKING:
    from bigtask.core.run import Run


@click.command(epilog="Example: bigtask watch last")
@run_argument
@json_option
@click.pass_obj
def command(frame: Frame, run_id: str, as_json: bool) -> int:
    """Follow a run live, and carry it on if nobody does.

    When the process that carries the run out ends, this one goes on with it. Ctrl-C ends the following;
    it pauses the run only if this process carries it out.
    """
    from bigtask.cli.carrying import carry

    folder = frame.find(run_id)

    def first(run: Run) -> None:
        if not run.started and run.outcome is None:
            name = frame.name_of(folder)
            raise Conflict(f"the run hasn't been started: `bigtask start {name}` begins with it")

    return carry_out(lambda: carry(frame, folder, first, as_json=as_json))
