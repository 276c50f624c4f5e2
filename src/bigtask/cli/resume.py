"""`bigtask resume`: go on with a run, or a task, that was paused."""

from __future__ import annotations

import click

from bigtask.cli.frame import Frame, json_option, run_argument, watch_option


@click.command(short_help="Go on with a run.", epilog="Example: bigtask resume last")
@run_argument
@click.argument("task_id", metavar="[TASK]", required=False)
@watch_option
@json_option
@click.pass_obj
def command(frame: Frame, run_id: str, task_id: str | None, watch: bool, as_json: bool) -> int:
    """Go on with a run that is paused, or that nobody carries on. With TASK: with one that was paused alone.

    If no process carries the run out, this one does, and shows it as `run` does.
    """
    from bigtask.cli.carrying import ask_and_carry
    from bigtask.core.commands import Resume, ResumeTask

    wanted = Resume(by=frame.who) if task_id is None else ResumeTask(task_id=task_id, by=frame.who)
    return ask_and_carry(frame, run_id, wanted, watch=watch, as_json=as_json)
