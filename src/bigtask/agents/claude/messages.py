"""From what the SDK says of a session to our events. Pure but for what it keeps count of."""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    Message,
    RateLimitEvent,
    ResultMessage,
    StreamEvent,
    SystemMessage,
    TextBlock,
    ToolUseBlock,
)

from bigtask.agents.claude.answering import PERSON, Answering
from bigtask.agents.claude.bill import Bill
from bigtask.agents.protocol import (
    Limited,
    Reported,
    SessionEvent,
    Text,
    ToolCall,
    ToolKind,
    TurnEnded,
)

_KINDS: Mapping[str, ToolKind] = {
    "Read": ToolKind.READ,
    "Write": ToolKind.WRITE,
    "Edit": ToolKind.EDIT,
    "NotebookEdit": ToolKind.EDIT,
    "Bash": ToolKind.BASH,
    "Grep": ToolKind.SEARCH,
    "Glob": ToolKind.SEARCH,
    "WebFetch": ToolKind.WEB,
    "WebSearch": ToolKind.WEB,
    "Agent": ToolKind.TASK,
    "Task": ToolKind.TASK,
}
_PATHS = ("file_path", "notebook_path")
_DETAILS = ("command", "pattern", "url", "query", "description")
_LONGEST_DETAIL = 2_000

_GIVES_UP_AT: Mapping[int, int] = {429: 1, 529: 3, 401: 1}
"""At which of Claude Code's own retries we take over, by the status that caused it.

It would go on for minutes, in each session of the account by itself; all others are left to it.
"""
_LIMITS: Mapping[int, str] = {429: "rate", 529: "overloaded"}
_SIGN_IN = "Claude isn't signed in: run `claude` and sign in, or set ANTHROPIC_API_KEY"


class Hearing:
    """One session's messages, in order. Raises nothing: what isn't known is skipped."""

    def __init__(self, answering: Answering, cwd: Path, bill: Bill) -> None:
        self._answering = answering
        self._bill = bill
        self._cwd = cwd
        self._message = -1
        self._message_id: str | None = None

    def events(self, message: Message, *, now_s: float) -> Iterator[SessionEvent]:
        """`now_s`: seconds since the epoch, by the clock that limits are told by."""
        match message:
            case AssistantMessage():
                yield from self._said(message)
            case StreamEvent():
                usage = self._bill.hear(message.event)
                if usage is not None:
                    yield usage
            case ResultMessage():
                yield self._bill.close_turn(message)
            case RateLimitEvent():
                info = message.rate_limit_info
                if info.status == "rejected":
                    resets_at = info.resets_at
                    reset_s = None if resets_at is None else max(0.0, resets_at - now_s)
                    yield Limited(kind="usage", reset_s=reset_s)

    def _said(self, message: AssistantMessage) -> Iterator[SessionEvent]:
        # What the CLI says in the model's place is told by the end of the turn. Sub-agents answer to Claude,
        # not to us, but what they do is done.
        ours = message.error is None and message.parent_tool_use_id is None
        for block in message.content:
            if isinstance(block, TextBlock) and ours:
                if message.message_id != self._message_id:
                    self._message += 1
                    self._message_id = message.message_id
                yield Text(text=block.text, message=self._message)
            elif isinstance(block, ToolUseBlock):
                phase = self._answering.report_of(block.name)
                if phase is None and block.name != PERSON:
                    yield tool_call(block.name, block.input, self._cwd)
                elif phase is not None and ours:
                    yield Reported(phase=phase, data=block.input)


def tool_call(name: str, given: Mapping[str, Any], cwd: Path) -> ToolCall:
    """Paths below the working directory are told relative to it."""
    path = next((given[key] for key in _PATHS if isinstance(given.get(key), str)), None)
    if path is not None and os.path.isabs(path):
        inside = os.path.relpath(path, cwd)
        path = path if inside.split(os.sep)[0] == os.pardir else inside
    detail = next((given[key] for key in _DETAILS if isinstance(given.get(key), str)), "")
    return ToolCall(
        kind=_KINDS.get(name, ToolKind.OTHER), name=name, detail=detail[:_LONGEST_DETAIL], path=path
    )


def given_up(message: Message) -> Limited | TurnEnded | None:
    """What to end the turn with instead of letting Claude Code go on trying, None for all else it says."""
    if not isinstance(message, SystemMessage) or message.subtype != "api_retry":
        return None
    status, attempt = message.data.get("error_status"), message.data.get("attempt")
    if not isinstance(status, int) or not isinstance(attempt, int):
        return None
    if attempt < _GIVES_UP_AT.get(status, attempt + 1):
        return None
    if status not in _LIMITS:
        return TurnEnded(reason="error", detail=_SIGN_IN)
    delay_ms = message.data.get("retry_delay_ms")
    # Of an overloaded service nobody said how long: the delay is Claude Code's own guess. So is one of less
    # than a second, since providers tell whole ones.
    told = status == 429 and isinstance(delay_ms, int | float) and delay_ms >= 1000
    return Limited(kind=_LIMITS[status], reset_s=delay_ms / 1000 if told and delay_ms else None)


def ending(result: ResultMessage) -> Limited | TurnEnded:
    """How a turn ended that nobody interrupted. `subtype` isn't asked: it says success of failed calls."""
    if not result.is_error:
        return TurnEnded(reason="max_tokens" if result.stop_reason == "max_tokens" else "end")
    if result.subtype == "error_max_structured_output_retries":
        # What it gave was reported, and whoever reads it says better what is wrong.
        return TurnEnded()
    limit = _LIMITS.get(result.api_error_status or 0)
    if limit is not None:
        return Limited(kind=limit)
    return TurnEnded(reason="error", detail=_trouble(result))


def _trouble(result: ResultMessage) -> str:
    said = (result.result or "; ".join(result.errors or ()) or result.subtype).strip()
    if result.api_error_status in (401, 403):
        return f"{_SIGN_IN} ({said})"
    if result.terminal_reason == "budget_exhausted":
        return f"the session's budget is used up: raise the cap and try again ({said})"
    if result.terminal_reason == "prompt_too_long":
        return f"the conversation doesn't fit the model any more: split the task ({said})"
    if "credit balance" in said.lower():
        return f"the account has no credit left: top it up ({said})"
    return said
