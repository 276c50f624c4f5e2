"""What edits would make of a plan: looked at before they are made, and changing nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bigtask.core import estimate
from bigtask.core import plan as plans
from bigtask.core.commands import editable_plan, require
from bigtask.core.edits import Edit, apply
from bigtask.core.plan import Misfit
from bigtask.core.run import Run
from bigtask.core.values import Estimate, Task, Value
from bigtask.errors import InvalidPlan


class Outlook(Value, omit_defaults=False):
    """`problems` keep the plan from being used, `warnings` don't. `agreed_commands` are those of checks that
    are run without anybody's word; what else a check runs, confirming the plan allows."""

    problems: tuple[Misfit, ...]
    warnings: tuple[str, ...] = ()
    estimate: Estimate | None = None
    agreed_commands: tuple[tuple[str, ...], ...] = ()


def outlook(
    run: Run,
    edits: Iterable[Edit],
    *,
    revision: int,
    known_agents: Callable[[Iterable[str]], Iterable[str]],
) -> Outlook:
    """`known_agents` says which of some names there are. Raises what the edit itself would: Conflict,
    NotFound, StaleRevision; all that is wrong with the plan is told instead."""
    require(run, "edit")
    made = tuple(edits)
    plan = editable_plan(run, revision, made)
    allowed = run.settings.allowed_commands
    try:
        edited = apply(plan, made)
    except InvalidPlan as error:
        return Outlook(problems=tuple(Misfit(sentence=said) for said in error.problems))
    agents = known_agents(_named(edited.tasks))
    found = plans.misfits(edited.tasks, run.settings, agents=agents)
    return Outlook(
        problems=found,
        warnings=plans.warnings(edited),
        # Nothing can be reckoned with an order that goes in a circle or leads nowhere.
        estimate=None if found else estimate.of(edited, run.settings),
        agreed_commands=tuple(
            check.command
            for task in edited.tasks
            for check in task.checks
            if check.command is not None and check.command in allowed
        ),
    )


def _named(tasks: Iterable[Task]) -> set[str]:
    return {task.agent for task in tasks if task.agent is not None}
