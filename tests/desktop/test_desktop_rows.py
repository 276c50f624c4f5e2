"""From the rows of a transcript to events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bigtask.agents.desktop.transcript_rows import SIGN_IN, Rows
from bigtask.agents.protocol import Limited, SessionEvent, Text, ToolCall, ToolKind, TurnEnded, UsageReported

CWD = Path("/project")
TEXT = {"type": "text", "text": "hm"}


def said(*blocks: Any, id: str = "m1", **fields: Any) -> dict[str, Any]:
    message = {"id": id, "role": "assistant", "model": "opus", "content": list(blocks)}
    message |= {name: fields.pop(name) for name in ("usage", "stop_reason") if name in fields}
    return {"type": "assistant", "uuid": "u", "message": message, **fields}


def heard(*rows: Any, ours: bool = True) -> tuple[Rows, list[SessionEvent]]:
    kept = Rows(CWD)
    kept.begin(ours=ours)
    return kept, [event for row in rows for event in kept.events(row, now_s=100.0)]


def test_texts_of_a_message_share_its_number_and_tools_are_told_as_claudes_are() -> None:
    tool = {"type": "tool_use", "name": "Edit", "input": {"file_path": "/project/a.py"}}
    _, events = heard(said(TEXT), said(TEXT), said(TEXT, tool, id="m2"))
    assert events == [
        Text(text="hm", message=0),
        Text(text="hm", message=0),
        Text(text="hm", message=1),
        ToolCall(kind=ToolKind.EDIT, name="Edit", path="a.py"),
    ]


def test_what_sub_agents_say_is_not_said_to_us() -> None:
    tool = {"type": "tool_use", "name": "Read", "input": {}}
    _, events = heard(said(TEXT, tool, parent_tool_use_id="t"))
    assert events == [ToolCall(kind=ToolKind.READ, name="Read")]


def test_what_belongs_to_another_prompt_is_left_out_but_for_what_it_did() -> None:
    tool = {"type": "tool_use", "name": "Read", "input": {}}
    assert heard(said(TEXT, tool), ours=False)[1] == [ToolCall(kind=ToolKind.READ, name="Read")]


def test_usage_is_the_sum_over_messages_whose_rows_repeat_it() -> None:
    first, later = {"input_tokens": 5, "output_tokens": 1}, {"input_tokens": 5, "output_tokens": 9}
    _, events = heard(said(TEXT, usage=first), said(usage=later), said(usage=first, id="m2"))
    last = [event for event in events if isinstance(event, UsageReported)][-1]
    assert (last.input_tokens, last.output_tokens) == (10, 10)
    assert last.cost_usd == pytest.approx((10 + 5 * 10) * 4e-6)


@pytest.mark.parametrize(
    ("row", "end"),
    [
        (said(TEXT, stop_reason="end_turn"), TurnEnded()),
        (said(TEXT, stop_reason="max_tokens"), TurnEnded(reason="max_tokens")),
        (said(TEXT, stop_reason="tool_use"), None),
        (said(TEXT, stop_reason="end_turn", parent_tool_use_id="t"), None),
        ({"type": "result", "is_error": False}, TurnEnded()),
        ({"type": "result", "is_error": True, "result": "no"}, TurnEnded(reason="error", detail="no")),
        ({"type": "result", "is_error": True, "subtype": 3}, TurnEnded(reason="error", detail="3")),
        (
            {"type": "result", "is_error": True, "api_error_status": 401, "result": "no"},
            TurnEnded(reason="error", detail=f"{SIGN_IN} (no)"),
        ),
        (
            said(TEXT, error="authentication_failed"),
            TurnEnded(reason="error", detail=f"{SIGN_IN} (hm)"),
        ),
        (said(TEXT, error="unknown"), TurnEnded(reason="error", detail="hm")),
        (said(TEXT, error="rate_limit"), TurnEnded(reason="limited", detail="the account is limited (rate)")),
        ({"type": "assistant", "message": "hm"}, None),
        ({"type": "result"}, TurnEnded()),
        ({}, None),
    ],
)
def test_a_row_may_say_how_the_turn_has_ended(row: dict[str, Any], end: TurnEnded | None) -> None:
    assert heard(row)[0].end == end


def test_a_turn_that_goes_on_has_not_ended() -> None:
    rows, _ = heard(said(TEXT, stop_reason="end_turn"), {"type": "user", "message": {"content": "more"}})
    assert rows.end is None
    assert not rows.spoken


def test_a_limit_is_told_once() -> None:
    _, events = heard(
        said(TEXT, error="overloaded_error"), {"type": "result", "is_error": True, "api_error_status": 529}
    )
    assert events == [Limited(kind="overloaded")]
    info = {"status": "rejected", "resetsAt": 160}
    assert heard({"type": "rate_limit_event", "rate_limit_info": info})[1] == [
        Limited(kind="usage", reset_s=60)
    ]


def test_a_retry_that_would_go_on_for_minutes_is_taken_over() -> None:
    retry = {"type": "system", "subtype": "api_retry", "attempt": 1}
    rows, events = heard({**retry, "error_status": 429, "retry_delay_ms": 30_000})
    assert events == [Limited(kind="rate", reset_s=30)]
    assert rows.instead == TurnEnded(reason="limited", detail="the account is limited (rate) for 30 s")
    assert heard({**retry, "error_status": 401})[0].instead == TurnEnded(reason="error", detail=SIGN_IN)
    assert heard({**retry, "error_status": 500})[0].instead is None
