"""The end: what the run came to."""

from __future__ import annotations

from bigtask.core.events import Completed, Errored, Happened, WorkerSkipped
from bigtask.core.phases import verification
from bigtask.core.phases.aggregation import anything_merged
from bigtask.core.run import Run
from bigtask.core.states import NOT_BEGUN, Outcome, Phase, TaskState


def proceed(run: Run) -> tuple[Happened, ...]:
    missed = [record for record in run.tasks.values() if not _done(record.state, record.by)]
    if missed and not anything_merged(run):
        if not run.settings.phase(Phase.WORKER_EXECUTION).enabled:
            left = [record.task.id for record in missed if record.state in NOT_BEGUN]
            return (
                *(WorkerSkipped(task_id=id, reason="worker execution is off") for id in left),
                Completed(outcome=Outcome.INCOMPLETE, reason="planned only: worker execution is off"),
            )
        return (Errored(reason=f"no task was completed; {missed[0].task.id}: {missed[0].reason}"),)
    reasons = []
    if missed:
        total = len(run.tasks)
        reasons.append(
            f"{len(missed)} of {total} tasks not completed: " + _name_some([r.task.id for r in missed])
        )
    if _wants_verification(run) and not verification.passed(run):
        said = verification.why_not(run)
        reasons.append(f"verification did not pass{_rounds(run)}" + (f": {said}" if said else ""))
    outcome = Outcome.INCOMPLETE if reasons else Outcome.COMPLETE
    return (Completed(outcome=outcome, reason="; ".join(reasons)),)


def _done(state: TaskState, by: str) -> bool:
    """A partial result that somebody accepted is still a partial one."""
    return state is TaskState.COMPLETED or (state is TaskState.SKIPPED and bool(by))


def _rounds(run: Run) -> str:
    rounds = run.fix_round
    return f" after {rounds} repair round{'' if rounds == 1 else 's'}" if rounds else ""


def _wants_verification(run: Run) -> bool:
    return run.settings.phase(Phase.VERIFICATION).enabled and anything_merged(run)


def _name_some(ids: list[str]) -> str:
    return ", ".join(ids[:5]) + (" …" if len(ids) > 5 else "")
