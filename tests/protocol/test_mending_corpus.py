from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bigtask.protocol import mending_strings, mending_structure, mending_tokens, reading
from bigtask.protocol.mending_repairs import Repair
from bigtask.protocol.parser import ResponseParser
from bigtask.protocol.response import Quality, Response

from .corpora import MALFORMED

NAMES = [case["name"] for case in MALFORMED]
MEANING = [case for case in MALFORMED if "data" in case]


def last_block(text: str) -> Response:
    return ResponseParser().parse_all(text)[-1]


def silently_wrong(case: Mapping[str, Any]) -> bool:
    found = last_block(case["text"])
    return found.usable and found.data != case.get("data")


@pytest.mark.parametrize("case", MALFORMED, ids=NAMES)
def test_a_malformed_answer_is_read_as_what_it_means_or_refused_with_the_reason(
    case: Mapping[str, Any],
) -> None:
    found = last_block(case["text"])
    if "data" in case and not case.get("refused"):
        assert found.errors == ()
        assert (found.phase, found.data, found.nonce) == (case["phase"], case["data"], "n0")
        assert found.quality is (Quality.REPAIRED if found.repairs else Quality.STRICT)
    else:
        assert found.quality is Quality.INVALID
        assert any(case.get("error", "") in error for error in found.errors), found.errors


def test_the_corpus_is_large_and_nine_tenths_of_what_has_one_meaning_are_recovered() -> None:
    assert len(MALFORMED) >= 200
    recovered = [case for case in MEANING if not case.get("refused")]
    assert len(MEANING) >= 100
    assert len(recovered) >= 0.9 * len(MEANING)


def test_no_malformed_answer_is_silently_wrong() -> None:
    assert [case["name"] for case in MALFORMED if silently_wrong(case)] == []


def _ended(self: mending_structure.Structure, state: Any) -> None:
    self._written.extend(reversed(self._due))


def _any_end(self: mending_strings.QuotedText, at: int) -> bool:
    following = self._first_from(at + 1)
    return bool(following) and following not in ",:}]"


@pytest.mark.parametrize(
    ("owner", "name", "mutant"),
    [
        (reading, "_check_places", lambda value, moved: None),
        (mending_tokens, "_may_hold_json", lambda comment: False),
        (mending_tokens, "_LEFT_OUT", ()),
        (mending_strings.QuotedText, "_is_inside", _any_end),
        (mending_structure.Structure, "_finish", _ended),
    ],
    ids=["places of fields", "comments", "what was left out", "quotation marks", "cut messages"],
)
def test_the_corpus_catches_a_parser_without_that_guard(
    owner: Any, name: str, mutant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, mutant)
    assert any(silently_wrong(case) for case in MALFORMED)


def test_repairs_are_said_in_words_with_their_number() -> None:
    texts = {
        '{phase: "analysis", "data": {},}': ("put a key into quotes", "removed a trailing comma"),
        "{'phase': None,}": (
            "put a text into double quotes instead of others",
            "wrote a literal of another language as JSON",
            "removed a trailing comma",
        ),
        '{a: 1, b: "x\n\n"}': (
            "put 2 keys into quotes",
            "escaped 2 line breaks or control characters inside texts",
        ),
        '{"a": 1}}}': ("removed 2 closing brackets too many at the end",),
    }
    for text, repairs in texts.items():
        mended = reading.mend(text, reading.Effort(), ended=True)
        assert mended.repairs == repairs


def test_every_repair_that_can_be_needed_twice_has_words_for_that() -> None:
    once = {Repair.MARK, Repair.FENCE, Repair.LANGUAGE, Repair.ESCAPED, Repair.AS_TEXT}
    assert {repair for repair in Repair if not repair.several} == once
