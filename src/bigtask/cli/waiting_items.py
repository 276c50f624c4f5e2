"""What waits for a person, each with the commands that answer it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from bigtask.cli.next_steps import answers
from bigtask.cli.screen import Screen, word
from bigtask.core.events import iso
from bigtask.core.permissions import covered, scopes_of
from bigtask.core.run import Run
from bigtask.core.unanswered import policy_of
from bigtask.core.values import Waiting
from bigtask.words import duration, letter_by_letter, one_line, short

_FILES = 10
_LINES = 12


def show_waiting(
    screen: Screen, run: Run, waiting: Waiting, name: str | None, *, with_run: bool = False
) -> None:
    """`name` is what the run is called in a command; None where nothing can be done with it."""
    project = one_line(run.created.source.cwd.rpartition("/")[2], 24)
    where = f"{short(run.id)} {project}  " if with_run else ""
    who = f"  {waiting.task_id}" if waiting.task_id else ""
    screen.print(word(f"{where}{waiting.id} {waiting.kind}{who}{_times(run, waiting)}", style="bold yellow"))
    screen.item("", one_line(waiting.question, 600))
    scopes = scopes_of(waiting)
    if "covers" in waiting.details:
        screen.item(
            "",
            f"an answer for the {_or(scopes[1:])} covers {letter_by_letter(covered(waiting))}",
            style="dim",
        )
    elif waiting.request_id is not None and len(scopes) == 1:
        screen.item("", "an answer holds once: it can't be told in full what it is about", style="dim")
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


def _or(scopes: Sequence[str]) -> str:
    *most, last = scopes
    return f"{', '.join(most)} or {last}" if most else last


def _times(run: Run, waiting: Waiting) -> str:
    """How long it has waited, and what becomes of it when it does for longer."""
    now = time.time_ns() // 1_000_000
    said = "" if waiting.asked_at is None else f"  for {duration(max(now - waiting.asked_at, 0))}"
    policy = policy_of(run, waiting)
    if waiting.expires_at is None or policy is None:
        return said
    left_ms = waiting.expires_at - now
    when = f"in {duration(left_ms)}" if left_ms > 0 else "as soon as somebody carries the run on"
    return f"{said}, settled by {policy.answer} {when}"


def entry(run: Run, waiting: Waiting, name: str) -> dict[str, Any]:
    """A waiting item with the run that it belongs to and the commands that answer it."""
    item: dict[str, Any] = msgspec.to_builtins(waiting)
    return {
        **item,
        "taskId": waiting.task_id,
        "askedAt": None if waiting.asked_at is None else iso(waiting.asked_at),
        "expiresAt": None if waiting.expires_at is None else iso(waiting.expires_at),
        "scopes": scopes_of(waiting),
        "runId": run.id,
        "cwd": run.created.source.cwd,
        "commands": answers(waiting, name),
    }
