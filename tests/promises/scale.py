"""How much of a promise's test is carried out: all of its numbers with BIGTASK_FULL=1, else a fifth.

BIGTASK_SEED is the first seed of whatever is left to chance.
"""

from __future__ import annotations

import os

FULL = bool(os.environ.get("BIGTASK_FULL"))
SEED = int(os.environ.get("BIGTASK_SEED", "7"))


def share(whole: int) -> int:
    """Of a number that the longer run does `whole`."""
    return whole if FULL else -(-whole // 5)


def seconds(budget_s: float) -> float:
    """The time limit of a test that may take `budget_s` in an ordinary run: generous, since machines differ,
    and five times as long where it does five times as much."""
    return budget_s * (3 if not FULL else 15)
