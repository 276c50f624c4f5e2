"""Runs in a table, newest first, with what waits for the person below it."""

from __future__ import annotations

import time
from typing import Any

from bigtask.cli.frame import Frame
from bigtask.cli.next_steps import answers, next_steps
from bigtask.cli.reading import Glance
from bigtask.cli.screen import Screen, table, word
from bigtask.cli.standing import state_words
from bigtask.core.events import iso
from bigtask.core.ledger import counts
from bigtask.core.run import Run
from bigtask.core.states import ENDED
from bigtask.core.status import status
from bigtask.words import age, money, one_line, short


def entry(one: Glance) -> dict[str, Any]:
    """A run in one JSON object; one that can't be read has its `error` and nulls."""
    run = one.run
    if run is None:
        return {"id": one.folder.id, "outcome": None, "status": None, "error": one.error}
    return {
        "id": run.id,
        "outcome": run.outcome,
        "status": status(run),
        "phase": run.phase,
        "held": one.held,
        "template": run.created.template_id,
        "cwd": run.created.source.cwd,
        "request": run.created.request,
        "createdAt": iso(run.created_at),
        "updatedAt": iso(run.updated_at),
        "tasks": counts(run),
        "costUsd": run.used.cost_usd,
        "waiting": len(run.waiting),
    }


def show_list(frame: Frame, found: list[Glance]) -> None:
    screen, now = Screen(), time.time() * 1000
    wide = screen.wide
    middle = ("cost", "template") if wide else ()
    columns = ("run", "state", "done", "age", *middle, "project", "request")
    rows = table(*columns, fixed=columns, right=("done",), cut="request")
    for one in found:
        rows.add_row(*(word(_cell(one, name, now, wide)) for name in columns))
    screen.print(rows)
    runs = [(one.run, frame.name_of(one.folder), one.held) for one in found if one.run is not None]
    waiting = [(run, name, item) for run, name, _ in runs for item in run.waiting.values()]
    if waiting:
        screen.title("Waiting for you")
    for run, name, item in waiting:
        who = f"{item.task_id}: " if item.task_id else ""
        screen.item(short(run.id), f"{who}{one_line(item.question, 400)}", style="yellow")
        for command in answers(item, name):
            screen.item("", command, style="bold", indent=len(f"  {short(run.id)} "))
    resting = [(run, name) for run, name, held in runs if not run.waiting and _rests(run, held)]
    if resting:
        screen.title("Waiting to be carried on")
    for run, name in resting:
        screen.item(short(run.id), next_steps(run, name, held=False)[0].command, style="bold")


def _rests(run: Run, held: bool) -> bool:
    return run.outcome is None and (run.paused or not held)


def _cell(one: Glance, name: str, now: float, wide: bool) -> str:
    run = one.run
    if run is None:
        unread = {"run": short(one.folder.id), "state": "! unreadable"}
        return unread.get(name, one_line(one.error) if name == "request" else "")
    match name:
        case "run":
            return short(run.id)
        case "state":
            return state_words(run, held=one.held)
        case "done":
            done = sum(run.counts[state] for state in ENDED)
            return f"{done}/{len(run.tasks)}" if run.tasks else "–"
        case "age":
            return age(now - run.created_at)
        case "cost":
            return money(run.used.cost_usd)
        case "template":
            return run.created.template_id
        case "project":
            return one_line(run.created.source.cwd.rpartition("/")[2] or "/", 24 if wide else 12)
        case _:
            return one_line(run.created.request, 200)
