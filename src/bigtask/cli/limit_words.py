"""What is said of an attempt whose account is limited."""

from __future__ import annotations

from bigtask.core.run import Attempt
from bigtask.words import duration

_KINDS = {"overloaded": "the service is overloaded", "usage": "the account's usage is at its limit"}


def limit_words(attempt: Attempt, now_ms: float) -> str:
    what = _KINDS.get(attempt.limit, "the account is limited")
    ends_at = attempt.limit_ends_at
    if ends_at is None:
        return f"{what}: tries again by itself"
    left_ms = ends_at - now_ms
    return f"{what}: goes on in {duration(left_ms)}" if left_ms > 0 else f"{what}: goes on any moment"
