"""Hooks: commands of the template that bigtask runs when something has happened.

The event that calls for a hook makes it due, what came of it is an event again, and both are folded like any
other. So a hook that a holder had under way when it died is due to the next one: each is run at least once.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec

from bigtask.core import events as e
from bigtask.core import ledger, view
from bigtask.core.phases import planning
from bigtask.core.retry import delay_ms
from bigtask.core.run import Run
from bigtask.core.states import Phase, TaskState
from bigtask.core.values import PLANNING, Value


class Hook(StrEnum):
    ON_ANALYSIS_COMPLETE = "onAnalysisComplete"
    ON_TASKS_GENERATED = "onTasksGenerated"
    """The only one that decides something: a plan is accepted when it has ended with 0."""
    ON_WORKER_START = "onWorkerStart"
    ON_WORKER_COMPLETE = "onWorkerComplete"
    ON_ALL_WORKERS_COMPLETE = "onAllWorkersComplete"
    ON_ERROR = "onError"


REFUSED = "refused the plan"
"""The `problem` of a hook that did its work and said no."""

_ENDS_OF_WORK = (
    e.WorkerCompleted,
    e.WorkerPartial,
    e.WorkerFailed,
    e.WorkerTimeout,
    e.WorkerCrashed,
    e.WorkerLost,
    e.WorkerCancelled,
)


def called(run: Run, data: e.Happened) -> tuple[Hook, ...]:
    """The run's hooks that the event calls for. `run` hasn't folded it in yet."""
    return tuple(hook for hook in _calls(run, data) if hook in run.settings.hooks)


def _calls(run: Run, data: e.Happened) -> Iterator[Hook]:
    match data:
        case e.AnalysisComplete():
            yield Hook.ON_ANALYSIS_COMPLETE
        case e.WorkerReported(task_id=id) if id == PLANNING:
            yield Hook.ON_TASKS_GENERATED
        case e.WorkerStarted() if data.task_id in run.tasks:
            attempt = run.live_attempt(data.task_id)
            # An attempt that continues its session already has the id of that session.
            if attempt is not None and attempt.session_id is None:
                yield Hook.ON_WORKER_START
        case e.PhaseChanged(phase=phase) if phase is not Phase.WORKER_EXECUTION:
            yield from _work_is_over(run)
        case e.Completed():
            yield from _work_is_over(run)
        case e.Errored():
            yield from _work_is_over(run)
            yield Hook.ON_ERROR
        case _ if isinstance(data, _ENDS_OF_WORK) and data.task_id in run.tasks:
            accepted = isinstance(data, e.WorkerPartial) and run.tasks[data.task_id].half_done
            if data.attempt is not None and not accepted:
                yield Hook.ON_WORKER_COMPLETE


def _work_is_over(run: Run) -> Iterator[Hook]:
    """Only the rules know that nothing more will be tried: they have when the run goes on."""
    if run.phase is Phase.WORKER_EXECUTION:
        yield Hook.ON_ALL_WORKERS_COMPLETE


def troubles(run: Run) -> tuple[str, ...]:
    """A sentence for each hook that didn't always end with 0."""
    return tuple(
        f"the hook {name} {record.problem}" + (f" ({record.failed} of {record.ran} calls)" * (record.ran > 1))
        for name, record in run.hooks.items()
        if record.failed
    )


def due(run: Run) -> list[tuple[int, Hook]]:
    """Every hook that hasn't ended yet, with the event that called for it, in the order of the events."""
    found = [(seq, Hook(name)) for name, record in run.hooks.items() for seq in record.due]
    return sorted(found, key=lambda pair: (pair[0], _ORDER.index(pair[1])))


_ORDER = tuple(Hook)


def occasion(run: Run, hook: Hook, event: e.Event) -> dict[str, Any]:
    """What the hook reads: the event as every surface shows it, and the hook's name. Beside that, as it is
    by now: about a worker the `worker`; for `onTasksGenerated` the `plan` as it would be accepted, with its
    `warnings` and its `estimate`; else how many `tasks` are in each state."""
    told: dict[str, Any] = {"hook": hook.value, **event.public(run.id)}
    record = run.tasks.get(getattr(event.data, "task_id", ""))
    if record is not None:
        return {**told, "worker": msgspec.to_builtins(view.worker(record))}
    if isinstance(event.data, e.WorkerReported):
        (accepted,) = planning.read(run, event.data.report)
        return {**told, **msgspec.to_builtins(accepted)}
    return {**told, "tasks": ledger.counts(run)}


class HookEnded(Value):
    """What the host saw of the hook that `event` had called for."""

    hook: str
    event: int
    task_id: str = ""
    exit_status: int | None
    """None when it didn't end by itself or never began; `trouble` then says why."""
    output: str = ""
    """The end of what it printed."""
    said: str = ""
    """The end of what it printed to standard error."""
    trouble: str = ""


def conclude(run: Run, seen: HookEnded) -> tuple[e.Happened, ...]:
    """The events that `seen` leads to; none for a hook that isn't due any more."""
    record = run.hooks.get(seen.hook)
    if record is None or seen.event not in record.due:
        return ()
    problem = _problem(seen)
    ran = e.HookRan(
        hook=seen.hook,
        event=seen.event,
        task_id=seen.task_id,
        exit_status=seen.exit_status,
        output=seen.output,
        problem=problem,
    )
    return (ran, *_about_the_plan(run, seen, problem)) if seen.hook == Hook.ON_TASKS_GENERATED else (ran,)


def _problem(seen: HookEnded) -> str:
    if seen.exit_status is None:
        return seen.trouble
    if seen.exit_status < 0:
        return f"was ended by signal {-seen.exit_status}"
    if seen.exit_status and seen.hook == Hook.ON_TASKS_GENERATED:
        return REFUSED
    return f"ended with {seen.exit_status}" if seen.exit_status else ""


def _about_the_plan(run: Run, seen: HookEnded, problem: str) -> tuple[e.Happened, ...]:
    """The plan is accepted; or its attempt has failed, and the next one is told why. A hook that couldn't do
    its work has refused nothing, and accepted nothing either: another plan wouldn't help it."""
    record = run.reserved[PLANNING]
    attempt = record.attempt
    assert record.state is TaskState.INTEGRATING
    assert attempt is not None
    assert attempt.report is not None
    who: dict[str, Any] = {"task_id": PLANNING, "attempt": attempt.number}
    if not problem:
        return (e.WorkerCompleted(**who), *planning.read(run, attempt.report))
    if problem != REFUSED:
        why = f"the plan can't be accepted: the hook {seen.hook} {problem}"
        return (e.WorkerFailed(**who, reason=why),)
    said = seen.said.strip() or seen.output.strip() or f"it ended with {seen.exit_status} and said nothing"
    refused = e.WorkerFailed(**who, reason=f"the hook {seen.hook} {REFUSED}: {said}")
    # The planner comes back alone, so that no chance has to keep it from others.
    delay = delay_ms(record, run.settings, jitter=0)
    if delay is None:
        return (refused,)
    return (refused, e.WorkerRetrying(task_id=PLANNING, attempt=attempt.number + 1, delay_ms=delay))
