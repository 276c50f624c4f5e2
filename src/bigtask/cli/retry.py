"""`bigtask retry`: another attempt at what failed, also in a run that has ended."""

from __future__ import annotations

import click

from bigtask.cli.frame import Frame, json_option, run_argument, watch_option


@click.command(epilog="Example: bigtask retry last core-models")
@run_argument
@click.argument("task_id", metavar="[TASK]", required=False)
@watch_option
@json_option
@click.pass_obj
def command(frame: Frame, run_id: str, task_id: str | None, watch: bool, as_json: bool) -> int:
    """Try a task again, or all that failed.

    Tasks that were skipped because of it open again. If no process carries the run out, this one does, and
    shows it as `run` does.
    """
    from bigtask.cli.carrying import ask_and_carry
    from bigtask.core.commands import Retry

    wanted = Retry(task_id=task_id, by=frame.who)
    return ask_and_carry(frame, run_id, wanted, watch=watch, as_json=as_json)
