from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bigtask.errors import InvalidTemplate
from bigtask.templates.manager import TemplateManager
from bigtask.templates.shape import schema
from bigtask.templates.template import Config, Phases, PromptPair, Prompts, ResponseFormat, Template, Ui, thaw

BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "minLength", "pattern", "minItems")


def facts_of_the_schema(part: dict[str, Any], where: str = "") -> dict[str, Any]:
    """The bounds and choices of each place, as schema.json has them."""
    if "$ref" in part:
        part = schema()["$defs"][part["$ref"].rpartition("/")[2]]
    facts = {f"{where} {bound}": part[bound] for bound in BOUNDS if bound in part}
    if "enum" in part:
        facts[f"{where} enum"] = sorted(value for value in part["enum"] if value is not None)
    for key, inner in part.get("properties", {}).items():
        facts |= facts_of_the_schema(inner, f"{where}/{key}")
    if "items" in part:
        facts |= facts_of_the_schema(part["items"], f"{where}/*")
    return facts


def facts_of_the_types(part: dict[str, Any], defs: dict[str, Any], where: str = "") -> dict[str, Any]:
    if "$ref" in part:
        part = defs[part["$ref"].rpartition("/")[2]]
    facts = {f"{where} {bound}": part[bound] for bound in BOUNDS if bound in part}
    if "enum" in part:
        facts[f"{where} enum"] = sorted(part["enum"])
    for inner in part.get("anyOf", []):
        facts |= facts_of_the_types(inner, defs, where)
    for key, inner in part.get("properties", {}).items():
        if f"{where}/{key}" != "/raw":
            facts |= facts_of_the_types(inner, defs, f"{where}/{key}")
    if isinstance(part.get("items"), dict):
        facts |= facts_of_the_types(part["items"], defs, f"{where}/*")
    return facts


def test_types_and_schema_have_the_same_bounds() -> None:
    typed = msgspec.json.schema(Template)
    here = facts_of_the_types(typed, typed["$defs"])
    there = {
        key: fact for key, fact in facts_of_the_schema(schema()).items() if not key.startswith("/extends")
    }
    # A list of words has words in it: said once in the schema, and by the type of each list.
    assert {key: fact for key, fact in here.items() if not key.endswith("/* minLength")} == {
        key: fact for key, fact in there.items() if not key.endswith("/* minLength")
    }


def test_types_and_schema_have_the_same_defaults() -> None:
    def defaults(part: dict[str, Any], where: str = "") -> dict[str, Any]:
        if "$ref" in part:
            part = schema()["$defs"][part["$ref"].rpartition("/")[2]]
        found = {where: part["default"]} if "default" in part else {}
        for key, inner in part.get("properties", {}).items():
            found |= defaults(inner, f"{where}/{key}")
        return found

    typed: dict[str, Any] = {}

    def flatten(value: Any, where: str) -> None:
        typed[where] = value
        for key, inner in value.items() if isinstance(value, dict) else ():
            flatten(inner, f"{where}/{key}")

    pair = PromptPair(system="x")
    prompts = Prompts(analysis=pair, task_planning=pair, worker=pair, aggregation=pair, verification=pair)
    blank = Template(id="x", name="x", raw={}, prompts=prompts)
    flatten(msgspec.json.decode(msgspec.json.encode(blank)), "")
    wanted = defaults(schema())
    assert len(wanted) > 50
    assert {where: typed[where] for where in wanted} == wanted


def test_the_default_template_has_the_defaults() -> None:
    default = TemplateManager().get("_default")
    assert default.config == Config()
    assert default.phases == Phases()
    assert default.prompts.response_format == ResponseFormat()
    assert (default.ui.show_worker_details, default.ui.worker_columns) == (
        Ui().show_worker_details,
        Ui().worker_columns,
    )


def test_a_template_freezes_into_json_and_thaws_again() -> None:
    template = TemplateManager().get("documentation")
    frozen = msgspec.json.encode(template.raw)
    assert thaw(msgspec.json.decode(frozen)) == template


def test_a_thawed_template_does_not_change_with_what_it_came_from() -> None:
    raw = {**TemplateManager().get("documentation").raw}
    template = thaw(raw)
    raw["variables"]["LANGUAGE"] = "fr"
    assert template.variables["LANGUAGE"] == template.raw["variables"]["LANGUAGE"] == "en"


def test_what_a_newer_bigtask_wrote_still_opens() -> None:
    raw = {**TemplateManager().get("_default").raw, "later": {"x": 1}}
    assert thaw(raw).raw["later"] == {"x": 1}


def test_json_that_is_no_template_says_where() -> None:
    raw = {**TemplateManager().get("_default").raw, "config": {"maxWorkers": 0}}
    with pytest.raises(InvalidTemplate) as caught:
        thaw(raw)
    assert caught.value.name == "_default"
    assert caught.value.problems[0][0] == "/config/maxWorkers"
