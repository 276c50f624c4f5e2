"""What is read of a program's lines, and what it is started with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bigtask.agents.arguments import environment, filled
from bigtask.agents.command.records import Reading, fit_session
from bigtask.agents.command.retelling import retold
from bigtask.agents.limits_told import limit_in
from bigtask.agents.protocol import Limited, Opening, SessionEvent, Text, UsageReported
from bigtask.configuration.agent_definitions import CommandDefinition, definition

CODEX = {
    "text": {"path": "item.text", "when": {"type": "item.completed", "item.type": "agent_message"}},
    "session": "thread_id",
    "inputTokens": "usage.input_tokens",
    "outputTokens": "usage.output_tokens",
    "error": {"path": "error", "when": {"type": "turn.failed"}},
    "final": {"when": {"type": "turn.completed"}},
}
CLAUDE = {
    "text": {"path": "result", "when": {"type": "result"}},
    "session": "session_id",
    "cost": "total_cost_usd",
    "error": {"path": "is_error", "when": {"type": "result"}},
    "final": {"when": {"type": "result"}},
}


def command(**more: Any) -> CommandDefinition:
    made = definition("mine", {"kind": "command", "argv": ["mine"], **more})
    assert isinstance(made, CommandDefinition)
    return made


def read(fields: dict[str, Any], *records: Any, **more: Any) -> tuple[Reading, list[SessionEvent]]:
    reading = Reading(
        command(output="jsonl", fields=fields, **more), spent=UsageReported(input_tokens=100), message=-1
    )
    lines = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
    return reading, [event for line in lines for event in reading.feed(line)]


def test_the_lines_of_codex_exec_are_text_usage_and_an_end() -> None:
    reading, events = read(
        CODEX,
        {"type": "thread.started", "thread_id": "0199a213"},
        {"type": "item.completed", "item": {"type": "reasoning", "text": "hm"}},
        {"type": "item.completed", "item": {"type": "agent_message", "text": "One."}},
        {"type": "item.completed", "item": {"type": "agent_message", "text": "Two."}},
        {"type": "turn.completed", "usage": {"input_tokens": 7, "output_tokens": 3}},
    )
    used = UsageReported(input_tokens=107, output_tokens=3)
    assert events == [Text(text="One.", message=0), Text(text="Two.", message=1), used]
    assert (reading.session, reading.final, reading.error) == ("0199a213", True, None)


def test_an_error_flag_without_words_is_told_by_the_final_text() -> None:
    record = {"type": "result", "is_error": True, "result": "Invalid API key", "total_cost_usd": 0}
    reading, _ = read(CLAUDE, record)
    assert reading.error == "Invalid API key"


def test_an_error_flag_that_is_false_is_none() -> None:
    reading, _ = read(CLAUDE, {"type": "result", "is_error": False, "result": "Done."})
    assert reading.error is None


def test_a_table_is_an_error_with_its_message() -> None:
    reading, _ = read(CODEX, {"type": "turn.failed", "error": {"message": "no such model"}})
    assert (reading.error, reading.final) == ("no such model", False)


def test_what_a_program_tells_of_the_whole_session_replaces_what_was_told_before() -> None:
    record = {"type": "turn.completed", "usage": {"input_tokens": 130}}
    reading, _ = read(CODEX, record, usage="session")
    assert reading.spent == UsageReported(input_tokens=130)


@pytest.mark.parametrize(
    "line",
    [b"hello", b"", b"[1]", b"{", b"[" * 100_000, b"\xff", b'{"a": "' + b"x" * 100],
)
def test_what_is_no_record_is_counted_and_skipped(line: bytes) -> None:
    reading, events = read(CODEX, line)
    assert (events, reading.skipped, reading.final) == ([], 1, False)


@pytest.mark.parametrize("value", [True, -1, "7", None, [7], {"n": 7}, 2**60])
def test_what_is_no_count_changes_no_bill(value: Any) -> None:
    reading, events = read(CODEX, {"type": "turn.completed", "usage": {"input_tokens": value}})
    assert (events, reading.spent) == ([], UsageReported(input_tokens=100))


@pytest.mark.parametrize("id_", ["--yolo", "", "a\nb", "x" * 201])
def test_an_id_that_could_be_an_option_is_none(id_: str) -> None:
    assert not fit_session(id_)
    reading, _ = read(CODEX, {"type": "thread.started", "thread_id": id_})
    assert reading.session is None


def test_text_is_the_answer_where_no_records_come() -> None:
    reading = Reading(command(), spent=UsageReported(), message=4)
    events = [event for line in (b"One", b"", b"two \xff") for event in reading.feed(line)]
    assert events == [Text(text=said, message=5) for said in ("One\n", "\n", "two \ufffd\n")]
    assert reading.final


def test_only_blank_lines_are_no_answer() -> None:
    reading = Reading(command(), spent=UsageReported(), message=-1)
    list(reading.feed(b"   "))
    assert not reading.final


def test_what_a_value_holds_is_not_scanned_again() -> None:
    argv = ("x", "--in={cwd}", ("--model", "{model}"), ("--effort", "{effort}"), "{permissions}")
    values = {"cwd": "{model}", "model": "big {cwd}"}
    assert filled(argv, values, ("-a", "-b")) == ["x", "--in={model}", "--model", "big {cwd}", "-a", "-b"]


def test_a_program_gets_only_the_variables_that_its_definition_names() -> None:
    made = command(env=["KEY"], environment={"MODEL": "{model}", "FIXED": "1"})
    opening = Opening(name="s", cwd=Path("/w"), env={"PATH": "/bin"})
    got = environment(made, opening, {"KEY": "k", "OTHER_KEY": "o"}, {"model": ""})
    assert got == {"PATH": "/bin", "KEY": "k", "FIXED": "1", "PWD": "/w"}


def test_what_was_said_before_is_told_to_a_program_that_keeps_nothing() -> None:
    assert retold((), "Do it.") == "Do it."
    told = retold([("Do it.", "x" * 70_000 + "end")], "Again.")
    assert told.startswith("You were asked:\n\nDo it.")
    assert told.endswith("end\n\nNow you are asked:\n\nAgain.")
    assert len(told) < 66_000


@pytest.mark.parametrize(
    ("text", "limited"),
    [
        ("HTTP 429", Limited(kind="rate")),
        ("429: retry after 30 s", Limited(kind="rate", reset_s=30)),
        ("Rate limit reached. Please try again in 1.5s", Limited(kind="rate", reset_s=1.5)),
        ('429: {"retryAfter":30.0}', Limited(kind="rate", reset_s=30)),
        ("rate limit, try again in 250ms", Limited(kind="rate", reset_s=0.25)),
        ("RESOURCE_EXHAUSTED: retry in 2 minutes", Limited(kind="rate", reset_s=120)),
        ("529 overloaded_error", Limited(kind="overloaded")),
        ("You've hit your usage limit. Try again in 3 hours", Limited(kind="usage", reset_s=10_800)),
        ("401 Authentication required", None),
        ("line 4290 of the file", None),
    ],
)
def test_a_limit_is_known_by_its_words(text: str, limited: Limited | None) -> None:
    assert limit_in(text) == limited


@pytest.mark.parametrize(
    ("name", "found", "words"),
    [
        ("claude", {"kind": "command", "argv": ["x"]}, "an agent of bigtask's own"),
        ("Mine", {"kind": "command", "argv": ["x"]}, "isn't a name"),
        ("mine", {"argv": ["x"]}, "kind"),
        ("mine", {"kind": "command", "argv": []}, "length"),
        ("mine", {"kind": "command", "argv": ["{model}"]}, "must begin with the name"),
        ("mine", {"kind": "command", "argv": [["x"]]}, "must begin with the name"),
        ("mine", {"kind": "command", "argv": ["x", "{prompt}"]}, "{prompt} isn't known"),
        ("mine", {"kind": "command", "argv": ["x"], "output": "jsonl"}, "go together"),
        ("mine", {"kind": "command", "argv": ["x"], "resume": ["x"]}, "must hold {session}"),
        ("mine", {"kind": "command", "argv": ["x"], "shell": True}, "unknown field"),
        ("mine", {"kind": "acp", "argv": ["x"], "modes": {"plan": "x"}}, "plan"),
    ],
)
def test_a_definition_that_cannot_work_is_refused_with_the_reason(
    name: str, found: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        definition(name, found)
