from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigtask.core.retry import LONGEST_DELAY_MS, delay_ms
from bigtask.core.run import TaskRecord
from bigtask.core.values import Settings
from core.world import task


def after(failures: int, *, jitter: float = 0.0, **settings) -> int | None:
    record = TaskRecord(task("a"), failures=failures)
    return delay_ms(record, Settings(agent="plain", **settings), jitter=jitter)


@pytest.mark.parametrize(
    ("failures", "settings", "delay"),
    [
        (0, {}, 1_000),
        (1, {}, 2_000),
        (2, {}, None),
        (2, {"max_retries": 3}, 4_000),
        (9, {"max_retries": 10}, LONGEST_DELAY_MS),
        (0, {"max_retries": 0}, None),
        (0, {"retry_on_error": False}, None),
        (0, {"retry_delay_ms": 0}, 0),
    ],
)
def test_the_delay_doubles_until_no_retry_is_left(failures, settings, delay):
    assert after(failures, **settings) == delay


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 9))
def test_jitter_adds_at_most_half(jitter, failures):
    plain, jittered = (after(failures, jitter=j, max_retries=10) for j in (0.0, jitter))
    assert plain <= jittered <= plain * 1.5
