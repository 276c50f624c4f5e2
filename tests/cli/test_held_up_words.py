"""What is said of attempts that are held up, to the minute."""

from __future__ import annotations

import re

import pytest

from bigtask.cli.limit_words import limit_words, stall_words
from bigtask.core.run import Attempt

NOW = 1_800_000_000_000
HOUR = 3_600_000


def attempt(**more: object) -> Attempt:
    return Attempt(number=1, agent="a", session_name="s", started_at=NOW, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ends_at", "said"),
    [
        (None, "the account is limited: tries again by itself"),
        (NOW, "the account is limited: goes on any moment"),
        (NOW + 90_000, r"the account is limited: goes on in 1 min 30 s, at \d\d:\d\d"),
        (NOW + 30 * HOUR, r"the account is limited: goes on in 1 d 6 h, at \d{4}-\d\d-\d\d \d\d:\d\d"),
    ],
)
def test_a_limit_says_when_it_is_over(ends_at: int | None, said: str) -> None:
    assert re.fullmatch(said, limit_words(attempt(limit="rate", limit_ends_at=ends_at), NOW))


def test_a_limit_says_what_it_is_of() -> None:
    assert limit_words(attempt(limit="overloaded"), NOW).startswith("the service is overloaded")
    assert limit_words(attempt(limit="usage"), NOW).startswith("the account's usage is at its limit")


def test_a_stall_says_for_how_long() -> None:
    asked = "it was asked what is going on"
    assert stall_words(attempt(quiet_since=NOW - 200_000), NOW) == f"no sign of life for 3 min 20 s: {asked}"
    assert stall_words(attempt(), NOW) == f"no sign of life: {asked}"
