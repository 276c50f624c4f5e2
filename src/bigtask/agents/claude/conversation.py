"""What Claude says and does, whichever program carries the talk: from blocks to our events, and how a turn
ended. Pure but for what it keeps count of; needs no package of Claude's."""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bigtask.agents.protocol import Limited, Reported, SessionEvent, Text, ToolCall, ToolKind, TurnEnded

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


@dataclass(frozen=True, kw_only=True)
class Used:
    """A tool call of Claude's."""

    name: str
    given: Mapping[str, Any]


class Result(Protocol):
    """What Claude Code says at the end of a turn."""

    @property
    def subtype(self) -> str: ...

    @property
    def is_error(self) -> bool: ...

    @property
    def stop_reason(self) -> str | None: ...

    @property
    def result(self) -> str | None: ...

    @property
    def errors(self) -> Sequence[str] | None: ...

    @property
    def api_error_status(self) -> int | None: ...

    @property
    def terminal_reason(self) -> str | None: ...


class Conversation:
    """One session's messages, in order. `report_of` has the protocol phase of what a tool reports, None for
    any other tool; `silent` are tools that are no work."""

    def __init__(
        self,
        cwd: Path,
        *,
        report_of: Callable[[str], str | None] = lambda tool: None,
        silent: frozenset[str] = frozenset(),
    ) -> None:
        self._cwd = cwd
        self._report_of = report_of
        self._silent = silent
        self._message = -1
        self._message_id: str | None = None

    def said(
        self, blocks: Iterable[str | Used], *, message_id: str | None, ours: bool
    ) -> Iterator[SessionEvent]:
        """`blocks` of one message: texts and tool calls. `ours` are those that Claude says to us: sub-agents
        answer to Claude, but what they do is done."""
        for block in blocks:
            if isinstance(block, Used):
                phase = self._report_of(block.name)
                if phase is None and block.name not in self._silent:
                    yield tool_call(block.name, block.given, self._cwd)
                elif phase is not None and ours:
                    yield Reported(phase=phase, data=block.given)
            elif ours:
                if message_id != self._message_id:
                    self._message += 1
                    self._message_id = message_id
                yield Text(text=block, message=self._message)


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


def limit_of_account(status: str, resets_at: float | None, *, now_s: float) -> Limited | None:
    """From what Claude Code tells of a subscription's limit. Times in seconds since the epoch."""
    if status != "rejected":
        return None
    return Limited(kind="usage", reset_s=None if resets_at is None else max(0.0, resets_at - now_s))


def gave_up(said: Mapping[str, Any], *, sign_in: str) -> Limited | TurnEnded | None:
    """What to end the turn with instead of letting Claude Code go on trying, where `said` tells of one of its
    retries. `sign_in` is the sentence for an account that isn't let in."""
    status, attempt = said.get("error_status"), said.get("attempt")
    if not isinstance(status, int) or not isinstance(attempt, int):
        return None
    if attempt < _GIVES_UP_AT.get(status, attempt + 1):
        return None
    if status not in _LIMITS:
        return TurnEnded(reason="error", detail=sign_in)
    delay_ms = said.get("retry_delay_ms")
    # Of an overloaded service nobody said how long: the delay is Claude Code's own guess. So is one of less
    # than a second, since providers tell whole ones.
    told = status == 429 and isinstance(delay_ms, int | float) and delay_ms >= 1000
    return Limited(kind=_LIMITS[status], reset_s=delay_ms / 1000 if told and delay_ms else None)


def ending(result: Result, *, sign_in: str) -> Limited | TurnEnded:
    """How a turn ended that nobody interrupted. `subtype` isn't asked: it says success of failed calls."""
    if not result.is_error:
        return TurnEnded(reason="max_tokens" if result.stop_reason == "max_tokens" else "end")
    if result.subtype == "error_max_structured_output_retries":
        # The answer was reported all the same, and its reader says better what is wrong with it.
        return TurnEnded()
    limit = _LIMITS.get(result.api_error_status or 0)
    if limit is not None:
        return Limited(kind=limit)
    return TurnEnded(reason="error", detail=_trouble(result, sign_in))


def waits(limit: Limited) -> str:
    """For the end of a turn that the limit cut short."""
    when = "" if limit.reset_s is None else f" for {limit.reset_s:.0f} s"
    return f"the account is limited ({limit.kind}){when}"


def _trouble(result: Result, sign_in: str) -> str:
    said = (result.result or "; ".join(result.errors or ()) or result.subtype).strip()
    if result.api_error_status in (401, 403):
        return f"{sign_in} ({said})"
    if result.terminal_reason == "budget_exhausted":
        return f"the session's budget is used up: raise the cap and try again ({said})"
    if result.terminal_reason == "prompt_too_long":
        return f"the conversation doesn't fit the model any more: split the task ({said})"
    if "credit balance" in said.lower():
        return f"the account has no credit left: top it up ({said})"
    return said
