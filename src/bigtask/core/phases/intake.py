"""Intake: before anything runs, a person says what becomes of uncommitted changes."""

from __future__ import annotations

from bigtask.core.events import Happened, WaitingRaised
from bigtask.core.run import Run
from bigtask.core.states import WaitingKind
from bigtask.core.values import Waiting

SUBJECT = "dirty"
INCLUDE, WITHOUT, STOP = "include", "without", "stop"


def proceed(run: Run, now: int) -> tuple[Happened, ...] | None:
    source = run.created.source
    if not source.dirty or run.settings.include_changes is not None or SUBJECT in run.answers:
        return None
    if run.waiting:
        return ()
    changes = (
        "1 uncommitted change" if source.dirty_count == 1 else f"{source.dirty_count} uncommitted changes"
    )
    waiting = Waiting(
        id=f"w{run.asked + 1}",
        kind=WaitingKind.QUESTION,
        question=f"{changes} in {source.root}: take a snapshot along, go on without, or stop?",
        options=(INCLUDE, WITHOUT, STOP),
        details={"subject": SUBJECT, "files": source.dirty},
    )
    return (WaitingRaised(waiting=waiting),)


def includes_changes(run: Run) -> bool:
    """Whether uncommitted changes are part of what the run starts from."""
    return bool(run.settings.include_changes) or run.answers.get(SUBJECT) == INCLUDE
