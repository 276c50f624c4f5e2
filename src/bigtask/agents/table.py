"""Every agent by its name: the one table that the CLI, the API and the docs are made from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bigtask.agents.protocol import Agent
from bigtask.errors import BigtaskError, NotFound

SCRIPTED = "scripted:"
"""Before the path of a script: `scripted:FILE` is an agent of its own."""


def _claude() -> Agent:
    from bigtask.agents.claude.agent import ClaudeAgent

    return ClaudeAgent()


def _desktop() -> Agent:
    from bigtask.agents.desktop.agent import DesktopAgent
    from bigtask.configuration.files import user_layer
    from bigtask.configuration.layers import of_environment
    from bigtask.configuration.resolution import resolve

    settings = resolve((of_environment(os.environ), user_layer(os.environ)))
    return DesktopAgent(settings["desktopEndpoint"].value, elsewhere=settings["desktopElsewhere"].value)


def _offline() -> Agent:
    from bigtask.agents.offline.agent import OfflineAgent

    return OfflineAgent()


def _scripted(name: str) -> Agent:
    from bigtask.agents.scripted.agent import ScriptedAgent
    from bigtask.agents.scripted.script import load_script

    return ScriptedAgent(load_script(Path(name.removeprefix(SCRIPTED))), name=name)


AGENTS: dict[str, Callable[[], Agent]] = {"claude": _claude, "desktop": _desktop, "offline": _offline}
"""In the order in which one is chosen when nobody names one; after them come those that are defined."""


def _defined() -> dict[str, Callable[[], Agent]]:
    """The agents that bigtask knows a file for, and a person's own, which stand above them."""
    from bigtask.agents.acp.agent import AcpAgent
    from bigtask.agents.acp.catalogue import known
    from bigtask.agents.command.agent import CommandAgent
    from bigtask.configuration.agent_definitions import AcpDefinition, Definition, definitions
    from bigtask.configuration.files import user_layer
    from bigtask.configuration.layers import of_environment
    from bigtask.configuration.resolution import resolve

    def maker(name: str, definition: Definition) -> Callable[[], Agent]:
        if isinstance(definition, AcpDefinition):
            return lambda: AcpAgent(name, definition)
        return lambda: CommandAgent(name, definition)

    settings = resolve((of_environment(os.environ), user_layer(os.environ)))
    found: dict[str, Definition] = {**known(), **definitions(settings["agents"].value)}
    return {name: maker(name, definition) for name, definition in found.items()}


class AgentTable(Mapping[str, Agent]):
    """Agents are made when they are first asked for; `own` are an embedding program's."""

    def __init__(self, own: Mapping[str, Agent] | None = None, *, others: bool = True) -> None:
        """Without `others` there are no agents but `own`, and scripts."""
        self._made: dict[str, Agent] = dict(own or {})
        self._shipped = AGENTS if others else {}
        self._defined: Mapping[str, Callable[[], Agent]] | None = None if others else {}

    def __getitem__(self, name: str) -> Agent:
        """Raises KeyError; `find` has the sentence for people."""
        if name not in self._made:
            if name.startswith(SCRIPTED):
                self._made[name] = _scripted(name)
            else:
                self._made[name] = (self._shipped.get(name) or self._others()[name])()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys((*self._shipped, *self._others(), *self._made))

    def __len__(self) -> int:
        return len({*self._shipped, *self._others(), *self._made})

    def find(self, name: str) -> Agent:
        """Raises NotFound, or InvalidInput for a script that can't be played."""
        try:
            return self[name]
        except KeyError:
            known = ", ".join(self)
            raise NotFound(f"there is no agent {name!r}: choose one of {known}, or {SCRIPTED}FILE") from None

    def knows(self, name: str) -> bool:
        """Whether it stands for an agent. A script that can't be read doesn't."""
        try:
            return name in self
        except BigtaskError:
            return False

    def _others(self) -> Mapping[str, Callable[[], Agent]]:
        if self._defined is None:
            self._defined = _defined()
        return self._defined

    def first_usable(self) -> Agent | None:
        return next((agent for agent in self.values() if agent.availability().usable), None)
