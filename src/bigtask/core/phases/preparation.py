"""Where a workspace couldn't be made ready: the attempt is given up without a word against its task, and
nothing more starts until a person has said what then.
"""

from __future__ import annotations

from bigtask.core.events import Happened, WaitingRaised, WorkerLost, WorkerSpawned
from bigtask.core.phases import trust
from bigtask.core.phases.intake import STOP, WITHOUT
from bigtask.core.run import Run
from bigtask.core.states import WaitingKind
from bigtask.core.values import Waiting

INCLUDE, SETUP, SPACE = "include", "setup", "space"
"""What can go wrong, and what `run.answers` keeps the answers under."""
RETRY = "retry"
_OPTIONS = (RETRY, WITHOUT, STOP)


def allow(run: Run, events: tuple[Happened, ...]) -> tuple[Happened, ...]:
    """The events, but no start while the question is open."""
    return () if asks(run) and any(isinstance(event, WorkerSpawned) for event in events) else events


def asks(run: Run) -> bool:
    return trust.asks(run) or any(
        waiting.details.get("subject") in (INCLUDE, SETUP, SPACE) for waiting in run.waiting.values()
    )


def failed(
    run: Run, task_id: str, attempt: int, *, subject: str, reason: str, output: str
) -> tuple[Happened, ...]:
    """The attempt's end, and the question. Of several that fail at once the first one asks."""
    lost = WorkerLost(task_id=task_id, attempt=attempt, reason=reason)
    if asks(run):
        return (lost,)
    waiting = Waiting(
        id=f"w{run.asked + 1}",
        kind=WaitingKind.QUESTION,
        question=f"{reason}: try again, go on without that, or stop the run?",
        options=_OPTIONS,
        details={"subject": subject, "failedTask": task_id, "output": output},
    )
    return (lost, WaitingRaised(waiting=waiting))


def goes_without(run: Run, subject: str) -> bool:
    """Whether a person has said that work may begin all the same."""
    return run.answers.get(subject) == WITHOUT
