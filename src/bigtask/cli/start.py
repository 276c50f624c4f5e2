"""`bigtask start`: begin with a run that `bigtask create` made."""

from __future__ import annotations

import click

from bigtask.cli.frame import Frame, json_option, run_argument, watch_option


@click.command(epilog="Example: bigtask start last")
@run_argument
@watch_option
@json_option
@click.pass_obj
def command(frame: Frame, run_id: str, watch: bool, as_json: bool) -> int:
    """Start a run that was made.

    If no process carries the run out, this one does, and shows it as `run` does.
    """
    from bigtask.cli.carrying import ask_and_carry
    from bigtask.core.commands import Start

    return ask_and_carry(frame, run_id, Start(by=frame.who), watch=watch, as_json=as_json)
