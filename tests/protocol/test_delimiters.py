from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigtask.errors import InvalidInput
from bigtask.protocol.delimiters import (
    END_DELIMITER,
    MARK,
    START_DELIMITER,
    delimiter_problem,
    neutralise,
)

PAIRS = st.sampled_from(
    [(START_DELIMITER, END_DELIMITER), ("ababa", "bbbb"), ("aaa", "bab"), ("[[S]]", "[[E]]")]
)
OUTSIDE = st.text("ab[]SE", max_size=12) | st.lists(
    st.sampled_from([START_DELIMITER, END_DELIMITER, START_DELIMITER[:13], START_DELIMITER[13:], "<", "x"]),
    max_size=5,
).map("".join)


def test_ordinary_text_stays_as_it_is() -> None:
    for text in ("", "a < b > c", "<<<<<<< HEAD\n>>>>>>> branch", "cat <<< x"):
        assert neutralise(text, START_DELIMITER, END_DELIMITER) == text


def test_a_delimiter_is_broken_visibly() -> None:
    found = neutralise(f"x{START_DELIMITER}y", START_DELIMITER, END_DELIMITER)
    assert found == f"x<{MARK}<<ORCHESTRATOR_RESPONSE>>>y"


def test_the_halves_of_a_delimiter_are_marked_at_the_border() -> None:
    assert neutralise(START_DELIMITER[:20], START_DELIMITER, END_DELIMITER) == START_DELIMITER[:20] + MARK
    assert neutralise(END_DELIMITER[5:], START_DELIMITER, END_DELIMITER) == MARK + END_DELIMITER[5:]


@given(delimiters=PAIRS, one=OUTSIDE, other=OUTSIDE)
def test_outside_text_holds_no_delimiter_and_two_beside_each_other_form_none(
    delimiters: tuple[str, str], one: str, other: str
) -> None:
    text = neutralise(one, *delimiters) + neutralise(other, *delimiters)
    assert all(delimiter not in text for delimiter in delimiters)
    assert text.replace(MARK, "") == (one + other)


@given(delimiters=PAIRS, text=OUTSIDE)
def test_neutralising_twice_is_neutralising_once(delimiters: tuple[str, str], text: str) -> None:
    once = neutralise(text, *delimiters)
    assert neutralise(once, *delimiters) == once


def test_delimiters_that_cannot_be_used_are_named() -> None:
    assert delimiter_problem(START_DELIMITER, END_DELIMITER) is None
    assert "at least 3 characters" in (delimiter_problem("<", ">>>") or "")
    with pytest.raises(InvalidInput, match="can't be told apart"):
        neutralise("x", "<<<A", "<<<A>>>")
