"""From the rows of a transcript to our events. Pure but for what it keeps count of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bigtask.agents.claude.bill import Bill
from bigtask.agents.claude.conversation import Conversation, Used, ending, gave_up, limit_of_account, waits
from bigtask.agents.protocol import Limited, SessionEvent, Text, TurnEnded, UsageReported

SIGN_IN = "Claude Desktop isn't let in any more: sign in there"
_DONE = frozenset({"end_turn", "max_tokens", "stop_sequence", "refusal"})
_LIMITED = frozenset({"rate_limit", "rate_limit_error", "overloaded", "overloaded_error"})


class _Result(msgspec.Struct, frozen=True):
    """As the last row of a turn has it, where the application keeps one."""

    subtype: str = ""
    is_error: bool = False
    stop_reason: str | None = None
    result: str | None = None
    errors: tuple[str, ...] | None = None
    api_error_status: int | None = None
    terminal_reason: str | None = None


class Rows:
    """One session's rows, in order and each once, from the beginning of its transcript: so what has been used
    is that of the whole session. Raises nothing: what isn't known is skipped."""

    def __init__(self, cwd: Path) -> None:
        self._conversation = Conversation(cwd)
        self._bill = Bill(before=UsageReported(), restored=UsageReported())
        self._call: str | None = None
        self._ours = False
        self.begin()

    def begin(self, *, ours: bool = False) -> None:
        """A turn begins. Of one that isn't `ours` what is said to somebody else is left out."""
        self._ours = ours
        self.end: TurnEnded | None = None
        """How the turn ended, once a row says so; there can be more of it after that."""
        self.spoken = False
        """Whether the last that came are words to us: nothing else is under way then."""
        self.instead: TurnEnded | None = None
        """What to end it with where it would go on in vain."""

    def events(self, row: Mapping[str, Any], *, now_s: float) -> Iterator[SessionEvent]:
        """`now_s`: seconds since the epoch, by the clock that limits are told by."""
        match row:
            case {"type": "assistant", "message": dict(message)}:
                yield from self._said(row, message)
            case {"type": "user"}:
                if row.get("parent_tool_use_id") is None:
                    self.end, self.spoken = None, False
            case {"type": "result"}:
                yield from self._ended(row)
            case {"type": "rate_limit_event", "rate_limit_info": {"status": str(status), **info}}:
                resets_at = info.get("resetsAt")
                at = resets_at if isinstance(resets_at, int | float) else None
                limited = limit_of_account(status, at, now_s=now_s)
                if limited is not None:
                    yield limited
            case {"type": "system", "subtype": "api_retry"} if self.instead is None:
                yield from self._took_over(gave_up(row, sign_in=SIGN_IN))

    def _said(self, row: Mapping[str, Any], message: Mapping[str, Any]) -> Iterator[SessionEvent]:
        error, aside = row.get("error"), row.get("parent_tool_use_id") is not None
        id = message.get("id")
        blocks = tuple(_blocks(message.get("content")))
        if isinstance(error, str) and not aside:
            yield from self._failed(error, blocks)
            return
        found = self._conversation.said(
            blocks, message_id=id if isinstance(id, str) else row.get("uuid"), ours=not aside
        )
        yield from (event for event in found if self._ours or not isinstance(event, Text))
        yield from self._counted(message)
        if blocks and not aside:
            self.spoken = isinstance(blocks[-1], str)
        if not aside and message.get("stop_reason") in _DONE:
            tokens = message["stop_reason"] == "max_tokens"
            self.end = TurnEnded(reason="max_tokens" if tokens else "end")

    def _counted(self, message: Mapping[str, Any]) -> Iterator[UsageReported]:
        """All rows of one message tell its usage, as far as it had got."""
        id, usage = message.get("id"), message.get("usage")
        if not isinstance(usage, dict):
            return
        if id is None or id != self._call:
            self._call = id
            begun = {"model": str(message.get("model")), "usage": usage}
            total = self._bill.hear({"type": "message_start", "message": begun})
        else:
            total = self._bill.hear({"type": "message_delta", "usage": usage})
        if total is not None:
            yield total

    def _failed(self, error: str, blocks: Sequence[str | Used]) -> Iterator[SessionEvent]:
        said = " ".join(block for block in blocks if isinstance(block, str)) or error
        if error in _LIMITED:
            yield from self._limit(Limited(kind="rate" if error.startswith("rate") else "overloaded"))
        elif error.startswith("authentication"):
            self.end = TurnEnded(reason="error", detail=f"{SIGN_IN} ({said})")
        else:
            self.end = TurnEnded(reason="error", detail=said)

    def _ended(self, row: Mapping[str, Any]) -> Iterator[SessionEvent]:
        try:
            result = msgspec.convert(row, _Result)
        except msgspec.ValidationError:
            result = _Result(is_error=row.get("is_error") is True, subtype=str(row.get("subtype")))
        found = ending(result, sign_in=SIGN_IN)
        if isinstance(found, Limited):
            # A row before has told it already, and perhaps for how long.
            if self.end is None or self.end.reason != "limited":
                yield from self._limit(found)
        else:
            self.end = found

    def _limit(self, limited: Limited) -> Iterator[SessionEvent]:
        self.end = TurnEnded(reason="limited", detail=waits(limited))
        yield limited

    def _took_over(self, found: Limited | TurnEnded | None) -> Iterator[SessionEvent]:
        if isinstance(found, Limited):
            yield found
            self.instead = TurnEnded(reason="limited", detail=waits(found))
        else:
            self.instead = found


def _blocks(content: Any) -> Iterator[str | Used]:
    if isinstance(content, str):
        yield content
        return
    for block in content if isinstance(content, list) else ():
        match block:
            case {"type": "text", "text": str(text)}:
                yield text
            case {"type": "tool_use", "name": str(name), "input": dict(given)}:
                yield Used(name=name, given=given)
