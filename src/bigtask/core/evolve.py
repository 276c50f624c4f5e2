"""`evolve`: folds events into a `Run`, which nothing else changes.

It owns the state and changes it in place, so folding a long log costs no copies. It decides nothing: an
event that isn't legal here is a bug and raises `IllegalMove`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from bigtask.core import events as e
from bigtask.core import run_meanings as of_run
from bigtask.core import worker_meanings as of_work
from bigtask.core.hooks import called
from bigtask.core.run import HookRecord, Run
from bigtask.core.states import AttemptState, IllegalMove, TaskState


def begin(run_id: str, event: e.Event) -> Run:
    """The state after the first event of a log, which is `Created`."""
    if not isinstance(event.data, e.Created):
        raise IllegalMove(f"a run begins with {e.Created.type}, not with {event.type}")
    ci = event.data.settings.ci
    at = event.at
    return Run(id=run_id, created=event.data, created_at=at, seq=event.seq, updated_at=at, asks_nobody=ci)


def fold(run_id: str, events: Iterable[e.Event]) -> Run:
    """Raises IllegalMove for an empty log."""
    iterator = iter(events)
    first = next(iterator, None)
    if first is None:
        raise IllegalMove("an empty log is no run")
    run = begin(run_id, first)
    for event in iterator:
        evolve(run, event)
    return run


def evolve(run: Run, event: e.Event) -> None:
    if event.seq != run.seq + 1:
        raise IllegalMove(f"event {event.seq} can't follow event {run.seq}")
    calls = called(run, event.data) if run.settings.hooks else ()
    _MEANING[type(event.data)](run, event.data, event.at)
    for hook in calls:
        run.hooks.setdefault(hook.value, HookRecord()).due.append(event.seq)
    run.seq = event.seq
    run.updated_at = event.at


_MEANING: dict[type[e.Happened], Callable[[Run, Any, int], None]] = {
    e.Started: of_run.started,
    e.PhaseChanged: of_run.phase_changed,
    e.AnalysisComplete: of_run.analysis_complete,
    e.TasksReady: of_run.tasks_ready,
    e.PlanChanged: of_run.plan_changed,
    e.Confirmed: of_run.confirmed,
    e.Progress: of_run.nothing,
    e.WaitingRaised: of_run.waiting_raised,
    e.Answered: of_run.answered,
    e.AgentReplaced: of_run.agent_replaced,
    e.BudgetWarning: of_run.budget_warning,
    e.Pausing: of_run.pausing,
    e.Paused: of_run.paused,
    e.Resumed: of_run.resumed,
    e.Recovered: of_run.recovered,
    e.Commanded: of_run.commanded,
    e.HookRan: of_run.hook_ran,
    e.Merged: of_run.merged,
    e.Completed: of_run.completed,
    e.Errored: of_run.errored,
    e.Cancelled: of_run.cancelled,
    e.WorkerSpawned: of_work.spawned,
    e.WorkerStarted: of_work.worker_started,
    e.WorkerProgress: of_work.worker_progress,
    e.WorkerMessage: of_run.nothing,
    e.WorkerReported: of_work.reported,
    e.WorkerReasked: of_work.reasked,
    e.WorkerChecked: of_work.checked,
    e.WorkerConflict: of_work.conflict,
    e.WorkerResolving: of_work.resolving,
    e.WorkerSettling: of_work.settling,
    e.WorkerMerged: of_work.worker_merged,
    e.WorkerCompleted: of_work.worker_completed,
    e.WorkerPartial: of_work.worker_partial,
    e.WorkerFailed: of_work.failed,
    e.WorkerTimeout: of_work.ended(AttemptState.TIMEOUT, TaskState.TIMEOUT, uses_up_a_retry=True),
    e.WorkerCrashed: of_work.ended(AttemptState.CRASHED, TaskState.FAILED, uses_up_a_retry=True),
    e.WorkerLost: of_work.lost,
    e.WorkerSuperseded: of_work.superseded,
    e.WorkerNeedsReview: of_work.needs_review,
    e.WorkerQuarantined: of_work.quarantined,
    e.WorkerTampered: of_work.tampered,
    e.WorkerReopened: of_work.reopened,
    e.WorkerRetrying: of_work.retrying,
    e.WorkerCancelled: of_work.worker_cancelled,
    e.WorkerSkipped: of_work.skipped,
    e.WorkerPaused: of_work.worker_paused,
    e.WorkerResumed: of_work.worker_resumed,
    e.WorkerWaiting: of_work.now(AttemptState.WAITING),
    e.WorkerLimited: of_work.limited,
    e.WorkerHeld: of_work.held,
    e.WorkerWentOn: of_work.went_on,
    e.WorkerUsed: of_work.used,
    e.WorkerStalled: of_work.stalled,
    e.WorkerTimeUp: of_work.time_up,
}
