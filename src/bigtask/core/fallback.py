"""Who does the work of an agent that can't work here: the first that can of those that stand in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bigtask.core import events as e
from bigtask.core.phases import limits
from bigtask.core.run import Run
from bigtask.core.values import Usage


def at_work_for(run: Run, agent: str) -> str:
    """The agent that does the work of `agent` by now: itself, unless a person has chosen another one at a
    limit, or it couldn't work and was replaced."""
    agent = limits.chosen(run.answers, agent)
    while (replaced := run.replaced.get(agent)) is not None:
        agent = replaced.instead
    return agent


def unavailable(
    run: Run,
    task_id: str,
    attempt: int,
    *,
    reason: str,
    others: Iterable[str],
    usage: Usage,
    tools: Mapping[str, int],
) -> tuple[e.Happened, ...]:
    """The attempt is begun anew with an agent that stands in, for the rest of the run, and uses up no retry;
    nothing where there is none. `others` can work here, the first choice first."""
    record = run.record(task_id)
    assert record is not None
    agent = record.attempts[attempt - 1].agent
    instead = at_work_for(run, agent)
    found: tuple[e.Happened, ...] = ()
    if instead == agent:
        left = [other for other in others if other != agent and other not in run.replaced]
        if not left:
            return ()
        instead = left[0]
        found = (e.AgentReplaced(agent=agent, instead=instead, reason=reason),)
    anew = f"{agent} can't work here: begun anew with {instead}"
    return (*found, e.WorkerLost(task_id=task_id, attempt=attempt, reason=anew, usage=usage, tools=tools))


def notices(run: Run) -> tuple[str, ...]:
    """A sentence for each agent that was replaced, for people."""
    return tuple(
        f"{replaced.instead} does the work of {agent}, which can't work here: {replaced.reason}"
        for agent, replaced in run.replaced.items()
    )
