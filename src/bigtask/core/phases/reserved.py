"""Reserved tasks: phases that one attempt carries out alone, under the rules of any worker."""

from __future__ import annotations

from bigtask.core import fallback
from bigtask.core.events import Errored, Happened, PhaseChanged, WorkerSpawned
from bigtask.core.run import Run
from bigtask.core.states import FELL, Phase, TaskState
from bigtask.core.values import RESERVED


def session_name(run_id: str, task_id: str, number: int) -> str:
    """The public form of these names: `_r{n}` marks the n-th attempt after the first."""
    suffix = f"_r{number - 1}" if number > 1 else ""
    return f"local___orch_{run_id}_worker_{task_id}{suffix}"


def spawned(run: Run, task_id: str) -> WorkerSpawned:
    record = run.record(task_id)
    number = len(record.attempts) + 1 if record else 1
    return WorkerSpawned(
        task_id=task_id,
        attempt=number,
        agent=agent_for(run, task_id),
        session_name=session_name(run.id, task_id, number),
    )


def agent_for(run: Run, task_id: str) -> str:
    """Who is given the task's next attempt."""
    record = run.record(task_id)
    phase = RESERVED.get(task_id, Phase.WORKER_EXECUTION)
    named = record.task.agent if record is not None else None
    return fallback.at_work_for(run, named or run.settings.agent_of(phase))


def proceed(run: Run, task_id: str, now: int) -> tuple[Happened, ...] | None:
    """Drives the task until it is completed, or skipped by a person; its failure is the run's."""
    record = run.reserved.get(task_id)
    if record is not None and record.state in (TaskState.COMPLETED, TaskState.SKIPPED):
        return None
    if run.phase is not RESERVED[task_id]:
        return (PhaseChanged(phase=RESERVED[task_id], round=run.fix_round),)
    if record is None or (record.state is TaskState.READY and record.not_before <= now):
        return (spawned(run, task_id),)
    if record.state in FELL:
        return (Errored(reason=f"{RESERVED[task_id]} failed: {record.reason}"),)
    return ()
