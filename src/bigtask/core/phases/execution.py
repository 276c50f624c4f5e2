"""Execution: whatever may start does, as long as a slot is free."""

from __future__ import annotations

from bigtask.core.dependents import stuck
from bigtask.core.events import Happened, PhaseChanged
from bigtask.core.phases.reserved import agent_for, spawned
from bigtask.core.plan import overlap
from bigtask.core.run import Run
from bigtask.core.states import ENDED, Phase


def proceed(run: Run, now: int) -> tuple[Happened, ...] | None:
    """One start at a time: it is asked again until nothing more may start."""
    if run.phase is not Phase.WORKER_EXECUTION:
        if _settled(run) or not run.settings.phase(Phase.WORKER_EXECUTION).enabled:
            return None
        return (PhaseChanged(phase=Phase.WORKER_EXECUTION, round=run.fix_round),)
    if len(run.live) < run.settings.slots:
        id = run.queue.peek(now, lambda task_id: _clash(run, task_id) or _full(run, task_id))
        if id is not None:
            return (spawned(run, id),)
    if run.live or run.integrating:
        return ()
    return None if _settled(run) else stuck(run)


def _settled(run: Run) -> bool:
    return sum(run.counts[state] for state in ENDED) == len(run.tasks)


def _clash(run: Run, id: str) -> str | None:
    """A task at work that may write in the same place as `id`."""
    mine = run.areas.get(id)
    if mine is None:
        return None
    for busy in (*run.live, *run.integrating):
        theirs = run.areas.get(busy)
        if theirs is not None and overlap(mine, theirs):
            return busy
    return None


def _full(run: Run, id: str) -> str | None:
    """A task at work with the agent of `id`, where that has all the attempts that it may have at once. Others
    begin meanwhile: one that only waits for its agent takes none of the run's slots."""
    agent = agent_for(run, id)
    most = run.settings.slots_for.get(agent)
    if most is None:
        return None
    busy = [live for live in run.live if (attempt := run.live_attempt(live)) and attempt.agent == agent]
    return busy[0] if len(busy) >= most else None
