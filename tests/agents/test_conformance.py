"""The suite of `bigtask.testing` over every agent that bigtask has, each made to show what it can."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from agents import programs
from bigtask.agents.offline.agent import OfflineAgent
from bigtask.agents.protocol import Agent
from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of
from bigtask.testing import ANSWERS, BEHAVIOURS, IN_WORDS, AgentConformance
from claude.rows import claude_showing
from desktop.rows import desktop_showing


def scripted(behaviour: str, *, process: bool) -> Agent:
    turns: list[Any] = [{"steps": BEHAVIOURS[behaviour]}] if behaviour != ANSWERS else []
    if behaviour in ("dies", "exits"):
        # It dies in its first turn only, so that what resumes it can go on.
        turns = [{"when": {"turn": 1}, "steps": BEHAVIOURS[behaviour]}]
    return ScriptedAgent(script_of({"process": process, "turns": turns}))


@contextmanager
def shown(agent: AbstractContextManager[Agent | None]) -> Iterator[Agent]:
    with agent as found:
        assert found is not None, "it can't be made to show that, and `cannot` doesn't say so"
        yield found


class TestScriptedInProcess(AgentConformance):
    def showing(self, behaviour: str) -> AbstractContextManager[Agent]:
        return nullcontext(scripted(behaviour, process=False))


class TestScriptedAsAChild(AgentConformance):
    def showing(self, behaviour: str) -> AbstractContextManager[Agent]:
        return nullcontext(scripted(behaviour, process=True))


class TestOffline(AgentConformance):
    cannot = IN_WORDS.keys() - {ANSWERS}

    def showing(self, behaviour: str) -> AbstractContextManager[Agent]:
        return nullcontext(OfflineAgent())


class TestClaude(AgentConformance):
    cannot = frozenset({"uses tools", "reports usage", "exits", "is limited", "ends with an error"})
    """tests/claude/ has these in its own form."""

    def showing(self, behaviour: str) -> AbstractContextManager[Agent]:
        return shown(claude_showing(behaviour))


class TestDesktop(AgentConformance):
    cannot = frozenset({"reports by a tool", "reports usage", "dies", "exits"})
    """It has no tools of ours and no process, and its usage has a price of its own: tests/desktop/ has these
    in their own form."""

    def showing(self, behaviour: str) -> AbstractContextManager[Agent]:
        return shown(desktop_showing(behaviour, BEHAVIOURS.get(behaviour, ())))


class TestCommand(AgentConformance):
    cannot = frozenset({"asks permission", "reports by a tool", "uses tools"})

    def showing(self, behaviour: str) -> AbstractContextManager[Agent]:
        return programs.showing(programs.command_agent, BEHAVIOURS, behaviour)


class TestAcp(AgentConformance):
    def showing(self, behaviour: str) -> AbstractContextManager[Agent]:
        return programs.showing(programs.acp_agent, BEHAVIOURS, behaviour)


SUITES: Mapping[str, type[AgentConformance]] = {
    "claude": TestClaude,
    "desktop": TestDesktop,
    "offline": TestOffline,
    "scripted": TestScriptedAsAChild,
    "acp": TestAcp,
    "command": TestCommand,
}
"""As the table of docs/agents.md has them."""
