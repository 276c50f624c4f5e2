"""The agents of a new run: found by their names, able to work here, and willing to take the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bigtask.agents.protocol import Agent
from bigtask.agents.table import AgentTable
from bigtask.configuration.layers import Rank
from bigtask.configuration.resolution import Resolution, Setting
from bigtask.errors import AgentUnavailable, NotFound
from bigtask.host.stand_ins import first_usable


@dataclass(frozen=True, kw_only=True)
class AgentChoice:
    wanted: Agent
    """The run's own agent, whether it can work here or not."""
    instead: Agent
    """Who does its work: itself, or the first of the fallback that can."""
    of_phases: tuple[Agent, ...]
    """Who does the phases that name an agent of their own, stand-ins included."""
    fallback: tuple[Agent, ...]

    @property
    def dear(self) -> Agent | None:
        """The first that costs money, of all that may do any work."""
        every = (self.instead, *self.of_phases, *self.fallback)
        return next((agent for agent in every if agent.traits.costs_money), None)


def choose(
    agents: AgentTable, found: Resolution, agent_for: Mapping[str, str], template_id: str
) -> AgentChoice:
    """`agent_for` names agents by phase. Looks at the machine.

    Raises NotFound, InvalidInput or AgentUnavailable, which say who named an agent when it wasn't the person
    just now.
    """
    fallback = _fallback(found["fallback"], agents)
    wanted = _wanted(found["agent"], agents)
    instead = _able(wanted, agents, fallback, template_id, by=_named_by(found["agent"]))
    of_phases = tuple(
        _able(agents.find(name), agents, fallback, template_id, of=f", for {phase},")
        for phase, name in agent_for.items()
    )
    for agent in (instead, *of_phases):
        refused = agent.refuses(template_id=template_id)
        if refused is not None:
            raise AgentUnavailable(refused)
    stand_ins = tuple(agents[name] for name in fallback)
    return AgentChoice(wanted=wanted, instead=instead, of_phases=of_phases, fallback=stand_ins)


def _wanted(chosen: Setting, agents: AgentTable) -> Agent:
    """The one that is named, else the first that can work here."""
    if chosen.value is None:
        agent = agents.first_usable()
        if agent is None:
            raise AgentUnavailable("no agent can work here: `bigtask agents` says what each of them lacks")
        return agent
    try:
        return agents.find(chosen.value)
    except NotFound as error:
        raise NotFound(f"{error}{_named_by(chosen)}") from None


def _named_by(chosen: Setting) -> str:
    return "" if chosen.origin.rank in (Rank.OPTIONS, Rank.DEFAULT) else f" (it is named by {chosen.origin})"


def _able(
    agent: Agent,
    agents: AgentTable,
    fallback: Sequence[str],
    template_id: str,
    *,
    by: str = "",
    of: str = "",
) -> Agent:
    """The agent itself, or who stands in for it."""
    available = agent.availability()
    if available.usable:
        return agent
    instead = first_usable(agents, fallback, template_id)
    if instead is None:
        nor = f"; nor can {' or '.join(fallback)} (fallback)" if fallback else ""
        raise AgentUnavailable(f"the agent {agent.name}{of} can't work here: {available.detail}{by}{nor}")
    return instead


def _fallback(given: Setting, agents: AgentTable) -> tuple[str, ...]:
    """Looked up now: a name that stands for no agent would be missed only when it is needed."""
    for name in given.value:
        try:
            agents.find(name)
        except NotFound as error:
            raise NotFound(f"fallback: {error}{_named_by(given)}") from None
    return tuple(given.value)
