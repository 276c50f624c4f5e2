"""What is said of a field that can't be used: where, what is wrong, what is wanted."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bigtask.server.run_requests import CreateRun
from bigtask.server.wrong_input import sentence

RIGHT = {"templateId": "documentation", "cwd": "/home/ada/project", "message": "Do it"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({**RIGHT, "message": ""}, "must not be empty"),
        ({**RIGHT, "message": 3}, "must be some text, not 3"),
        ({**RIGHT, "templateId": "x" * 65}, f'must be at most 64 characters, not "{"x" * 58}…'),
        ({**RIGHT, "mesage": "Do it"}, "mesage isn't known here: did you mean message?"),
        ({**RIGHT, "zzz": 1}, "zzz isn't known here"),
        ({**RIGHT, "options": []}, "must be an object, not a list"),
        ({**RIGHT, "options": {"maxWorker": 3}}, "maxWorker isn't known here: did you mean maxWorkers?"),
        ({**RIGHT, "options": {"maxWorkers": "3"}}, 'must be a whole number, not "3"'),
        ({**RIGHT, "options": {"maxWorkers": 300}}, "must be at most 64, not 300"),
        ({**RIGHT, "options": {"maxWorkers": 0}}, "must be at least 1, not 0"),
        ({**RIGHT, "options": {"maxBudgetUsd": 0}}, "must be more than 0, not 0"),
        ({**RIGHT, "options": {"autoSpawn": "yes"}}, 'must be true or false, not "yes"'),
        ({key: RIGHT[key] for key in ("templateId", "cwd")}, "message is missing"),
    ],
)
def test_a_wrong_field_is_told_with_what_is_wanted(body: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        CreateRun.model_validate(body)
    (error,) = wrong.value.errors()
    assert sentence({**error, "loc": ("body", *error["loc"])}) == said


def test_a_body_that_isn_t_there_is_told_as_one() -> None:
    assert sentence({"type": "missing", "loc": ("body",), "msg": "Field required"}) == "must not be empty"


def test_what_has_no_words_of_ours_keeps_its_own() -> None:
    error = {"type": "value_error", "loc": ("body", "at"), "msg": "Value error, No time"}
    assert sentence(error) == "no time"
