"""An attempt during which something changed that governs git in the repository, or branches of others.

Whether it did that itself can't be known: whatever was at work at that time may have. So its work is kept
and goes nowhere before a person has looked.
"""

from __future__ import annotations

from collections.abc import Mapping

from bigtask.core import events as e
from bigtask.core.run import Run, TaskRecord
from bigtask.core.states import WaitingKind
from bigtask.core.values import PLANNING, RESERVED, Usage, Waiting

ACCEPT = "accept"
_SHOWN = 5


def quarantined(
    run: Run,
    record: TaskRecord,
    number: int,
    changed: tuple[str, ...],
    usage: Usage,
    tools: Mapping[str, int],
) -> tuple[e.Happened, ...]:
    """The attempt's end, and the question what becomes of it."""
    id = record.task.id
    what = _listed(changed)
    reason = f"while it worked, {what} changed in the repository"
    question = (
        f"While {id} worked, {what} changed in the repository, and who did it isn't known. Its work is kept "
        "where it is. See what git would run (`git config --list --show-origin`, .git/hooks) and put right "
        f"what isn't yours before you use git there. Then: {_WAYS[_options(record, number)]}?"
    )
    waiting = Waiting(
        id=f"w{run.asked + 1}",
        kind=WaitingKind.TRUST,
        question=question,
        options=_options(record, number),
        details={"changed": changed, "branch": record.attempts[number - 1].branch},
        task_id=id,
        attempt=number,
    )
    end = e.WorkerQuarantined(
        task_id=id, attempt=number, reason=reason, changed=changed, usage=usage, tools=tools
    )
    return (end, e.WaitingRaised(waiting=waiting))


def accepted(record: TaskRecord) -> tuple[e.Happened, ...]:
    """A person takes the work as it is: it goes into its checks and merge."""
    attempt = record.attempt
    assert attempt is not None
    assert attempt.report is not None
    return (e.WorkerReported(task_id=record.task.id, attempt=attempt.number, report=attempt.report),)


_REPORTED = (ACCEPT, "retry", "skip")
_UNREPORTED = ("retry", "skip")
_PHASE = ("retry", "skip", "fail")
_NEEDED = ("retry", "fail")
_WAYS = {
    _REPORTED: "take its work in, try it again, or go on without it",
    _UNREPORTED: "try it again, or go on without it",
    _PHASE: "try it again, go on without it, or let the run fail",
    _NEEDED: "try it again, or let the run fail",
}


def _options(record: TaskRecord, number: int) -> tuple[str, ...]:
    if record.task.id == PLANNING:
        return _NEEDED
    if record.task.id in RESERVED:
        return _PHASE
    return _REPORTED if record.attempts[number - 1].report is not None else _UNREPORTED


def _listed(changed: tuple[str, ...]) -> str:
    more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    return ", ".join(changed[:_SHOWN]) + more
