"""How much of a promise's test is carried out: all of its numbers with BIGTASK_FULL=1, else a fifth or less.

BIGTASK_SEED is the first seed of whatever is left to chance.
"""

from __future__ import annotations

import os

FULL = bool(os.environ.get("BIGTASK_FULL"))
SEED = int(os.environ.get("BIGTASK_SEED", "7"))


def share(whole: int, *, part: int = 5) -> int:
    """Of a number that the longer run does `whole`; otherwise one in `part`."""
    return whole if FULL else -(-whole // part)


def seconds(budget_s: float) -> float:
    """The time limit of a test that may take `budget_s` in an ordinary run: generous, since machines differ,
    and five times as long where it does five times as much."""
    return budget_s * (3 if not FULL else 15)
