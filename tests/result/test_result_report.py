"""The report in each of its forms, of runs of every colour."""

from __future__ import annotations

import json
import os
import unicodedata
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from bigtask.core import observations as o
from bigtask.core.events import iso
from bigtask.core.values import Usage
from bigtask.report.as_json import as_json
from bigtask.report.markdown import markdown
from bigtask.report.result import RunResult, result_of
from core.world import started, task

from .junit_form import outline, problems
from .scene import COLOURS, HOSTILE

GOLDEN = Path(__file__).parent / "golden"
"""Written anew by BIGTASK_GOLDEN=1; look at the difference before you keep it."""

every_colour = pytest.mark.parametrize("colour", COLOURS)


def as_kept(name: str, text: str) -> str:
    file = GOLDEN / name
    if os.environ.get("BIGTASK_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(text)
    return file.read_text()


@every_colour
def test_markdown_is_as_it_was_looked_at(colour: str) -> None:
    text = markdown(result_of(COLOURS[colour]()))
    assert text == as_kept(f"{colour}.md", text)


@every_colour
def test_junit_is_as_it_was_looked_at(colour: str) -> None:
    from bigtask.report.junit import junit

    text = junit(result_of(COLOURS[colour]()))
    assert text == as_kept(f"{colour}.xml", text)


@every_colour
def test_junit_is_in_the_common_form(colour: str) -> None:
    from bigtask.report.junit import junit

    assert problems(junit(result_of(COLOURS[colour]())).encode()) == []


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files("bigtask.report").joinpath("schema.json").read_text())
    return found


@every_colour
def test_json_is_as_its_schema_says_and_reads_back_as_the_same_result(colour: str) -> None:
    result = result_of(COLOURS[colour]())
    text = as_json(result)
    jsonschema.Draft202012Validator(schema()).validate(json.loads(text))
    assert msgspec.json.decode(text, type=RunResult) == result


def test_the_schema_has_every_field_and_no_other() -> None:
    """Whoever reads the format relies on it: a field that goes or changes needs a new `VERSION`."""
    typed = msgspec.json.schema(RunResult)["$defs"]
    stored = schema()
    described = {"RunResult": stored, **stored["$defs"]}
    assert set(described) == set(typed)
    for name, shape in typed.items():
        if "properties" not in shape:
            assert sorted(described[name]["enum"]) == sorted(shape["enum"])
            continue
        assert described[name]["required"] == list(described[name]["properties"])
        for field, kind in shape["properties"].items():
            if field not in ("format", "version"):
                assert described[name]["properties"][field] == {
                    k: v for k, v in kind.items() if k != "default"
                }
        assert list(described[name]["properties"]) == list(shape["properties"])


def test_what_nobody_sees_is_not_in_any_form() -> None:
    from bigtask.report.junit import junit

    result = result_of(COLOURS["partial"]())
    for text in (markdown(result), junit(result), as_json(result)):
        assert HOSTILE not in text
        assert [
            s for s in text if unicodedata.category(s) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and s != "\n"
        ] == []
    assert json.loads(as_json(result))["ledger"][1]["reason"] == f"no disk {HOSTILE}"


def test_hostile_words_stay_words_in_xml() -> None:
    from bigtask.report.junit import junit

    cases = outline(junit(result_of(COLOURS["partial"]())).encode())
    assert [(group, kind) for group, _, kind, _ in cases] == [
        ("bigtask.tasks", "failure"),
        ("bigtask.tasks", "failure"),
        ("bigtask.tasks", "skipped"),
        ("bigtask.tasks", ""),
        ("bigtask.checks.liar", "skipped"),
        ("bigtask.verdict", ""),
    ]
    assert "</testcase>]]><img src=x onerror=alert(1)>" in cases[1][3]


def test_hostile_words_are_no_markup_in_markdown() -> None:
    text = markdown(result_of(COLOURS["partial"]()))
    outside = text.replace("\\<", "").replace("\\[", "").replace("\\]", "")
    for markup in ("<img", "](", "http://evil", "www.evil", "@ada", " *b*", " _i_", "~~s~~", " &amp;"):
        assert markup not in outside, markup
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 8, line


def test_the_ledger_comes_first_and_every_section_has_its_place() -> None:
    titles = [
        line[3:] for line in markdown(result_of(COLOURS["red"]())).splitlines() if line.startswith("## ")
    ]
    assert titles == [
        "What became of every task",
        "Verdict: did not pass",
        "Result",
        "Cost and time",
        "Taking it over",
        "Left to you",
    ]


def test_what_a_program_printed_cannot_leave_its_fence() -> None:
    text = markdown(result_of(COLOURS["red"]()))
    assert "````text\n  a.md: no title\n  ```\n  make: Error\n  ````" in text


def test_a_claim_without_evidence_is_told_as_such() -> None:
    result = result_of(COLOURS["partial"]())
    liar = result.ledger[3]
    assert "claimed but unchanged: docs/all.md" in liar.remarks
    assert [list(command) for command in liar.not_run] == [["sh", "-c", HOSTILE]]
    left = [one.what for one in result.left]
    assert "look whether liar did what it says: unchanged is docs/all.md" in left
    assert "look at what liar changed outside its scope: x`|y.md" in left


def test_a_verdict_that_facts_contradict_did_not_pass() -> None:
    result = result_of(COLOURS["red"]())
    verdict = result.verdict
    assert verdict is not None
    assert (verdict.status, verdict.passed, verdict.repair_rounds) == ("passed", False, 1)
    assert verdict.why_not == "`make check` ended with 2; not as claimed: every page has a title"
    assert [one.what for one in result.left][:3] == [
        "repair what makes `make check` fail on the merged whole",
        "see to it that every page has a title (a)",
        "look whether it is so: no link is dead (a)",
    ]


def test_costs_are_told_in_all_and_by_agent() -> None:
    result = result_of(COLOURS["green"]())
    assert result.cost.total.cost_usd == pytest.approx(0.5)
    assert sum(used.input_tokens for used in result.cost.by_agent.values()) == result.cost.total.input_tokens
    assert result.time.work_ms <= 3 * result.time.elapsed_ms


def test_a_report_does_not_tell_where_a_person_keeps_things() -> None:
    run = COLOURS["green"]()
    assert "/project" not in as_json(result_of(run))


def test_the_bill_names_who_pays() -> None:
    run = COLOURS["green"]()
    run.used = Usage(input_tokens=1_000, output_tokens=500, cost_usd=1.5)
    for subscription, words in (
        (False, "1,500 tokens, $1.50 from the API key …abcd"),
        (True, "1,500 tokens, $1.50 by list price, paid already with the API key …abcd"),
    ):
        settings = msgspec.structs.replace(
            run.settings, account="the API key …abcd", subscription=subscription
        )
        run.created = msgspec.structs.replace(run.created, settings=settings)
        found = result_of(run)
        assert (found.cost.account, found.cost.subscription) == ("the API key …abcd", subscription)
        assert f"- {words}\n" in markdown(found)
    run.used = Usage(input_tokens=1_000)
    assert "API key" not in markdown(result_of(run))


def test_what_goes_on_by_itself_is_told_with_its_time() -> None:
    world = started(task("a"), task("b"), task("c"), task("d"), max_workers=4).open("a").open("b").open("c")
    world.see(o.Limited(**world.who("a"), kind="rate", reset_ms=60_000))
    world.see(o.Limited(**world.who("b"), kind="rate"))
    world.see(o.Stalled(**world.who("c"), quiet_ms=180_000))
    assert [left.what for left in result_of(world.run).left] == [
        f"nothing about a: its account is limited, and it goes on by itself at {iso(world.now + 60_000)}",
        "nothing about b: its account is limited, and it goes on by itself",
        "nothing yet about c: it shows no sign of life, and was asked what is going on",
    ]
