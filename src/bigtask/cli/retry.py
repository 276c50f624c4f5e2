"""`bigtask retry`: another attempt at what failed, also in a run that has ended."""

from __future__ import annotations

import click

from bigtask.cli.frame import Frame, carry_out, json_option, run_argument, watch_option


@click.command(epilog="Example: bigtask retry last core-models")
@run_argument
@click.argument("task", required=False)
@watch_option
@json_option
@click.pass_obj
def command(frame: Frame, run_id: str, task: str | None, watch: bool, as_json: bool) -> int:
    """Try a task again, or all that failed.

    Tasks that were skipped because of it open again. If no process carries the run out, this one does, and
    shows it as `run` does.
    """
    from bigtask.cli.carrying import carry
    from bigtask.core.commands import Retry

    folder = frame.find(run_id)
    wanted = Retry(task_id=task, by=frame.who)
    return carry_out(
        lambda: carry(frame, folder, lambda run: wanted, as_json=as_json, stay=watch, whole=False)
    )
