"""What waits for a person, each with the commands that answer it."""

from __future__ import annotations

from typing import Any

import msgspec

from bigtask.cli.next_steps import answers
from bigtask.cli.screen import Screen, word
from bigtask.core.run import Run
from bigtask.core.values import Waiting
from bigtask.words import one_line, short

_FILES = 10
_LINES = 12


def show_waiting(
    screen: Screen, run: Run, waiting: Waiting, name: str | None, *, with_run: bool = False
) -> None:
    """`name` is what the run is called in a command; None where nothing can be done with it."""
    project = one_line(run.created.source.cwd.rpartition("/")[2], 24)
    where = f"{short(run.id)} {project}  " if with_run else ""
    who = f"  {waiting.task_id}" if waiting.task_id else ""
    screen.print(word(f"{where}{waiting.id} {waiting.kind}{who}", style="bold yellow"))
    screen.item("", one_line(waiting.question, 600))
    for error in waiting.details.get("errors", ()):
        screen.item("-", one_line(str(error), 300), style="dim", indent=4)
    for path in list(waiting.details.get("files", ()))[:_FILES]:
        screen.item("", one_line(str(path)), style="dim", indent=4)
    for brought in waiting.details.get("brings", ()):
        screen.item("-", one_line(str(brought), 400), style="dim", indent=4)
    for what, key in (("versions", "versions"), ("resolve it in", "workspace")):
        if key in waiting.details:
            screen.item("", f"{what}: {one_line(str(waiting.details[key]), 400)}", style="dim", indent=4)
    for line in str(waiting.details.get("output", "")).splitlines()[-_LINES:]:
        screen.item("", one_line(line, 200), style="dim", indent=4)
    for command in answers(waiting, name) if name is not None else ():
        screen.item("", command, style="bold")


def entry(run: Run, waiting: Waiting, name: str) -> dict[str, Any]:
    """A waiting item with the run that it belongs to and the commands that answer it."""
    item: dict[str, Any] = msgspec.to_builtins(waiting)
    return {
        **item,
        "taskId": waiting.task_id,
        "runId": run.id,
        "cwd": run.created.source.cwd,
        "commands": answers(waiting, name),
    }
