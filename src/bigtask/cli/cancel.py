"""`bigtask cancel`: ends a run, or one of its tasks."""

from __future__ import annotations

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json, run_argument
from bigtask.cli.screen import note
from bigtask.words import counted


@click.command(
    short_help="End a run; its work stays on its branches.", epilog="Example: bigtask cancel last docs-api"
)
@run_argument
@click.argument("task_id", metavar="[TASK]", required=False)
@json_option
@click.pass_obj
def command(frame: Frame, run_id: str, task_id: str | None, as_json: bool) -> None:
    """Ends a run with everything that it has started. What was done so far stays on its branches. With TASK
    only that task ends, and those that depend on it are skipped."""
    from bigtask.cli.steering import ask
    from bigtask.core.commands import Cancel, CancelTask
    from bigtask.core.ledger import counts
    from bigtask.core.states import TaskState
    from bigtask.core.status import status
    from bigtask.report.result import branch_of

    folder = frame.find(run_id)
    wanted = Cancel(by=frame.who) if task_id is None else CancelTask(task_id=task_id, by=frame.who)
    run, _ = carry_out(lambda: ask(frame, folder, "cancel", wanted))
    if as_json:
        print_json({"id": run.id, "outcome": run.outcome, "status": status(run), "tasks": counts(run)})
    name = frame.name_of(folder)
    if task_id is not None:
        record = run.record(task_id)
        assert record is not None
        note(f"{task_id} is {record.state}. Try it again: bigtask retry {name} {task_id}")
        return
    done = counted(run.counts[TaskState.COMPLETED], "completed task")
    where = f" on the branch {branch}" if (branch := branch_of(run)) else ""
    note(f"The run is {run.outcome}: {done}{where}. Go on: bigtask retry {name}")
