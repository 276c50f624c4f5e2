from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigtask.errors import InvalidInput
from bigtask.protocol.bounded_json import BLOCK_LIMIT
from bigtask.protocol.delimiters import END_DELIMITER as END
from bigtask.protocol.delimiters import START_DELIMITER as START
from bigtask.protocol.parser import ResponseParser
from bigtask.protocol.response import Quality, Response

DONE = {"phase": "completion", "data": {"task_id": "t", "status": "success"}, "nonce": "n"}
WHOLE = f"{START}\n{json.dumps(DONE)}\n{END}"


def parse(text: str) -> Response:
    return ResponseParser().parse(text)


def streamed(parser: ResponseParser, pieces: list[str]) -> list[Response]:
    return [*(block for piece in pieces for block in parser.feed(piece)), *parser.close()]


def test_a_block_is_read_with_the_text_around_it() -> None:
    found = parse(f"before {WHOLE} after")
    assert found.quality is Quality.STRICT
    assert found.usable
    assert (found.phase, found.data, found.nonce) == (DONE["phase"], DONE["data"], "n")
    assert (found.before_text, found.after_text) == ("before ", " after")
    assert (found.errors, found.warnings, found.repairs) == ((), (), ())
    assert json.loads(found.raw) == DONE


def test_every_block_comes_in_order_with_the_text_between() -> None:
    found = ResponseParser().parse_all(f"a{WHOLE}b{WHOLE}c")
    assert [(block.before_text, block.after_text) for block in found] == [("a", "b"), ("b", "c")]


def test_no_block_is_an_invalid_result_with_the_whole_text() -> None:
    found = parse("Hello")
    assert (found.quality, found.raw, found.phase) == (Quality.INVALID, "Hello", None)
    assert found.errors == (f"there is no block between {START} and {END}",)
    assert ResponseParser().parse_all("Hello") == []


def test_a_missing_end_delimiter_is_repaired_only_at_the_end_of_the_message() -> None:
    parser = ResponseParser()
    assert parser.feed(f"x{START}{json.dumps(DONE)}") == []
    (found,) = parser.close()
    assert found.quality is Quality.REPAIRED
    assert found.repairs == ("added the missing end delimiter",)
    assert found.data == DONE["data"]
    assert parser.close() == []


def test_a_missing_end_delimiter_of_half_a_block_is_an_error() -> None:
    found = parse(f'{START}{{"phase": "comp')
    assert found.quality is Quality.INVALID
    assert found.errors[0] == f"the block doesn't end with {END}"


def test_a_start_inside_a_block_begins_a_new_one() -> None:
    first, second = ResponseParser().parse_all(f"I answer in {START} form: {WHOLE}")
    assert first.errors[0] == f"another block begins before this one ended with {END}"
    assert second.quality is Quality.STRICT


def test_a_whole_block_that_another_one_interrupts_is_not_usable() -> None:
    first, second = ResponseParser().parse_all(f"{START}{json.dumps(DONE)}{WHOLE}")
    assert (first.usable, first.nonce, second.usable) == (False, "n", True)


def test_an_end_outside_a_block_is_ordinary_text() -> None:
    found = parse(f"{END} and {WHOLE}")
    assert found.before_text == f"{END} and "
    assert found.usable


def test_other_delimiters_can_be_used() -> None:
    parser = ResponseParser("[[BEGIN]]", "[[DONE]]")
    assert parser.parse(f"{WHOLE}[[BEGIN]]{json.dumps(DONE)}[[DONE]]").quality is Quality.STRICT


@pytest.mark.parametrize(
    ("start", "end"),
    [("", "<<<E>>>"), ("<<<S>>>", "  "), ("<<<S", "<<<S>>>"), ("abc", "abc"), ("a·bc", "xyz")],
)
def test_delimiters_that_cannot_be_told_apart_are_refused(start: str, end: str) -> None:
    with pytest.raises(InvalidInput):
        ResponseParser(start, end)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("", "isn't valid JSON: there is nothing in it"),
        ("{\n  oops}", "isn't valid JSON: at its line 2, column 7: after a key must be a colon"),
        ("[]", "must be one JSON object, not []"),
        ('"text"', 'must be one JSON object, not "text"'),
        ("{}", "phase must be one of analysis, task_list"),
        ('{"phase": "coffee", "data": {}}', 'not "coffee"'),
        ('{"phase": ["analysis"], "data": {}}', 'not ["analysis"]'),
        ('{"phase": "analysis"}', 'put the fields of the phase into an object called "data"'),
        ('{"phase": "analysis", "data": []}', "data must be an object"),
        ('{"phase": "analysis", "data": {}, "nonce": 7}', "nonce must be text, not 7"),
        ('{"a": 1, "a": 2}', 'the key "a" stands twice'),
        ('{"a": NaN}', "NaN isn't a number in JSON"),
        ('{"a": -Infinity}', "-Infinity isn't a number in JSON"),
        ('{"a": 1e999}', "too long or too large"),
        ('{"a": 0.' + "1" * 5000 + "}", "too long or too large"),
        ('{"a": ' + "9" * 10_000 + "}", "at most 64 bits"),
        ('{"a": 9223372036854775808}', "at most 64 bits"),
        ('{"a": "\\ud800"}', "half of a character"),
        ('{"\\ud800": 1}', "half of a character"),
        ('{"\\ud800": 1, "\\ud800": 2}', "stands twice"),
        ('{"a": "\ud800"}', "half of a character"),
        ("[" * 100_000, "deeper than 64 levels"),
        ('{"a":' * 64 + "{}" + "}" * 64, "deeper than 64 levels"),
        ('{"a": "' + "é" * (BLOCK_LIMIT // 2) + '"}', "longer than 1 MiB"),
        ('{"a": "' + "x" * BLOCK_LIMIT + '"}', "longer than 1 MiB"),
    ],
    ids=lambda value: value[:24],
)
def test_what_cannot_be_used_says_why(raw: str, said: str) -> None:
    found = parse(f"{START}{raw}{END}")
    assert found.quality is Quality.INVALID
    assert any(said in error for error in found.errors), found.errors
    "".join((found.raw, *found.errors)).encode()


def test_a_block_at_the_bounds_is_read() -> None:
    nested = json.loads("[" * 61 + "]" * 61)
    data = {
        "task_id": "t",
        "status": "success",
        "output": nested,
        "metrics": {"most": 2**63 - 1, "half": 0.5},
        "summary": "é😀",
    }
    found = parse(f"{START}{json.dumps({**DONE, 'data': data})}{END}")
    assert found.errors == ()
    assert found.data == data


def test_the_text_around_is_kept_up_to_a_mebibyte_without_broken_characters() -> None:
    found = parse("a" * BLOCK_LIMIT * 4 + "\ud800" + WHOLE)
    assert found.before_text == "a" * (BLOCK_LIMIT - 1) + "?"


def test_unknown_keys_beside_phase_are_warned_about() -> None:
    found = parse(f"{START}{json.dumps({**DONE, 'mood': 1})}{END}")
    assert found.usable
    assert found.warnings == ('"mood" beside "phase" isn\'t known: it is ignored',)


PIECES = st.sampled_from(
    [
        START,
        END,
        START[:9],
        START[9:],
        END[:5],
        END[5:],
        "<",
        ">",
        "\n",
        "text",
        json.dumps(DONE),
        "{",
        "[",
        '"',
        "é😀\ud83d",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=8), max_size=24).map("".join)


@given(text=TEXTS, data=st.data())
@settings(max_examples=400)
def test_results_do_not_depend_on_where_the_stream_was_cut(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole = streamed(ResponseParser(), [text])
    assert streamed(ResponseParser(), pieces) == whole
    assert streamed(ResponseParser(), list(text)) == whole


@given(text=st.text('ab<>{}"[]SE', max_size=60), data=st.data())
@settings(max_examples=400)
def test_overlapping_delimiters_do_not_depend_on_the_cut_either(text: str, data: st.DataObject) -> None:
    start, end = data.draw(
        st.sampled_from([("aba", "bab"), ("aab", "bba"), ("<<S", "S<E>>"), ("SSS", "EEE")])
    )
    assert streamed(ResponseParser(start, end), list(text)) == streamed(ResponseParser(start, end), [text])


@given(text=TEXTS)
def test_one_call_and_a_stream_find_the_same_blocks(text: str) -> None:
    found = ResponseParser().parse_all(text)
    assert [block.raw for block in found] == [block.raw for block in streamed(ResponseParser(), [text])]
    one = ResponseParser().parse(text)
    assert one == found[0] if found else one.quality in (Quality.INVALID, Quality.HEURISTIC)
    for block in found:
        block.raw.encode()
