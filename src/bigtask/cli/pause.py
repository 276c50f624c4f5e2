"""`bigtask pause`: a run, or one of its tasks, stops at the next safe point."""

from __future__ import annotations

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json, run_argument
from bigtask.cli.screen import note
from bigtask.words import counted


@click.command(short_help="Stop at the next safe point.", epilog="Example: bigtask pause last --now")
@run_argument
@click.argument("task_id", metavar="[TASK]", required=False)
@click.option("--now", is_flag=True, help="End running attempts at once; it uses up none of their retries.")
@json_option
@click.pass_obj
def command(frame: Frame, run_id: str, task_id: str | None, now: bool, as_json: bool) -> None:
    """Nothing new starts, and running attempts stop at their next safe point. With TASK only that one."""
    from bigtask.cli.steering import ask, through
    from bigtask.core.commands import Pause
    from bigtask.core.status import status

    folder = frame.find(run_id)
    if task_id is not None:
        if now:
            raise click.UsageError("--now is for a whole run: a single task stops at its next safe point")
        task = task_id
        carry_out(lambda: through(frame, folder, "pause", lambda link: link.pause_task(task)))
        if as_json:
            print_json({"id": folder.id, "taskId": task, "status": "pausing"})
        note(f"{task} stops at its next safe point. Go on: bigtask resume {frame.name_of(folder)} {task}")
        return
    run, _ = carry_out(lambda: ask(frame, folder, "pause", Pause(by=frame.who, now=now)))
    if as_json:
        print_json({"id": run.id, "status": status(run), "paused": run.paused, "pausing": run.pausing})
    at_work = f"{counted(len(run.live), 'attempt')} still at work"
    words = f"pausing: {at_work}" if run.pausing and run.live else "paused"
    note(f"The run is {words}. Go on: bigtask resume {frame.name_of(folder)}")
