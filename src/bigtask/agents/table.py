"""Every agent by its name: the one table that the CLI, the API and the docs are made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bigtask.agents.protocol import Agent
from bigtask.errors import NotFound

SCRIPTED = "scripted:"
"""Before the path of a script: `scripted:FILE` is an agent of its own."""


def _claude() -> Agent:
    from bigtask.agents.claude.agent import ClaudeAgent

    return ClaudeAgent()


def _offline() -> Agent:
    from bigtask.agents.offline.agent import OfflineAgent

    return OfflineAgent()


def _scripted(name: str) -> Agent:
    from bigtask.agents.scripted.agent import ScriptedAgent
    from bigtask.agents.scripted.script import load_script

    return ScriptedAgent(load_script(Path(name.removeprefix(SCRIPTED))), name=name)


AGENTS: dict[str, Callable[[], Agent]] = {"claude": _claude, "offline": _offline}
"""In the order in which one is chosen when nobody names one."""


class AgentTable(Mapping[str, Agent]):
    """Agents are made when they are first asked for; `own` are an embedding program's."""

    def __init__(self, own: Mapping[str, Agent] | None = None) -> None:
        self._made: dict[str, Agent] = dict(own or {})

    def __getitem__(self, name: str) -> Agent:
        """Raises KeyError; `find` has the sentence for people."""
        if name not in self._made:
            self._made[name] = _scripted(name) if name.startswith(SCRIPTED) else AGENTS[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys((*AGENTS, *self._made))

    def __len__(self) -> int:
        return len({*AGENTS, *self._made})

    def find(self, name: str) -> Agent:
        """Raises NotFound, or InvalidInput for a script that can't be played."""
        try:
            return self[name]
        except KeyError:
            known = ", ".join(self)
            raise NotFound(f"there is no agent {name!r}: choose one of {known}, or {SCRIPTED}FILE") from None

    def first_usable(self) -> Agent | None:
        return next((agent for agent in self.values() if agent.availability().usable), None)
