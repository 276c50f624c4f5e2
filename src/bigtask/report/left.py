"""What is left to a person when a run has stopped."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from bigtask.core import ledger
from bigtask.core.claims import FAILS, HOLDS
from bigtask.core.events import iso
from bigtask.core.phases import verification
from bigtask.core.phases.aggregation import anything_merged
from bigtask.core.run import Run
from bigtask.core.states import FELL, AttemptState, Outcome, TaskState
from bigtask.core.values import Value

_NAMED = 3


class Left(Value, omit_defaults=False):
    """A sentence, and the command that does it; empty where none does."""

    what: str
    command: str


def left(run: Run) -> tuple[Left, ...]:
    """Most urgent first: what the run waits for, what failed, what to look at, and at last the merge."""
    return tuple(Left(what=what, command=command) for what, command in _left(run))


def _left(run: Run) -> Iterator[tuple[str, str]]:
    for waiting in run.waiting.values():
        yield f"answer {waiting.id}: {waiting.question}", f"bigtask show {run.id}"
    if run.outcome is None:
        yield from ((what, "") for what in _held_up(run))
        return
    if any(run.counts[state] for state in FELL) or run.outcome is Outcome.FAILED:
        ids = [record.task.id for record in run.tasks.values() if record.state in FELL]
        what = "try again what failed, or go on without it" + (f": {', '.join(ids)}" if ids else "")
        yield what, f"bigtask retry {run.id}"
    yield from ((what, "") for what in _to_look_at(run))
    if anything_merged(run) and run.settings.isolation != "none" and run.merged is None:
        yield "take the result into your branch or folder", f"bigtask merge {run.id}"


def _held_up(run: Run) -> Iterator[str]:
    """What goes on without anybody, and when."""
    for id in run.live:
        attempt = run.live_attempt(id)
        if attempt is None:
            continue
        if attempt.state is AttemptState.LIMITED:
            ends_at = attempt.limit_ends_at
            when = f" at {iso(ends_at)}" if ends_at is not None else ""
            yield f"nothing about {id}: its account is limited, and it goes on by itself{when}"
        elif attempt.state is AttemptState.STALLED:
            yield f"nothing yet about {id}: it shows no sign of life, and was asked what is going on"


def _to_look_at(run: Run) -> Iterator[str]:
    for red in verification.red_commands(run):
        yield f"repair what makes `{shlex.join(red.command)}` fail on the merged whole"
    for entry in ledger.ledger(run):
        if entry.state is TaskState.PARTIAL:
            yield f"see to the rest of {entry.task_id}: {entry.reason}"
        yield from _unproved(run, entry)
        if run.verdict is None:
            continue
        for claim in entry.claims:
            if claim.verdict == FAILS:
                yield f"see to it that {claim.claim} ({entry.task_id})"
            elif claim.verdict != HOLDS:
                yield f"look whether it is so: {claim.claim} ({entry.task_id})"
    yield from _issues(run)


def _unproved(run: Run, entry: ledger.Entry) -> Iterator[str]:
    attempt = run.tasks[entry.task_id].attempt
    evidence = attempt.evidence if attempt is not None else None
    if evidence is None:
        return
    if not evidence.files:
        yield f"look whether {entry.task_id} did what it says: it changed nothing"
    elif evidence.claimed_unchanged:
        paths = _some(evidence.claimed_unchanged)
        yield f"look whether {entry.task_id} did what it says: unchanged is {paths}"
    if evidence.outside_scope:
        yield f"look at what {entry.task_id} changed outside its scope: {_some(evidence.outside_scope)}"


def _some(paths: tuple[str, ...]) -> str:
    return ", ".join(paths[:_NAMED]) + (f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else "")


def _issues(run: Run) -> Iterator[str]:
    issues = run.verdict.data.get("issues", ()) if run.verdict is not None else ()
    for issue in issues:
        if issue.get("severity", "error") != "info":
            where = f" ({issue['location']})" if issue.get("location") else ""
            yield f"look at: {issue.get('description', '')}{where}"
