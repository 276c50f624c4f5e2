"""What all runs of this machine have of an agent at the moment, and what its account is limited to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bigtask.agents.protocol import Agent
from bigtask.core.events import iso
from bigtask.host.home import Home
from bigtask.host.shared_slots import SharedSlots, clock_ms, until_wall_ms


def sessions_and_limits(home: Home) -> Callable[[Agent], dict[str, Any]]:
    """Of an agent: open `sessions`, and its account's `limit`, None or `{"kind", "until", "msLeft"}`.
    It is looked once, for all agents."""
    now = clock_ms()
    shared = SharedSlots(home.slots).look(now)

    def of_agent(agent: Agent) -> dict[str, Any]:
        gate = shared.gates.get(agent.traits.account or "")
        limit = None
        if gate is not None and gate.kind:
            until = until_wall_ms(gate.until, now)
            limit = {"kind": gate.kind, "until": iso(until), "msLeft": max(gate.until - now, 0)}
        return {
            "sessions": sum(seat.agent == agent.name for seat in shared.seats.values()),
            "limit": limit,
        }

    return of_agent
