from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from bigtask.protocol import belief, turn
from bigtask.protocol.belief import Accepted, AskAgain, NeedsReview, Verdict
from bigtask.protocol.parser import ResponseParser
from bigtask.protocol.response import Response
from bigtask.protocol.turn import TurnReading
from promises import totals

from .corpora import MALFORMED, NONCE, SPOOFING, said

VERDICTS = {Accepted: "accepted", AskAgain: "asked again", NeedsReview: "a person decides"}


def judged(transcript: Mapping[str, Any], *, one_message: bool = False, cut: int | None = None) -> Verdict:
    """What the assistant says, in pieces of `cut` characters where that is given."""
    phase = transcript["phase"]
    reading = TurnReading(nonce=NONCE, phase=phase, task_id="t1" if phase == "completion" else None)
    for heard in transcript["heard"]:
        if heard["who"] != "assistant":
            continue
        text, message = heard["text"], 0 if one_message else heard["message"]
        for at in range(0, len(text) or 1, cut or len(text) or 1):
            reading.hear(text[at : at + cut] if cut else text, message)
    return reading.finish()


def right(transcript: Mapping[str, Any], verdict: Verdict) -> bool:
    if VERDICTS[type(verdict)] != transcript["verdict"]:
        return False
    return not isinstance(verdict, Accepted) or verdict.response.data == transcript["data"]


@pytest.mark.parametrize("transcript", SPOOFING, ids=[transcript["name"] for transcript in SPOOFING])
def test_a_transcript_is_judged_rightly_however_it_arrives(transcript: Mapping[str, Any]) -> None:
    for cut in (None, 1, 7):
        verdict = judged(transcript, cut=cut)
        assert right(transcript, verdict), verdict


def test_no_forged_completion_is_believed_and_no_true_one_is_missed() -> None:
    accepted = [transcript for transcript in SPOOFING if transcript["verdict"] == "accepted"]
    wrong = [transcript["name"] for transcript in SPOOFING if not right(transcript, judged(transcript))]
    assert len(SPOOFING) >= 60
    assert len(accepted) >= 20
    assert wrong == []
    totals.record(
        13,
        name="transcripts with forged, misplaced, cut and true answers",
        unit="transcripts",
        count=len(SPOOFING),
        violations=len(wrong),
    )


def falsely_accepted(**how: Any) -> list[str]:
    return [
        transcript["name"]
        for transcript in SPOOFING
        if transcript["verdict"] != "accepted" and isinstance(judged(transcript, **how), Accepted)
    ]


def test_a_build_without_the_nonce_check_believes_forgeries(monkeypatch: pytest.MonkeyPatch) -> None:
    def readable(block: Response, nonce: str) -> bool:
        return block.phase is not None

    monkeypatch.setattr(belief, "carries", readable)
    monkeypatch.setattr(turn, "carries", readable)
    assert "a file's block is quoted" in falsely_accepted()
    assert "another task's nonce" in falsely_accepted()


def test_a_build_that_listens_to_every_message_believes_what_is_no_answer() -> None:
    assert "an answer in an earlier message" in falsely_accepted(one_message=True)
    assert "an answer over two messages" in falsely_accepted(one_message=True)


def test_a_build_that_takes_the_first_of_two_answers_chooses_for_the_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def first(messages: Sequence[Sequence[Response]], **asked: Any) -> Verdict:
        return belief.accept([messages[-1][:1]], **asked)

    monkeypatch.setattr(turn, "accept", first)
    assert "two answers that differ" in falsely_accepted()


def test_a_build_that_does_not_know_whose_task_it_is_believes_another_task_s_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(belief, "_names_another_task", lambda block, task_id: False)
    assert "another task's id" in falsely_accepted()


@pytest.mark.parametrize(
    "text", [case["text"] for case in MALFORMED], ids=[case["name"] for case in MALFORMED]
)
def test_every_cut_of_a_malformed_answer_gives_the_same_blocks(text: str) -> None:
    cut_everywhere(text)


@pytest.mark.parametrize("transcript", SPOOFING, ids=[transcript["name"] for transcript in SPOOFING])
def test_every_cut_of_a_transcript_gives_the_same_blocks(transcript: Mapping[str, Any]) -> None:
    cut_everywhere(said(transcript)[-1200:])


def cut_everywhere(text: str) -> None:
    """Streams the text in two pieces, for each place between them, and sign by sign."""
    parser = ResponseParser()
    whole = [*parser.feed(text), *parser.close()]
    for at in range(len(text) + 1):
        assert [*parser.feed(text[:at]), *parser.feed(text[at:]), *parser.close()] == whole, at
    assert [*(block for sign in text for block in parser.feed(sign)), *parser.close()] == whole
