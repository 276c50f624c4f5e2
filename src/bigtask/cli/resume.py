"""`bigtask resume`: go on with a run that was paused."""

from __future__ import annotations

import click

from bigtask.cli.frame import Frame, carry_out, json_option, run_argument, watch_option


@click.command(epilog="Example: bigtask resume last")
@run_argument
@watch_option
@json_option
@click.pass_obj
def command(frame: Frame, run_id: str, watch: bool, as_json: bool) -> int:
    """Go on with a paused run.

    If no process carries the run out, this one does, and shows it as `run` does.
    """
    from bigtask.cli.carrying import carry
    from bigtask.core.commands import Resume

    folder = frame.find(run_id)
    wanted = Resume(by=frame.who)
    return carry_out(
        lambda: carry(frame, folder, lambda run: wanted, as_json=as_json, stay=watch, whole=False)
    )
