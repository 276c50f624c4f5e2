from __future__ import annotations

import pytest

from bigtask.protocol.asking import no_block
from bigtask.protocol.belief import AskAgain, accept
from bigtask.protocol.fields import BLOCKS
from bigtask.protocol.heuristics import MOST_CONFIDENT, READ, suggest
from bigtask.protocol.parser import ResponseParser
from bigtask.protocol.response import Quality
from bigtask.protocol.turn import TurnReading

SAYINGS = {
    "analysis": "My analysis of the codebase: its complexity is medium, the key files are these.",
    "task_list": "Here is the task list. Task 1 has no dependencies; the others run in parallel.",
    "progress": "I'm still working on it. So far two files; next step: the third. Let me go on.",
    "completion": "All done: I have written the pages, the tests pass, I am done. Finished successfully.",
    "aggregation": "I merged the results of all workers and found one conflict; they are combined now.",
    "verification": "Verification: I verified the pages. My verdict: no issues, it meets the request.",
}


@pytest.mark.parametrize("phase", list(BLOCKS))
def test_words_suggest_a_phase_with_a_bounded_confidence(phase: str) -> None:
    found = suggest(SAYINGS[phase])
    assert found is not None
    assert found.phase == phase
    assert 0.5 < found.confidence <= MOST_CONFIDENT
    assert all(word in SAYINGS[phase].casefold() for word in found.words)


def test_one_word_says_less_than_several_and_none_or_a_tie_says_nothing() -> None:
    one, several = suggest("Finished."), suggest(SAYINGS["completion"] * 100)
    assert one is not None
    assert several is not None
    assert one.confidence < several.confidence <= MOST_CONFIDENT
    assert suggest("") is None
    assert suggest("Good morning.") is None
    assert suggest("finished; verified") is None


def test_only_the_end_of_a_text_is_read() -> None:
    assert suggest("finished" + "x" * READ) is None


def test_a_text_without_a_block_gives_a_heuristic_that_is_never_usable() -> None:
    found = ResponseParser().parse(SAYINGS["completion"])
    assert (found.quality, found.phase, found.usable, found.data) == (
        Quality.HEURISTIC,
        "completion",
        False,
        {},
    )
    assert isinstance(accept([[found]], nonce="n", phase="completion"), AskAgain)


@pytest.mark.parametrize(
    ("phase", "said", "sentence"),
    [
        ("completion", "", "there is no completion block in your last message"),
        ("completion", SAYINGS["completion"], "doesn't count, say it in the block"),
        ("completion", SAYINGS["progress"], "finish the work first"),
        ("verification", SAYINGS["completion"], "only the verification is asked for"),
    ],
)
def test_the_next_question_is_worded_by_what_was_said(phase: str, said: str, sentence: str) -> None:
    assert sentence in no_block(phase, said)
    reading = TurnReading(nonce="n", phase=phase)
    reading.hear("Working on it, still need more time, so far so good.", 0)
    reading.hear(said, 1)
    verdict = reading.finish()
    assert isinstance(verdict, AskAgain)
    assert verdict.errors == (no_block(phase, said),)
