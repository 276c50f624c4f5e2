from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bigtask.templates.checking import Findings, check
from bigtask.templates.manager import TemplateManager
from bigtask.templates.shape import schema

SHIPPED = {
    shipped.id: TemplateManager().get(shipped.id, resolved=False) for shipped in TemplateManager().list()
}


def child(**more: Any) -> dict[str, Any]:
    return {"id": "mine", "name": "Mine", "extends": "_default", **more}


def errors(raw: object) -> list[tuple[str, str]]:
    return list(check(raw, SHIPPED).errors)


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())
    assert schema()["$id"].startswith("urn:")


def test_every_part_of_the_schema_says_what_it_is_for() -> None:
    def visit(part: dict[str, Any], where: str) -> None:
        if "$ref" in part:
            part = {**schema()["$defs"][part["$ref"].rpartition("/")[2]], **part}
        assert part.get("description"), where
        for key, inner in part.get("properties", {}).items():
            visit(inner, f"{where}/{key}")

    visit(schema(), "")


def test_examples_and_defaults_of_the_schema_pass_it() -> None:
    def visit(part: dict[str, Any]) -> None:
        part = part if "$ref" not in part else {**schema()["$defs"][part["$ref"].rpartition("/")[2]], **part}
        for value in [*part.get("examples", []), *([part["default"]] if "default" in part else [])]:
            Draft202012Validator({**part, "$defs": schema()["$defs"]}).validate(value)
        for inner in part.get("properties", {}).values():
            visit(inner)

    visit(schema())


@pytest.mark.parametrize("template_id", sorted(SHIPPED))
def test_shipped_templates_have_no_error_and_no_warning(template_id: str) -> None:
    assert check(SHIPPED[template_id], SHIPPED) == Findings()


def test_a_child_needs_only_its_id_and_name() -> None:
    assert check(child(), SHIPPED) == Findings()


@pytest.mark.parametrize(
    ("change", "pointer", "sentence"),
    [
        ({"config": {"maxWorker": 1}}, "/config/maxWorker", "did you mean maxWorkers?"),
        ({"config": {"max_workers": 1}}, "/config/max_workers", "did you mean maxWorkers?"),
        ({"maxWorkers": 1}, "/maxWorkers", "it belongs in /config"),
        (
            {"config": {"maxWorkers": "8"}},
            "/config/maxWorkers",
            'a whole number from 1 to 64, not the text "8"',
        ),
        ({"config": {"maxWorkers": 65}}, "/config/maxWorkers", "from 1 to 64, not 65"),
        ({"config": {"maxWorkers": True}}, "/config/maxWorkers", "not true"),
        ({"config": {"workerTimeout": 300}}, "/config/workerTimeout", "from 10000 to 86400000, not 300"),
        ({"config": {"isolation": "worktre"}}, "/config/isolation", "did you mean worktree?"),
        ({"config": {"setup": "npm ci"}}, "/config/setup", 'write [["npm", "ci"]]'),
        ({"hooks": {"onError": "notify me"}}, "/hooks/onError", 'write ["notify", "me"]'),
        ({"hooks": {"onError": []}}, "/hooks/onError", "a list that isn't empty"),
        ({"config": {"maxBudgetUsd": 0}}, "/config/maxBudgetUsd", "a number above 0, not 0"),
        ({"variables": {"lower": "x"}}, "/variables/lower", "the name must be capitals"),
        ({"variables": {"A": [1]}}, "/variables/A", "not a list"),
        ({"ui": {"color": "red"}}, "/ui/color", "a colour like #2f6feb"),
        ({"ui": {"workerColumns": ["cost", "cost"]}}, "/ui/workerColumns", "must not repeat"),
        ({"id": "Not an id"}, "/id", "a-z, 0-9"),
        ({"id": "mine\n"}, "/id", "a-z, 0-9"),
        ({"version": "1.0"}, "/version", "like 1.0.0"),
        ({"name": ""}, "/name", "not empty text"),
        ({"extends": "gone"}, "/extends", "mine -> gone"),
        ({"extends": "mine"}, "/extends", "mine -> mine"),
        ({"a/b~c": 1}, "/a~1b~0c", "isn't known here"),
        ({"prompts": {"worker": None}}, "/prompts/worker", "in mine -> _default"),
        (
            {"prompts": {"responseFormat": {"startDelimiter": "<<<", "endDelimiter": "<<<END"}}},
            "/prompts/responseFormat",
            "can't be told apart",
        ),
        (
            {"phases": {"taskPlanning": {"validation": {"minTasks": 60}}}},
            "/phases/taskPlanning/validation/minTasks",
            "must not be above maxTasks (50)",
        ),
        (
            {"phases": {"analysis": {"validation": {"requiredFields": ["sumary"]}}}},
            "/phases/analysis/validation/requiredFields/0",
            "did you mean summary?",
        ),
        (
            {"prompts": {"worker": {"format": {"optionalFields": ["summary", "issues"]}}}},
            "/prompts/worker/format/optionalFields/1",
            "no field issues: known are task_id",
        ),
        (
            {"prompts": {"taskPlanning": {"format": {"taskSchema": {"titel": "short"}}}}},
            "/prompts/taskPlanning/format/taskSchema/titel",
            "did you mean title?",
        ),
    ],
)
def test_an_error_says_where_and_what(change: dict[str, Any], pointer: str, sentence: str) -> None:
    found = errors({**child(), **change})
    assert [where for where, _ in found] == [pointer]
    assert sentence in found[0][1]


def test_a_template_without_a_parent_needs_every_prompt() -> None:
    assert [where for where, _ in errors({"id": "mine", "name": "Mine"})] == ["/prompts"]
    found = errors({"id": "mine", "name": "Mine", "prompts": {"worker": {"user": "x"}, "analysis": None}})
    assert [where for where, _ in found] == [
        "/prompts/aggregation",
        "/prompts/analysis",
        "/prompts/taskPlanning",
        "/prompts/verification",
        "/prompts/worker/system",
    ]


@pytest.mark.parametrize("raw", [[], "x", 3, None])
def test_what_is_not_an_object_is_one_error(raw: object) -> None:
    assert len(errors(raw)) == 1


def test_every_error_is_listed() -> None:
    assert len(errors({"config": {"maxWorkers": 0, "maxRetries": 11}, "nope": 1})) == 6


def test_null_removes_what_was_inherited_and_is_no_error() -> None:
    assert check(child(config={"maxWorkers": None}, ui=None, description=None), SHIPPED) == Findings()


@pytest.mark.parametrize(
    ("system", "sentence"),
    [
        ("{RESPONSE_FORMAT} {USER_REQUST}", "did you mean USER_REQUEST?"),
        ("{RESPONSE_FORMAT} {LANGUAG}", "did you mean LANGUAGE?"),
        ("{RESPONSE_FORMAT} {ZZZ}", "name it in variables"),
        (
            "{RESPONSE_FORMAT} {TASK_ID}",
            "has no value in analysis and stays as it is: only in workerExecution",
        ),
        ("no format", "{RESPONSE_FORMAT} is missing"),
    ],
)
def test_names_without_a_value_are_warnings(system: str, sentence: str) -> None:
    raw = child(prompts={"analysis": {"system": system}}, variables={"LANGUAGE": "en"})
    found = check(raw, SHIPPED)
    assert not found.errors
    assert [text for _, text in found.warnings if sentence in text]
    assert found.warnings[0][0].startswith("/prompts/analysis")


def test_a_variable_that_bigtask_sets_itself_is_a_warning() -> None:
    assert check(child(variables={"CWD": "x"}), SHIPPED).warnings[0][0] == "/variables/CWD"
