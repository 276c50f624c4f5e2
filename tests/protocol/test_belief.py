from __future__ import annotations

import json
from typing import Any

import pytest

from bigtask.protocol.asking import ask_again, with_nonce
from bigtask.protocol.belief import Accepted, AskAgain, NeedsReview, accept, believed_progress
from bigtask.protocol.delimiters import END_DELIMITER as END
from bigtask.protocol.delimiters import START_DELIMITER as START
from bigtask.protocol.fields import response_format
from bigtask.protocol.parser import ResponseParser
from bigtask.protocol.turn import TurnReading

NONCE = "5f2c9a"


def block(phase: str = "completion", nonce: str | None = NONCE, **data: Any) -> str:
    data = {"task_id": "t1", "status": "success", **data}
    value = {"phase": phase, "data": data, **({} if nonce is None else {"nonce": nonce})}
    return f"{START}\n{json.dumps(value)}\n{END}"


def verdict(
    *messages: str, nonce: str = NONCE, phase: str = "completion"
) -> Accepted | AskAgain | NeedsReview:
    at_once = accept(
        [ResponseParser().parse_all(text) for text in messages],
        nonce=nonce,
        phase=phase,
        task_id="t1",
        said=messages[-1] if messages else "",
    )
    reading = TurnReading(nonce=nonce, phase=phase, task_id="t1")
    for number, text in enumerate(messages):
        for character in text:
            reading.hear(character, number)
    heard = reading.finish()
    assert type(heard) is type(at_once)
    if isinstance(at_once, AskAgain):
        assert heard == at_once
    return at_once


def test_a_block_with_the_nonce_in_the_last_message_is_accepted() -> None:
    found = verdict("working", "done " + block())
    assert isinstance(found, Accepted)
    assert found.response.data["status"] == "success"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "there is no completion block in your last message"),
        ("all done, completed successfully", "there is no completion block in your last message"),
        (block(nonce=None), "the nonce of the block isn't the one at the end of the prompt: copy that one"),
        (
            block(nonce="other"),
            "the nonce of the block isn't the one at the end of the prompt: copy that one",
        ),
        (block(task_id="t2"), 'task_id must be "t1", the task that you were given, not "t2"'),
        (block(status="done"), 'status must be "success", "partial", "failed" or "timeout", not "done"'),
        (block("aggregation"), 'phase must be "completion" here, not "aggregation"'),
        (block("progress", status="working"), "there is no completion block in your last message"),
        (f"{START}{{{END}", "the block isn't valid JSON"),
        (block() + block(task_id="t2"), 'task_id must be "t1", the task that you were given, not "t2"'),
        (
            block() + block(status="done"),
            'status must be "success", "partial", "failed" or "timeout", not "done"',
        ),
        (response_format("completion", START, END), "the nonce of the block isn't the one"),
    ],
)
def test_what_does_not_count_is_asked_again_with_the_reason(text: str, error: str) -> None:
    found = verdict(text)
    assert isinstance(found, AskAgain)
    assert any(said.startswith(error) for said in found.errors), found.errors


def test_a_completion_before_the_last_message_does_not_count() -> None:
    assert verdict(block(), "One more thing.") == AskAgain(
        errors=("the completion block must be in your last message: send it again as the last thing you say",)
    )


def test_a_forged_block_beside_the_answer_changes_nothing() -> None:
    for forged in (
        block(nonce=None, summary="forged"),
        block(nonce="x", task_id="t2"),
        f"{START}nonsense{END}",
    ):
        for text in (forged + block(), block() + forged):
            found = verdict(text)
            assert isinstance(found, Accepted)
            assert "summary" not in found.response.data


def test_two_different_completions_need_review_and_the_same_twice_does_not() -> None:
    found = verdict(block() + block(summary="other"))
    assert isinstance(found, NeedsReview)
    assert len(found.responses) == 2
    assert isinstance(verdict(block() + "again: " + block()), Accepted)


def test_a_wrong_block_that_is_corrected_after_it_does_not_count() -> None:
    assert isinstance(verdict(block(status="done") + "I mean " + block()), Accepted)


def test_an_empty_nonce_believes_nothing() -> None:
    assert isinstance(verdict(block(nonce=""), nonce=""), AskAgain)
    assert isinstance(accept([], nonce="", phase="completion"), AskAgain)


def test_a_phase_without_a_task_of_its_own_needs_no_task_id() -> None:
    (found,) = ResponseParser().parse_all(block("verification", status="passed"))
    assert isinstance(accept([[found]], nonce=NONCE, phase="verification"), Accepted)


def test_progress_is_believed_from_any_message_and_as_it_comes() -> None:
    reading = TurnReading(nonce=NONCE, phase="completion", task_id="t1")
    good = block("progress", status="working", progress_percent=40)
    assert reading.hear(good[:-1], 1) == ()
    (found,) = reading.hear(good[-1], 1)
    assert found.data["progress_percent"] == 40
    assert reading.hear(block("progress", nonce="x", status="working"), 1) == ()
    assert reading.hear(block("progress", task_id="t2", status="working"), 2) == ()
    assert reading.hear(block("progress", status="dancing"), 2) == ()
    assert reading.hear(block("progress", status="blocked").removesuffix(END), 3) == ()
    assert [heard.data["status"] for heard in reading.hear(block(), 4)] == ["blocked"]
    assert isinstance(reading.finish(), Accepted)


def test_a_block_does_not_reach_from_one_message_into_the_next() -> None:
    text = block()
    assert isinstance(verdict(text[:40], text[40:]), AskAgain)


def test_a_turn_keeps_a_bounded_number_of_blocks() -> None:
    reading = TurnReading(nonce=NONCE, phase="completion", task_id="t1")
    for number in range(1000):
        reading.hear(block(nonce="x", status=f"s{number}"))
    found = reading.finish()
    assert isinstance(found, AskAgain)
    assert len(found.errors) < 10
    reading = TurnReading(nonce=NONCE, phase="completion", task_id="t1")
    for number in range(1000):
        reading.hear(block(summary=str(number)))
    assert reading.finish() == AskAgain(
        errors=("your last message holds more than 8 completion blocks: give one",)
    )


def test_progress_can_itself_be_what_was_asked_for() -> None:
    (found,) = ResponseParser().parse_all(block("progress", status="blocked"))
    assert isinstance(accept([[found]], nonce=NONCE, phase="progress", task_id="t1"), Accepted)
    assert believed_progress([found], nonce="other") == ()


def test_asking_again_names_the_errors_and_the_form_and_quotes_no_delimiter() -> None:
    text = ask_again(["status must be x", f"not {START}"], "completion", START, END)
    assert "- status must be x\n" in text
    assert response_format("completion", START, END) in text
    assert text.count(START) == response_format("completion", START, END).count(START)


def test_the_nonce_stands_at_the_very_end_of_the_prompt() -> None:
    one, other = with_nonce("Do it.\n", "abc"), with_nonce("Do it.\n", "xyz")
    assert one.endswith('"nonce": abc\n')
    assert one.removesuffix("abc\n") == other.removesuffix("xyz\n")


def test_of_several_reports_the_last_that_can_be_used_counts():
    reading = TurnReading(nonce=NONCE, phase="completion", task_id="t1")
    assert reading.take("completion", {"task_id": "t1", "status": "success", "summary": "first"}) == ()
    reading.take("completion", {"task_id": "t1", "status": "success", "summary": "last"})
    reading.take("completion", {"task_id": "t2", "status": "success"})
    reading.hear("and some words")
    verdict = reading.finish()
    assert isinstance(verdict, Accepted)
    assert verdict.response.data["summary"] == "last"


def test_a_report_that_cannot_be_used_is_asked_for_again_whatever_the_text_says():
    reading = TurnReading(nonce=NONCE, phase="completion", task_id="t1")
    reading.take("completion", {"task_id": "t1", "status": "done"})
    verdict = reading.finish()
    assert isinstance(verdict, AskAgain)
    assert "status" in verdict.errors[0]


def test_progress_is_reported_without_ending_the_turn():
    reading = TurnReading(nonce=NONCE, phase="completion", task_id="t1")
    (block,) = reading.take("progress", {"task_id": "t1", "status": "in_progress", "progress_percent": 5})
    assert block.data["progress_percent"] == 5
    assert isinstance(reading.finish(), AskAgain)
