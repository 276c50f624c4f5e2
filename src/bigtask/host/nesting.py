"""What agents are told of the run that they work in, for the runs that they may make."""

from __future__ import annotations

from collections.abc import Callable, Mapping

DEPTH = "BIGTASK_DEPTH"
"""How many runs are above one that is made from here."""
BUDGET = "BIGTASK_BUDGET_USD"
"""What is left for the attempt, where that is bounded."""

URL = "BIGTASK_URL"
TOKEN = "BIGTASK_TOKEN"  # noqa: S105 - the name of a variable
"""By which the attempt reports to the server, where one carries the run out."""

Handed = Callable[[str, str, int], Mapping[str, str]]
"""More variables for the session of an attempt, by run, task and number."""


def told(depth: int, left_usd: float | None) -> dict[str, str]:
    """The variables of an attempt's session, in a run of that depth."""
    found = {DEPTH: str(depth + 1)}
    return found if left_usd is None else {**found, BUDGET: f"{left_usd:.4f}"}
