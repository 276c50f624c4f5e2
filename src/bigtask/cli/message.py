"""`bigtask message`: a person's words to a worker that is at its task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json, run_argument
from bigtask.cli.screen import note
from bigtask.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from bigtask.host.link import RunLink


@click.command(
    short_help="Say something to a worker.",
    epilog='Example: bigtask message last docs-api "leave the private functions out"',
)
@run_argument
@click.argument("task_id", metavar="TASK")
@click.argument("text")
@json_option
@click.pass_obj
def command(frame: Frame, run_id: str, task_id: str, text: str, as_json: bool) -> None:
    """Says something to the worker at TASK, in the middle of its turn."""
    from bigtask.cli.reading import linked
    from bigtask.cli.steering import through
    from bigtask.cli.task_page import find_task

    folder = frame.find(run_id)
    if not text.strip():
        raise InvalidInput("the message is empty: say what the worker should know")

    async def say(link: RunLink) -> None:
        find_task(await linked(link, folder.id), task_id)
        if link.held_here:
            raise Conflict(
                f"nobody carries the run out, so {task_id} has no session: "
                f"bigtask resume {frame.name_of(folder)}"
            )
        await link.say(task_id, text)

    carry_out(lambda: through(frame, folder, "message", say))
    if as_json:
        print_json({"id": folder.id, "taskId": task_id, "sent": True})
    note(f"{task_id} was told.")
