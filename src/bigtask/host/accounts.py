"""Who pays for an agent's work."""

from __future__ import annotations

from bigtask.agents.table import AgentTable
from bigtask.errors import BigtaskError


def account_of(agents: AgentTable, name: str) -> str | None:
    """None where it isn't known, or where the agent isn't here any more."""
    try:
        return agents.find(name).availability().account or None
    except BigtaskError:
        return None
