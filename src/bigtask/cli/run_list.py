"""Runs in a table, newest first, with what waits for the person below it."""

from __future__ import annotations

import time
from typing import Any

from bigtask.cli.next_step import answer_command
from bigtask.cli.plain_text import one_line
from bigtask.cli.reading import Glance
from bigtask.cli.screen import Screen, note, table, word
from bigtask.cli.words import age, money, short
from bigtask.core.events import iso
from bigtask.core.ledger import counts
from bigtask.core.run import Run
from bigtask.core.states import ENDED
from bigtask.core.status import status


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


def show_list(found: list[Glance]) -> None:
    screen, now = Screen(), time.time() * 1000
    wide = screen.wide
    middle = ("cost", "template") if wide else ()
    columns = ("run", "state", "done", "age", *middle, "project", "request")
    cut = ("project", "request")
    whole = [name for name in columns if name not in cut]
    rows = table(*columns, fixed=whole, right=("done",), cut=cut)
    for one in found:
        rows.add_row(*(word(_cell(one, name, now, wide)) for name in columns))
    screen.print(rows)
    waiting = [(one.run, one.held) for one in found if one.run is not None and one.run.waiting]
    if waiting:
        screen.title("Waiting for you")
        for run, held in waiting:
            for item in run.waiting.values():
                who = f"{item.task_id}: " if item.task_id else ""
                screen.item(short(run.id), f"{who}{one_line(item.question, 400)}", style="yellow")
                under = len(f"  {short(run.id)} ")
                screen.item("", answer_command(run, item, held=held), style="bold", indent=under)
    left = [one.run for one in found if one.run is not None and _is_left(one.run, one)]
    if left:
        ids = ", ".join(short(run.id) for run in left)
        note(f"\nNobody carries {ids} on: bigtask resume RUN")
    paused = [one.run for one in found if one.run is not None and one.run.paused]
    if paused:
        note("\nPaused: " + "; ".join(f"bigtask resume {short(run.id)}" for run in paused))


def _is_left(run: Run, one: Glance) -> bool:
    return run.started and run.outcome is None and not run.paused and not one.held


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
            return one_line(run.created.source.cwd.rpartition("/")[2] or "/", 24)
        case _:
            return one_line(run.created.request, 70 if wide else 40)


def state_words(run: Run, *, held: bool) -> str:
    """A mark and a word: the outcome of a run that has one, else where it stands."""
    if run.outcome is not None:
        return f"{_OUTCOME_MARKS[run.outcome.value]} {run.outcome}"
    if run.waiting:
        return "? waiting"
    now = status(run)
    if run.paused or run.pausing:
        return "‖ paused" if run.paused else "‖ pausing"
    if not run.started:
        return f"○ {now}"
    return f"● {now}" if held else f"○ {now}"


_OUTCOME_MARKS = {"complete": "✓", "incomplete": "!", "failed": "✗", "cancelled": "–"}
