"""Which agents may do the work of one that can't work here, as far as that can be looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bigtask.agents.protocol import Agent
from bigtask.core.events import AgentReplaced
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
