"""What is said of an attempt that is held up: its account is limited, or it has stalled."""

from __future__ import annotations

from datetime import datetime

from bigtask.core.run import Attempt
from bigtask.words import duration

_LONG_MS = 20 * 3_600_000
"""Until then the time of day says which day is meant."""
_KINDS = {"overloaded": "the service is overloaded", "usage": "the account's usage is at its limit"}


def limit_words(attempt: Attempt, now_ms: float) -> str:
    what = _KINDS.get(attempt.limit, "the account is limited")
    ends_at = attempt.limit_ends_at
    if ends_at is None:
        return f"{what}: tries again by itself"
    left_ms = ends_at - now_ms
    if left_ms <= 0:
        return f"{what}: goes on any moment"
    return f"{what}: goes on in {duration(left_ms)}, at {wakes_at(ends_at, left_ms)}"


def wakes_at(at_ms: float, left_ms: float) -> str:
    """In local time; with its day where that is in `left_ms` and another one could be meant."""
    form = "%H:%M" if left_ms < _LONG_MS else "%Y-%m-%d %H:%M"
    return datetime.fromtimestamp(at_ms / 1000).strftime(form)


def stall_words(attempt: Attempt, now_ms: float) -> str:
    since = attempt.quiet_since
    quiet = f" for {duration(now_ms - since)}" if since is not None else ""
    return f"no sign of life{quiet}: it was asked what is going on"
