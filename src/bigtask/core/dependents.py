"""What becomes of tasks that depend on one that didn't end well."""

from __future__ import annotations

from bigtask.core.events import Happened, WaitingRaised, WorkerSkipped
from bigtask.core.run import Run
from bigtask.core.states import ENDED, NOT_BEGUN, TaskState, WaitingKind
from bigtask.core.values import Waiting

_WHAT = {
    TaskState.FAILED: "failed",
    TaskState.TIMEOUT: "ran out of time",
    TaskState.CANCELLED: "was cancelled",
    TaskState.SKIPPED: "was skipped",
}


def skips(run: Run, id: str, what: str, *, by: str = "") -> tuple[WorkerSkipped, ...]:
    """Everything that can't begin without `id`, directly or through others."""
    found: dict[str, None] = {}
    stack = [id]
    while stack:
        for other in run.dependents.get(stack.pop(), ()):
            if other not in found and run.tasks[other].state in NOT_BEGUN:
                found[other] = None
                stack.append(other)
    return tuple(WorkerSkipped(task_id=other, reason=f"{id} {what}", by=by) for other in found)


def ask(run: Run, id: str, attempt: int) -> tuple[WaitingRaised, ...]:
    """Whether others may build on a partial result; no question where nobody wants to."""
    wanting = [other for other in run.dependents.get(id, ()) if run.tasks[other].state in NOT_BEGUN]
    if not wanting:
        return ()
    waiting = Waiting(
        id=f"w{run.asked + 1}",
        kind=WaitingKind.QUESTION,
        question=f"{id} is only partly done: let the {len(wanting)} that depend on it "
        "build on it, try it again, or skip them?",
        options=("accept", "retry", "skip"),
        task_id=id,
        attempt=attempt,
    )
    return (WaitingRaised(waiting=waiting),)


def stuck(run: Run) -> tuple[Happened, ...]:
    """What to do about a task that waits for one that is over: an edit, a retry or a skip by hand can
    bring that about, and nothing else would ever happen to it."""
    asked = {waiting.task_id for waiting in run.waiting.values()}
    for record in run.tasks.values():
        if record.state not in NOT_BEGUN:
            continue
        for id in record.task.dependencies:
            other = run.tasks[id]
            if other.half_done and id not in asked:
                assert other.attempt is not None
                return ask(run, id, other.attempt.number)
            if other.state in ENDED and not other.met and not other.half_done:
                return skips(run, id, _WHAT[other.state])
    return ()
