"""What a new holder says first about a run whose last one ended without a word."""

from __future__ import annotations

from collections.abc import Container

from bigtask.core.events import Happened, Recovered, WorkerLost, WorkerPaused, WorkerResumed
from bigtask.core.run import Run
from bigtask.core.values import AGGREGATION, RESERVED


def recover(run: Run, *, resumable: Container[str] = ()) -> tuple[Happened, ...]:
    """Attempts that were under way go on in their session where the agent can; the others are lost and
    come again under a new number. Reported work needs nothing: it is on its way into the merge."""
    held = run.queue.next_due() is not None or any(record.not_before for record in run.reserved.values())
    if not run.live and not held:
        return ()
    events: list[Happened] = []
    lost = 0
    for id, number in run.live.items():
        attempt = run.live_attempt(id)
        if attempt is not None and attempt.session_id is not None and attempt.agent in resumable:
            events.append(WorkerPaused(task_id=id, attempt=number, usage=attempt.usage, tools=attempt.tools))
            if not run.pausing:
                events.append(WorkerResumed(task_id=id, attempt=number))
        else:
            lost += 1
            events.append(WorkerLost(task_id=id, attempt=number, reason="the process that ran it ended"))
    return (*events, Recovered(lost=lost))


def merges(run: Run, id: str) -> bool:
    """Whether reported work of the task goes into the integration branch, which the host sees to."""
    return run.settings.isolation != "none" and (id not in RESERVED or id == AGGREGATION)


def to_integrate(run: Run) -> dict[str, int]:
    """Attempt numbers by task id: work that was reported and acknowledged, but not merged yet."""
    return {id: number for id, number in run.integrating.items() if merges(run, id)}
