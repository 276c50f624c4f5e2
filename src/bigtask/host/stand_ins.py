"""Which agents may do the work of one that can't work here, as far as that can be looked up."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping, Sequence

from bigtask.agents.protocol import Agent
from bigtask.core.events import AgentReplaced
from bigtask.core.run import Run
from bigtask.core.values import Settings
from bigtask.errors import BigtaskError


def stand_in(agents: Mapping[str, Agent], name: str, template_id: str) -> Agent | None:
    """The agent of that name, where there is one and it takes the template's work."""
    try:
        agent = agents[name]
    except (KeyError, BigtaskError):
        return None
    return agent if agent.refuses(template_id=template_id) is None else None


def first_usable(agents: Mapping[str, Agent], names: Sequence[str], template_id: str) -> Agent | None:
    """The first of `names` that can work here now. Looks at the machine."""
    found = (stand_in(agents, name, template_id) for name in names)
    return next((agent for agent in found if agent is not None and agent.availability().usable), None)


async def stand_ins_left(run: Run, agents: Mapping[str, Agent], agent: str) -> tuple[str, ...]:
    """The first that can do the work of `agent` from here on, or none."""
    left = [name for name in run.settings.fallback if name != agent and name not in run.replaced]
    # An application that has to be asked may take its time.
    found = await asyncio.to_thread(first_usable, agents, left, run.created.template_id)
    return (found.name,) if found is not None else ()


def others_usable(agents: Mapping[str, Agent], used: Container[str], template_id: str) -> tuple[str, ...]:
    """All but the `used` ones that can do the template's work here now. Looks at the machine."""
    found = []
    for name in agents:
        if name in used:
            continue
        agent = agents[name]
        if agent.refuses(template_id=template_id) is None and agent.availability().usable:
            found.append(name)
    return tuple(found)


def replacements(
    settings: Settings, agents: Mapping[str, Agent], template_id: str
) -> tuple[AgentReplaced, ...]:
    """For those of a new run's agents that can't work here already. Looks at the machine."""
    found = []
    for name in dict.fromkeys((settings.agent, *settings.agent_for.values())):
        available = agents[name].availability()
        if available.usable:
            continue
        instead = first_usable(agents, settings.fallback, template_id)
        if instead is not None:
            found.append(AgentReplaced(agent=name, instead=instead.name, reason=available.detail))
    return tuple(found)
