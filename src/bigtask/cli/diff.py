"""`bigtask diff`: what a run, or one of its tasks, has changed."""

from __future__ import annotations

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json, run_argument
from bigtask.cli.screen import Screen, note, word


@click.command(
    short_help="What a run or a task has changed.", epilog="Example: bigtask diff last docs-api | less"
)
@run_argument
@click.argument("task_id", metavar="[TASK]", required=False)
@json_option
@click.pass_obj
def command(frame: Frame, run_id: str, task_id: str | None, as_json: bool) -> None:
    """What a run has changed so far, from where it began to its branch, as a patch. With TASK: what the last
    attempt at that task has changed."""
    from bigtask.cli.steering import through

    folder = frame.find(run_id)
    patch, _ = carry_out(lambda: through(frame, folder, "diff", lambda link: link.diff(task_id)))
    if as_json:
        print_json({"id": folder.id, "taskId": task_id, "patch": patch})
        return
    if not patch:
        note("Nothing has changed.")
        return
    screen = Screen()
    if not screen.console.is_terminal:
        click.echo(patch, nl=False)
        return
    for line in patch.splitlines():
        screen.print(word(line, style=_style(line)))


def _style(line: str) -> str:
    if line.startswith(("diff ", "index ", "--- ", "+++ ", "new file", "deleted file")):
        return "bold"
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
