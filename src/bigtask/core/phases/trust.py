"""What a project brings for the agent that works in it: instructions, hooks, tool servers, settings.

Nothing of it counts before a person has approved it, as it is byte for byte. A run asks before its first
session; what its own work changes afterwards is never asked about: sessions then go without.
"""

from __future__ import annotations

from bigtask.core.events import Happened, WaitingRaised, WorkerLost
from bigtask.core.phases.intake import STOP, WITHOUT
from bigtask.core.run import Run
from bigtask.core.states import WaitingKind
from bigtask.core.values import Brought, Waiting

APPROVE = "approve"
_SUBJECT = "trust:"
"""Before the digest: what `run.answers` keeps the answer under."""
_SHOWN = 4
_LISTED = 200


def loads(run: Run, task_id: str, number: int, digest: str, *, approved: bool) -> bool | None:
    """Whether that attempt's agent may load what is there; None where a person has to say so first.

    `approved`: exactly this content was approved on this machine.
    """
    wanted = run.settings.project_rules
    if wanted is False:
        return False
    if approved or run.answers.get(_SUBJECT + digest) == APPROVE:
        return True
    declined = any(run.answers[key] == WITHOUT for key in run.answers if key.startswith(_SUBJECT))
    if declined or _goes_on(run, task_id, number):
        return False
    untouched = not any(attempt.evidence for record in run.tasks.values() for attempt in record.attempts)
    if wanted and untouched:
        return True
    begun = any(attempt.session_id for record in run.all_records() for attempt in record.attempts)
    asks_nobody = wanted or run.settings.yes or (begun and not untouched)
    return False if asks_nobody else None


def _goes_on(run: Run, task_id: str, number: int) -> bool:
    """Whether the session has been at work there: then what is there may be its own."""
    record = run.record(task_id)
    return record is not None and record.attempts[number - 1].session_id is not None


def found(
    run: Run, task_id: str, attempt: int, *, agent: str, digest: str, brought: tuple[Brought, ...]
) -> tuple[Happened, ...]:
    """The attempt's end, which counts nothing against its task, and the question. Of several attempts that
    begin at once the first one asks."""
    reason = f"what the project brings for {agent} isn't approved as it is now"
    lost = WorkerLost(task_id=task_id, attempt=attempt, reason=reason)
    if asks(run):
        return (lost,)
    waiting = Waiting(
        id=f"w{run.asked + 1}",
        kind=WaitingKind.TRUST,
        question=f"May {agent} load and run what the project brings, as it is now (on this machine, until a "
        f"byte of it changes)? Else it goes on without, or stops. It is: {summary(brought)}",
        options=(APPROVE, WITHOUT, STOP),
        details={"subject": _SUBJECT + digest, "agent": agent, "brings": sentences(brought)},
    )
    return (lost, WaitingRaised(waiting=waiting))


def asks(run: Run) -> bool:
    return any(is_about_rules(waiting) for waiting in run.waiting.values())


def is_about_rules(waiting: Waiting) -> bool:
    """False for a question about what an attempt has changed, which is of the same kind."""
    return str(waiting.details.get("subject", "")).startswith(_SUBJECT)


def sentences(brought: tuple[Brought, ...]) -> tuple[str, ...]:
    """A line for each thing: the file, and what it would do."""
    lines = [f"{file.path}{_CHANGES[file.change]}: {what}" for file in brought for what in file.what]
    more = len(lines) - _LISTED
    return (*lines[:_LISTED], *((f"and {more} more",) if more > 0 else ()))


def summary(brought: tuple[Brought, ...]) -> str:
    """The first few of them in half a sentence, those that are new or changed before all others."""
    ordered = sorted(brought, key=lambda file: not file.change)
    parts = [f"{file.path}{_CHANGES[file.change]} ({'; '.join(file.what)})" for file in ordered]
    more = f" and {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""
    return ", ".join(parts[:_SHOWN]) + more


_CHANGES = {
    "": "",
    "new": " [new since you approved]",
    "changed": " [changed since you approved]",
    "gone": " [gone since you approved]",
}
