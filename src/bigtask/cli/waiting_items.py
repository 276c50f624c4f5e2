"""What waits for a person, each with the command that answers it."""

from __future__ import annotations

from typing import Any

import msgspec

from bigtask.cli.next_step import answer_command
from bigtask.cli.plain_text import one_line
from bigtask.cli.screen import Screen, word
from bigtask.cli.words import short
from bigtask.core.run import Run
from bigtask.core.values import Waiting


def show_waiting(screen: Screen, run: Run, waiting: Waiting, *, held: bool, with_run: bool = False) -> None:
    project = run.created.source.cwd.rpartition("/")[2]
    where = f"{short(run.id)} {project}  " if with_run else ""
    who = f"  {waiting.task_id}" if waiting.task_id else ""
    screen.print(word(f"{where}{waiting.id} {waiting.kind}{who}", style="bold yellow"))
    screen.item("", one_line(waiting.question, 600))
    for error in waiting.details.get("errors", ()):
        screen.item("-", one_line(str(error), 300), style="dim", indent=4)
    for path in list(waiting.details.get("files", ()))[:10]:
        screen.item("", one_line(str(path)), style="dim", indent=4)
    screen.item("", answer_command(run, waiting, held=held), style="bold")


def entry(run: Run, waiting: Waiting, *, held: bool) -> dict[str, Any]:
    """A waiting item with the run that it belongs to and the command that answers it."""
    item: dict[str, Any] = msgspec.to_builtins(waiting)
    return {
        **item,
        "runId": run.id,
        "cwd": run.created.source.cwd,
        "command": answer_command(run, waiting, held=held),
    }
