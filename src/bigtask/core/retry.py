"""When a task is tried again by itself."""

from __future__ import annotations

from bigtask.core.run import TaskRecord
from bigtask.core.values import Settings

LONGEST_DELAY_MS = 60_000


def delay_ms(record: TaskRecord, settings: Settings, *, jitter: float) -> int | None:
    """How long to wait before the next attempt, after one that just failed (not counted in the record
    yet); None when no retry is left. Doubles with each failure; `jitter` in [0, 1) adds up to half, so
    that tasks which failed together don't come back together."""
    failures = record.failures + 1
    if not settings.retry_on_error or failures > settings.max_retries:
        return None
    base = min(settings.retry_delay_ms * 2 ** (failures - 1), LONGEST_DELAY_MS)
    return int(base * (1 + jitter / 2))
