"""What the corpus doesn't reach: bounds, and the sentences that tell an agent what to do."""

from __future__ import annotations

import pytest

from bigtask.protocol.bounded_json import Unreadable
from bigtask.protocol.delimiters import END_DELIMITER, START_DELIMITER, without_remnant
from bigtask.protocol.fields import BLOCKS
from bigtask.protocol.mending import from_text, mend
from bigtask.protocol.mending_effort import BLOCKS_LIMIT, STEPS_LIMIT, Effort
from bigtask.protocol.mending_wrapping import unescaped
from bigtask.protocol.misplaced import misplaced
from bigtask.protocol.parser import ResponseParser
from bigtask.protocol.reading import read_block


def refusal(text: str, *, ended: bool = True) -> str:
    with pytest.raises(Unreadable) as refused:
        mend(text, Effort(), ended=ended)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 65, "nested deeper than 64 levels"),
        ("[" + "1," * STEPS_LIMIT, "too long to be mended"),
        ('{"a": "\\', "isn't ended by its quotation mark"),
        ('{"a": "x" "b": 1}', "after a text must be a comma"),
        ('{\n  "a": 1,\n  b c}', "at its line 3, column 5"),
        ('{"a": [1, 2] 3}', 'after a value must be a comma or a closing bracket, not "3"'),
        ('{"a": 1 b}', "after a value must be a comma"),
        ('{"a": 1, "b" 2}', "after a key must be a colon"),
        ('{"a": "the "b" c" d" e"}', "after a text must be a comma"),
        ('{"a": "the " b" c"}', "after a text must be a comma"),
        ('{"a": "b "c """}', "which quotation mark"),
        ("\ufeff", "nothing in it"),
        ("{\ufeff", "before it is whole"),
        ('{"a": 1} // and }', "where the comment"),
    ],
)
def test_a_refusal_says_where_and_what_to_do(text: str, said: str) -> None:
    assert said in refusal(text)


def test_effort_is_shared_by_the_blocks_of_a_message() -> None:
    effort = Effort()
    mend("[" + "1," * 3000 + "]", effort, ended=True)
    with pytest.raises(Unreadable, match="too long to be mended"):
        mend("[" + "1," * 3000 + "]", effort, ended=True)


def test_a_broken_block_that_comes_again_is_told_again_with_what_stands_before_it() -> None:
    broken = '{"phase": "progress", "nonce": "n1", "data": {}}'
    first, second, other = ResponseParser().parse_all(
        f"one{START_DELIMITER}{broken}{END_DELIMITER}two{START_DELIMITER}{broken}{END_DELIMITER}"
        f"three{START_DELIMITER}{broken[:-1]}, {END_DELIMITER}"
    )
    assert (first.before_text, second.before_text) == ("one", "two")
    assert first.errors
    assert (second.errors, second.phase, second.nonce, second.raw) == (
        first.errors,
        "progress",
        "n1",
        first.raw,
    )
    assert other.before_text == "three"


def test_of_so_many_different_broken_blocks_the_first_are_remembered() -> None:
    effort = Effort()
    blocks = [f'{{"phase": "progress", "data": {{"x": {n}}}}}' for n in range(BLOCKS_LIMIT + 1)]
    for raw in blocks:
        assert not read_block(raw, effort=effort).usable
    assert effort.known(blocks[0], True) is not None
    assert effort.known(blocks[-1], True) is None
    assert not read_block(blocks[-1], effort=effort).usable


def test_brackets_are_added_only_where_the_writer_had_finished() -> None:
    assert mend('{"a": [1, {"b": "c"', Effort(), ended=True).value == {"a": [1, {"b": "c"}]}
    assert "before it is whole" in refusal('{"a": [1, {"b": "c"', ended=False)
    assert mend('{"a": [1, {"b": "c",}]}', Effort(), ended=False).value == {"a": [1, {"b": "c"}]}


def test_the_line_of_an_error_is_counted_from_the_beginning_of_the_block() -> None:
    assert "at its line 3, column 6" in refusal('```json\n{\n"a": tru\n}\n```')


def test_a_text_within_the_block_is_read_only_if_it_is_json() -> None:
    assert from_text("just words") is None
    found = from_text('{"a": 1}')
    assert found is not None
    assert found.value == {"a": 1}
    assert read_block('"just words"').errors == ('the block must be one JSON object, not "just words"',)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"a": "\\""}', '{\\"a\\": \\"\\q\\"}'])
def test_only_what_is_escaped_as_a_whole_is_unescaped(text: str) -> None:
    assert unescaped(text) is None


def test_a_remnant_of_the_end_is_taken_off_only_where_it_helps() -> None:
    assert without_remnant("{}", END_DELIMITER) == "{}"
    assert without_remnant("{}\n<<<END", END_DELIMITER) == "{}\n"
    assert without_remnant("", END_DELIMITER) == ""
    good = '{"phase": "completion", "data": {"task_id": "t", "status": "success"}}'
    parser = ResponseParser("{{BEGIN}}", "}}END{{")
    assert parser.parse(f"{{{{BEGIN}}}}{good}").usable
    assert parser.parse(f"{{{{BEGIN}}}}{good}}}}}EN").usable


def test_a_field_is_misplaced_where_another_object_may_be_meant() -> None:
    completion = BLOCKS["completion"]
    assert misplaced({"task_id": "t", "metrics": {"a": [{"b": 1}]}}, completion, frozenset()) is None
    assert misplaced({"task_id": "t", "mood": 1}, completion, frozenset()) == "mood"
    assert misplaced({"metrics": {"a": [{"summary": 1}]}}, completion, frozenset()) == "summary"
    assert misplaced({"output": {"nonce": "n"}}, completion, {"nonce"}) == "nonce"
    plan = {"tasks": [{"id": "a", "checks": [{"claim": "x", "id": "b"}]}]}
    assert misplaced(plan, BLOCKS["task_list"], frozenset()) == "id"


def test_a_mended_block_of_no_known_phase_is_refused_for_its_phase() -> None:
    for block in ('{"phase": "coffee", "data": {}', "[1, 2", '{"phase": 1, "data": {}'):
        assert not read_block(block).usable
