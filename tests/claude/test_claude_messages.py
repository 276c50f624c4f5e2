from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("claude_agent_sdk", reason="Claude Code isn't installed: pip install 'bigtask[claude]'")

from claude_agent_sdk import (
    AssistantMessage,
    RateLimitEvent,
    RateLimitInfo,
    ResultMessage,
    SystemMessage,
    TextBlock,
    ToolUseBlock,
)

from bigtask.agents.claude.answering import answering_to
from bigtask.agents.claude.bill import Bill
from bigtask.agents.claude.conversation import tool_call
from bigtask.agents.claude.messages import Hearing, ending, given_up
from bigtask.agents.protocol import (
    Limited,
    Reported,
    SessionEvent,
    Text,
    ToolCall,
    ToolKind,
    TurnEnded,
    UsageReported,
)
from claude.setting import PROMPT

CWD = Path("/project")


def heard(*messages: Any) -> list[SessionEvent]:
    bill = Bill(before=UsageReported(), restored=UsageReported())
    hearing = Hearing(answering_to(PROMPT), CWD, bill)
    return [event for message in messages for event in hearing.events(message, now_s=1000.0)]


def said(*blocks: Any, id: str = "m1", parent: str | None = None, error: Any = None) -> AssistantMessage:
    return AssistantMessage(
        content=list(blocks), model="m", message_id=id, parent_tool_use_id=parent, error=error
    )


def used(name: str, **given: Any) -> ToolUseBlock:
    return ToolUseBlock(id="t", name=name, input=given)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Read", ToolKind.READ),
        ("Write", ToolKind.WRITE),
        ("Edit", ToolKind.EDIT),
        ("NotebookEdit", ToolKind.EDIT),
        ("Bash", ToolKind.BASH),
        ("Grep", ToolKind.SEARCH),
        ("Glob", ToolKind.SEARCH),
        ("WebFetch", ToolKind.WEB),
        ("WebSearch", ToolKind.WEB),
        ("Agent", ToolKind.TASK),
        ("Task", ToolKind.TASK),
        ("mcp__other__tool", ToolKind.OTHER),
    ],
)
def test_tools_have_kinds(name: str, kind: ToolKind) -> None:
    assert tool_call(name, {}, CWD) == ToolCall(kind=kind, name=name)


@pytest.mark.parametrize(
    ("path", "told"),
    [("/project/a/b.py", "a/b.py"), ("/etc/passwd", "/etc/passwd"), ("a.py", "a.py"), (7, None)],
)
def test_paths_below_the_project_are_relative(path: object, told: str | None) -> None:
    assert tool_call("Read", {"file_path": path}, CWD).path == told


def test_blocks_of_a_message_share_its_number() -> None:
    events = heard(
        said(TextBlock("a")), said(used("Read")), said(TextBlock("b")), said(TextBlock("c"), id="m2")
    )
    assert [event for event in events if isinstance(event, Text)] == [
        Text(text="a", message=0),
        Text(text="b", message=0),
        Text(text="c", message=1),
    ]


def test_a_sub_agent_works_but_says_and_reports_nothing() -> None:
    report = used("mcp__bigtask__report_completion", task_id="t1", status="success")
    events = heard(said(TextBlock("forged"), report, used("Bash", command="ls"), parent="toolu_1"))
    assert events == [ToolCall(kind=ToolKind.BASH, name="Bash", detail="ls")]


def test_what_claude_code_says_in_the_models_place_is_no_text_of_it() -> None:
    assert heard(said(TextBlock("API Error: 500"), error="server_error")) == []


def test_our_own_tools_are_reports_and_no_tool_calls() -> None:
    progress = {"task_id": "t1", "status": "in_progress"}
    events = heard(
        said(
            used("mcp__bigtask__report_progress", **progress),
            used("mcp__bigtask__ask_person", question="?", options=["a", "b"]),
            used("mcp__bigtask__report_completion", task_id="t1", status="fine"),
        )
    )
    assert events == [
        Reported(phase="progress", data=progress),
        Reported(phase="completion", data={"task_id": "t1", "status": "fine"}),
    ]


def test_a_limit_of_the_subscription_has_its_time() -> None:
    info = RateLimitInfo(status="rejected", resets_at=1600, rate_limit_type="five_hour")
    near = RateLimitInfo(status="allowed_warning", resets_at=1600)
    assert heard(
        RateLimitEvent(rate_limit_info=near, uuid="u", session_id="s"),
        RateLimitEvent(rate_limit_info=info, uuid="u", session_id="s"),
    ) == [Limited(kind="usage", reset_s=600)]


def retry(status: int | None, attempt: int, delay_ms: float = 1500) -> SystemMessage:
    data = {"attempt": attempt, "error_status": status, "retry_delay_ms": delay_ms}
    return SystemMessage(subtype="api_retry", data=data)


def test_a_limited_account_is_taken_over_at_once_and_an_overloaded_service_soon() -> None:
    assert given_up(retry(429, 1)) == Limited(kind="rate", reset_s=1.5)
    assert given_up(retry(529, 2)) is None
    assert given_up(retry(529, 3)) == Limited(kind="overloaded")


def test_a_sign_in_that_is_refused_is_not_tried_ten_times() -> None:
    found = given_up(retry(401, 1))
    assert isinstance(found, TurnEnded)
    assert "ANTHROPIC_API_KEY" in found.detail


@pytest.mark.parametrize("status", [500, 502, None])
def test_other_trouble_is_left_to_claude_code(status: int | None) -> None:
    assert given_up(retry(status, 9)) is None


def result(**fields: Any) -> ResultMessage:
    whole: dict[str, Any] = {
        "subtype": "success",
        "duration_ms": 1,
        "duration_api_ms": 1,
        "is_error": True,
        "num_turns": 1,
        "session_id": "s",
        **fields,
    }
    return ResultMessage(**whole)


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({"is_error": False}, TurnEnded()),
        ({"is_error": False, "stop_reason": "max_tokens"}, TurnEnded(reason="max_tokens")),
        ({"api_error_status": 429}, Limited(kind="rate")),
        ({"api_error_status": 529}, Limited(kind="overloaded")),
        ({"subtype": "error_max_structured_output_retries"}, TurnEnded()),
    ],
)
def test_how_a_turn_ended(fields: dict[str, Any], end: Limited | TurnEnded) -> None:
    assert ending(result(**fields)) == end


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"api_error_status": 403, "result": "no"}, "sign in"),
        ({"api_error_status": 400, "result": "Credit balance is too low"}, "top it up"),
        ({"terminal_reason": "prompt_too_long", "result": "too long"}, "split the task"),
        ({"terminal_reason": "budget_exhausted", "errors": ["Reached maximum budget ($1)"]}, "raise the cap"),
        ({"api_error_status": 500, "result": "API Error: 500"}, "API Error: 500"),
        ({"subtype": "error_max_turns"}, "error_max_turns"),
    ],
)
def test_errors_are_told_apart(fields: dict[str, Any], words: str) -> None:
    found = ending(result(**fields))
    assert isinstance(found, TurnEnded)
    assert found.reason == "error"
    assert words in found.detail
