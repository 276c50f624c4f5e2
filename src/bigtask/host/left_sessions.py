"""Sessions that another program has kept at work for attempts that aren't known to have had any: their holder
died after it had begun the session, and before that was recorded."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping

from bigtask.agents.protocol import Agent, KeepsSessions
from bigtask.core.run import Run
from bigtask.core.states import AttemptState
from bigtask.errors import BigtaskError
from bigtask.sink import log

_NOBODYS = frozenset({AttemptState.LOST, AttemptState.SUPERSEDED})


class LeftSessions:
    def __init__(self, run: Run, agents: Mapping[str, Agent]) -> None:
        self._run = run
        self._agents = agents
        self._ended = asyncio.Event()
        self._ended.set()
        self._words = log("WorkerManager")

    def found(self) -> dict[str, list[str]]:
        """The names that such sessions would have, by agent. From then on `wait_ended` waits for `end`."""
        names: defaultdict[str, list[str]] = defaultdict(list)
        for record in self._run.all_records():
            for attempt in record.attempts:
                unknown = attempt.session_id is None and attempt.state in _NOBODYS
                if unknown and self._keeper(attempt.agent) is not None:
                    names[attempt.agent].append(attempt.session_name)
        if names:
            self._ended.clear()
        return names

    async def end(self, found: Mapping[str, list[str]]) -> None:
        try:
            for agent, names in found.items():
                await self._end(agent, names)
        finally:
            self._ended.set()

    async def wait_ended(self) -> None:
        """Until none of them is at work beside the attempts that come after theirs."""
        await self._ended.wait()

    async def _end(self, agent: str, names: list[str]) -> None:
        keeper = self._keeper(agent)
        assert keeper is not None
        try:
            for name in await keeper.end_left(names):
                self._words.info("the session %s was left over and has been ended", name)
        except BigtaskError as error:
            self._words.warning(
                "%s can't be asked whether sessions were left over (%s): if it still has one of %s, end it "
                "there",
                agent,
                error,
                ", ".join(names),
            )

    def _keeper(self, name: str) -> KeepsSessions | None:
        try:
            agent = self._agents[name]
        except (KeyError, BigtaskError):
            return None
        return agent if isinstance(agent, KeepsSessions) else None
