"""The least time between two session starts of one agent."""

from __future__ import annotations

import asyncio

from bigtask.agents.protocol import Agent


class Spacing:
    def __init__(self, default_ms: int) -> None:
        """`default_ms` is for agents that declare no time of their own."""
        self._default_ms = default_ms
        self._next_start: dict[str, float] = {}

    async def wait_turn(self, agent: Agent) -> None:
        """Until the agent's next session may be started; those that wait go one after the other."""
        declared = agent.traits.spawn_delay_ms
        delay_s = (self._default_ms if declared is None else declared) / 1000
        if not delay_s:
            return
        now = asyncio.get_running_loop().time()
        start = max(now, self._next_start.get(agent.name, now))
        self._next_start[agent.name] = start + delay_s
        await asyncio.sleep(start - now)
