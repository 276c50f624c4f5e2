"""`bigtask resume`: go on with a run, or a task, that was paused."""

from __future__ import annotations

from pathlib import Path

import click

from bigtask.cli.frame import Frame, json_option, run_argument, watch_option
from bigtask.cli.unattended import quietly, report_dir_option
from bigtask.errors import InvalidInput


@click.command(short_help="Go on with a run.", epilog="Example: bigtask resume last")
@run_argument
@click.argument("task_id", metavar="[TASK]", required=False)
@watch_option
@click.option("--ci", is_flag=True, help="Ask nobody, as in `bigtask run --ci`. Without it you are asked.")
@report_dir_option
@json_option
@click.pass_obj
def command(
    frame: Frame,
    run_id: str,
    task_id: str | None,
    watch: bool,
    ci: bool,
    report_dir: Path | None,
    as_json: bool,
) -> int:
    """Go on with a run that is paused, or that nobody carries on. With TASK: with one that was paused alone.

    If no process carries the run out, this one does, and shows it as `run` does.
    """
    from bigtask.cli.carrying import ask_and_carry
    from bigtask.core.commands import Resume, ResumeTask

    if (ci and task_id is not None) or (report_dir is not None and not ci):
        raise InvalidInput("--ci is for a whole run, and --report-dir for --ci: leave one of them out")
    wanted = Resume(by=frame.who, ci=ci) if task_id is None else ResumeTask(task_id=task_id, by=frame.who)
    reports = quietly(report_dir) if ci else None
    return ask_and_carry(frame, run_id, wanted, watch=watch, as_json=as_json, reports=reports)
