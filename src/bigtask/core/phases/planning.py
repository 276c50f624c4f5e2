"""Planning: `@planning` splits the request into tasks; then a person confirms the plan, or the rules do.

What `@planning` answers has been checked as a whole while its session was open (`plan.problems`), so
that it could mend it; here it becomes revision 1.
"""

from __future__ import annotations

from bigtask.core import estimate, plan
from bigtask.core.events import Confirmed, Happened, PhaseChanged, TasksReady, WaitingRaised
from bigtask.core.phases import reserved
from bigtask.core.run import Run
from bigtask.core.states import Phase, WaitingKind
from bigtask.core.values import PLANNING, Plan, Report, Task, Waiting

ONLY_TASK = "whole-request"


def proceed(run: Run, now: int) -> tuple[Happened, ...] | None:
    if run.plan is not None:
        return None
    if run.settings.phase(Phase.TASK_PLANNING).enabled:
        return reserved.proceed(run, PLANNING, now)
    if run.phase is not Phase.TASK_PLANNING:
        return (PhaseChanged(phase=Phase.TASK_PLANNING),)
    request = run.created.request
    return (ready(run, (Task(id=ONLY_TASK, title=request.strip()[:80], description=request),)),)


def read(run: Run, report: Report) -> tuple[Happened, ...]:
    return (ready(run, tuple(plan.task_from_answer(task) for task in report.data["tasks"])),)


def ready(run: Run, tasks: tuple[Task, ...]) -> TasksReady:
    first = Plan(revision=1, tasks=tasks)
    return TasksReady(plan=first, warnings=plan.warnings(first), estimate=estimate.of(first, run.settings))


def confirm(run: Run, now: int) -> tuple[Happened, ...] | None:
    """The step between plan and work. With an agent that costs money only a person's word counts as
    confirmation, given now or beforehand."""
    if run.confirmed:
        return None
    assert run.plan is not None
    settings = run.settings
    if settings.yes:
        return (Confirmed(revision=run.plan.revision, by="--ci" if settings.ci else "--yes"),)
    if settings.auto_spawn and not settings.costs_money:
        return (Confirmed(revision=run.plan.revision, by="autoSpawn"),)
    if any(waiting.kind is WaitingKind.PLAN for waiting in run.waiting.values()):
        return ()
    waiting = Waiting(
        id=f"w{run.asked + 1}",
        kind=WaitingKind.PLAN,
        question=f"Start {len(run.plan.tasks)} tasks as planned?",
        options=("confirm", "cancel"),
    )
    return (WaitingRaised(waiting=waiting),)
