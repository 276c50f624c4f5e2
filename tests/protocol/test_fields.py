from __future__ import annotations

import json
import math
from typing import Any

import jsonschema
import pytest

from bigtask.errors import InvalidInput
from bigtask.protocol.delimiters import END_DELIMITER, START_DELIMITER
from bigtask.protocol.fields import ANSWERS, BLOCKS, example, read_fields, response_format, schema
from bigtask.protocol.parser import ResponseParser
from bigtask.protocol.reading import read_value
from bigtask.protocol.response import Quality
from bigtask.protocol.shapes import Field, Listing, OneField, Record, Shape

TASK = {"id": "a", "title": "A", "description": "do a"}


@pytest.mark.parametrize(
    ("phase", "data", "error"),
    [
        ("analysis", {"summary": "s"}, "recommended_splits is missing: give a whole number of at least 1"),
        (
            "analysis",
            {"summary": " ", "recommended_splits": 1},
            'summary must be text that isn\'t empty, not " "',
        ),
        (
            "analysis",
            {"summary": "s", "recommended_splits": True},
            "recommended_splits must be a whole number of at least 1, not true",
        ),
        (
            "analysis",
            {"summary": "s", "recommended_splits": 1.5},
            "recommended_splits must be a whole number of at least 1, not 1.5",
        ),
        (
            "analysis",
            {"summary": "s", "recommended_splits": 1, "key_files": ["a", 2]},
            "key_files[1] must be text, not 2",
        ),
        (
            "analysis",
            {"summary": "s", "recommended_splits": 1, "components": ["a"]},
            'components[0] must be an object, not "a"',
        ),
        (
            "analysis",
            {"summary": "s", "recommended_splits": 1, "estimated_complexity": "huge"},
            'estimated_complexity must be "low", "medium" or "high", not "huge"',
        ),
        (
            "analysis",
            {"summary": None, "recommended_splits": 1},
            "summary must be text that isn't empty, not null",
        ),
        ("task_list", {"tasks": []}, "tasks must be a list of tasks that isn't empty, not []"),
        ("task_list", {"tasks": {}}, "tasks must be a list of tasks that isn't empty, not {}"),
        ("task_list", {"tasks": ["a"]}, 'tasks[0] must be an object (a task), not "a"'),
        (
            "task_list",
            {"tasks": [TASK, TASK, TASK, {**TASK, "priority": "high"}]},
            'tasks[3].priority must be a whole number from 1 to 10, not "high"',
        ),
        (
            "task_list",
            {"tasks": [{**TASK, "priority": 11}]},
            "tasks[0].priority must be a whole number from 1 to 10, not 11",
        ),
        (
            "task_list",
            {"tasks": [{**TASK, "checks": [{"command": []}]}]},
            "tasks[0].checks[0].command must be a list of arguments that isn't empty, not []",
        ),
        (
            "task_list",
            {"tasks": [{**TASK, "checks": [{"x": 1}]}]},
            (
                'tasks[0].checks[0] must be {"command": a list of arguments that isn\'t empty} '
                'or {"claim": text that isn\'t empty}, not {"x": 1}'
            ),
        ),
        (
            "progress",
            {"task_id": "t", "status": "dancing"},
            'status must be "in_progress", "blocked" or "retrying", not "dancing"',
        ),
        (
            "progress",
            {"task_id": "t", "status": []},
            'status must be "in_progress", "blocked" or "retrying", not []',
        ),
        (
            "progress",
            {"task_id": "t", "status": "blocked", "progress_percent": 101},
            "progress_percent must be a number from 0 to 100, not 101",
        ),
        (
            "completion",
            {"task_id": "t", "status": "failed"},
            'error is missing: it is required when status is "failed"',
        ),
        (
            "completion",
            {"task_id": "t", "status": "failed", "error": None},
            'error is missing: it is required when status is "failed"',
        ),
        (
            "verification",
            {"status": "passed", "issues": [{"severity": "bad", "description": "d"}]},
            'issues[0].severity must be "error", "warning" or "info", not "bad"',
        ),
        (
            "aggregation",
            {"status": "success", "conflicts": [{}]},
            "conflicts[0].description is missing: give text that isn't empty",
        ),
    ],
)
def test_errors_are_sentences_that_a_model_can_act_on(phase: str, data: dict[str, Any], error: str) -> None:
    assert read_fields(phase, data).errors == (error,)


@pytest.mark.parametrize("word", ["working", "processing", "in_progress"])
def test_other_words_for_in_progress_are_read_as_it(word: str) -> None:
    found = read_fields("progress", {"task_id": "t", "status": word})
    assert found.errors == ()
    assert found.data["status"] == "in_progress"


def test_unknown_fields_are_kept_and_warned_about() -> None:
    found = read_fields(
        "task_list", {"tasks": [{**TASK, "mood": 1, "checks": [{"claim": "c", "by": "me"}]}], "x y": 2}
    )
    assert found.errors == ()
    assert (found.data["tasks"][0]["mood"], found.data["x y"]) == (1, 2)
    assert found.data["tasks"][0]["checks"] == [{"claim": "c", "by": "me"}]
    assert found.warnings == (
        "tasks[0].mood isn't a field of a task: it is kept and not used",
        "tasks[0].checks[0].by isn't a known field: it is kept and not used",
        '"x y" isn\'t a field of a task list: it is kept and not used',
    )


def test_null_in_an_optional_field_reads_as_a_field_that_is_not_there() -> None:
    assert read_fields("task_list", {"tasks": [{**TASK, "priority": None}]}).data == {"tasks": [TASK]}


def test_a_whole_number_may_be_written_with_a_fraction_of_zero() -> None:
    found = read_fields("analysis", {"summary": "s", "recommended_splits": 3.0}).data["recommended_splits"]
    assert (found, type(found)) == (3, int)


def test_the_number_of_sentences_is_bounded() -> None:
    wrong = read_fields("task_list", {"tasks": list(range(1000))})
    assert len(wrong.errors) == 21
    assert wrong.errors[-1] == "980 more errors"
    assert len(read_fields("progress", {f"x{n}": n for n in range(1000)}).warnings) == 20


def test_an_error_quotes_only_the_beginning_of_a_long_value() -> None:
    (error, *_) = read_fields("task_list", {"tasks": "x" * 10_000}).errors
    assert len(error) < 200


@pytest.mark.parametrize("phase", BLOCKS)
def test_the_example_of_the_explanation_is_a_valid_block_with_a_nonce_nobody_has(phase: str) -> None:
    text = response_format(phase, START_DELIMITER, END_DELIMITER)
    found = ResponseParser().parse_all(text)
    assert {block.quality for block in found} == {Quality.STRICT}
    assert found[0].phase == phase
    assert all(block.warnings == () for block in found)
    assert all(block.nonce == "the nonce from the end of this prompt" for block in found)


@pytest.mark.parametrize("phase", BLOCKS)
def test_every_field_is_explained_and_has_a_valid_example(phase: str) -> None:
    text = response_format(phase, START_DELIMITER, END_DELIMITER)

    def check(record: Record) -> None:
        for name, known in record.fields.items():
            assert f"- {name} (" in text
            assert jsonschema.Draft202012Validator(known.shape.schema()).is_valid(known.example), name
            below: Shape = known.shape.of if isinstance(known.shape, Listing) else known.shape
            if isinstance(below, Record):
                check(below)

    check(BLOCKS[phase])


def test_a_worker_is_also_told_how_to_report_progress() -> None:
    assert '"phase": "progress"' in response_format("completion", START_DELIMITER, END_DELIMITER)


@pytest.mark.parametrize("phase", BLOCKS)
def test_the_schema_and_the_check_agree(phase: str) -> None:
    validator = jsonschema.Draft202012Validator(schema(phase))
    validator.check_schema(schema(phase))
    valid = example(phase)
    assert validator.is_valid(valid)
    assert read_fields(phase, valid).errors == ()
    for name in valid:
        for other in ("", "x", -1, 0, 11, 1.5, True, [], [1], {}, {"a": 1}):
            data = {**valid, name: other}
            assert validator.is_valid(data) == (read_fields(phase, data).errors == ()), (name, other)
        without = {key: value for key, value in valid.items() if key != name}
        assert validator.is_valid(without) == (read_fields(phase, without).errors == ()), name
    if phase == "completion":
        assert not validator.is_valid({**valid, "status": "failed"})
        assert validator.is_valid({**valid, "status": "failed", "error": "e"})


def test_a_check_is_a_command_or_a_claim() -> None:
    shape = OneField(
        fields={
            "command": Field(shape=Listing(of=BLOCKS["analysis"], called="x"), about="", example=[]).shape
        }
    )
    validator = jsonschema.Draft202012Validator(shape.schema())
    assert validator.is_valid({"command": []})
    assert not validator.is_valid({})


def test_every_phase_of_a_run_has_its_block() -> None:
    assert set(ANSWERS.values()) | {"progress"} == set(BLOCKS)


def test_an_unknown_phase_is_refused() -> None:
    with pytest.raises(InvalidInput, match="there is no phase 'coffee'"):
        schema("coffee")


def test_a_value_from_a_tool_call_passes_the_same_checks() -> None:
    good = read_value("progress", {"task_id": "t", "status": "working"}, "n")
    assert (good.quality, good.nonce, good.data["status"]) == (Quality.STRICT, "n", "in_progress")
    assert read_value("progress", {}).errors
    assert read_value("coffee", {}).errors
    deep = json.loads("[" * 70 + "]" * 70)
    for bad in (deep, math.nan, "\ud800"):
        found = read_value("completion", {"task_id": "t", "status": "success", "output": bad}, "n")
        assert (found.quality, found.nonce) == (Quality.INVALID, "n")
