"""What a person can do next, as the exact command."""

from __future__ import annotations

import shlex

from bigtask.cli.words import short
from bigtask.core.ledger import output_files
from bigtask.core.run import Run
from bigtask.core.states import Outcome, WaitingKind
from bigtask.core.values import Waiting


def answer_command(run: Run, waiting: Waiting, *, held: bool) -> str:
    """One command with every answer that is possible, apart by `|`. A permission is its session's: where
    nobody holds the run there is none, and the task asks again when it goes on."""
    id = short(run.id)
    if waiting.kind is WaitingKind.PERMISSION and not held:
        return f"bigtask resume {id}"
    if waiting.kind is WaitingKind.PLAN:
        return f"bigtask confirm {id}"
    options = "|".join(shlex.quote(option) for option in waiting.options)
    data = " [--data FILE]" if "edit" in waiting.options else ""
    return f"bigtask answer {id} {waiting.id} {options}{data}"


def next_step(run: Run, *, held: bool) -> str:
    """Empty where nothing is left to do."""
    id = short(run.id)
    if run.outcome is None:
        if not run.started:
            return f"bigtask start {id}"
        if run.waiting:
            return answer_command(run, next(iter(run.waiting.values())), held=held)
        if run.paused or run.pausing or not held:
            return f"bigtask resume {id}"
        return f"bigtask watch {id}"
    if run.merged is not None:
        return f"bigtask merge {id} --undo"
    if run.outcome is not Outcome.COMPLETE and any(not record.met for record in run.tasks.values()):
        return f"bigtask retry {id}"
    return f"bigtask merge {id}" if output_files(run) else ""
