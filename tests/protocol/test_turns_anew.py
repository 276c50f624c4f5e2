"""What a session is told whose turn was ended for it."""

from __future__ import annotations

import pytest

from bigtask.errors import InvalidInput
from bigtask.protocol.asking import go_on, nudge, nudge_words, time_is_up
from bigtask.protocol.delimiters import END_DELIMITER, START_DELIMITER
from bigtask.protocol.fields import ANSWERS

FORM = (START_DELIMITER, END_DELIMITER)


@pytest.mark.parametrize("block", sorted(set(ANSWERS.values())))
def test_each_says_what_happened_and_which_form_is_wanted(block: str) -> None:
    for text, words in (
        (time_is_up(block, *FORM), "Your time is up"),
        (go_on(block, *FORM), "a limit of your account, which is over"),
        (nudge(90.0, block, *FORM), "For 90 seconds nothing was heard of you"),
    ):
        assert words in text
        assert START_DELIMITER in text
        assert f'"{block}"' in text


def test_who_may_have_done_a_part_is_told_how_to_say_that() -> None:
    assert "partial" in time_is_up("completion", *FORM).partition(START_DELIMITER)[0]
    assert "partial if" not in time_is_up("analysis", *FORM)


def test_in_the_middle_of_a_turn_no_form_is_wanted() -> None:
    assert START_DELIMITER not in nudge_words(90.0)


def test_an_unknown_phase_is_refused() -> None:
    with pytest.raises(InvalidInput):
        time_is_up("nothing", *FORM)
