"""The JSON lines that a child process speaks with us: one object a line, UTF-8, `type` first.

To the child: `prompt`, `answer`, `message`, `interrupt`; end of file means close.
From the child: the session events of `bigtask.agents.protocol` under the names of `EVENTS`.
Keys are the field names of those values, unknown keys are ignored, so either side may be newer.
"""

from __future__ import annotations

import msgspec

from bigtask.agents.protocol import (
    Limited,
    PermissionAsked,
    Prompt,
    Reported,
    SessionEvent,
    Text,
    ToolCall,
    TurnEnded,
    UsageReported,
)


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    request_id: str
    answer: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    text: str


class Interrupt(msgspec.Struct, frozen=True, kw_only=True):
    pass


Request = Prompt | Answered | Message | Interrupt

REQUESTS: dict[str, type[Request]] = {
    "prompt": Prompt,
    "answer": Answered,
    "message": Message,
    "interrupt": Interrupt,
}
EVENTS: dict[str, type[SessionEvent]] = {
    "text": Text,
    "tool": ToolCall,
    "permission": PermissionAsked,
    "report": Reported,
    "usage": UsageReported,
    "limited": Limited,
    "end": TurnEnded,
}
_NAMES: dict[type, str] = {kind: name for name, kind in (*REQUESTS.items(), *EVENTS.items())}


def encode(value: Request | SessionEvent) -> bytes:
    """One line with its newline."""
    fields = msgspec.to_builtins(value)
    return msgspec.json.encode({"type": _NAMES[type(value)], **fields}) + b"\n"


def decode_request(line: bytes) -> Request:
    """Raises `msgspec.DecodeError` (a ValueError) for anything that isn't a request."""
    fields = msgspec.json.decode(line, type=dict[str, object])
    kind = REQUESTS.get(str(fields.pop("type", "")))
    if kind is None:
        raise msgspec.ValidationError("unknown request")
    return msgspec.convert(fields, kind)


def decode_event(line: bytes) -> SessionEvent:
    """Raises `msgspec.DecodeError` (a ValueError) for anything that isn't a session event."""
    fields = msgspec.json.decode(line, type=dict[str, object])
    kind = EVENTS.get(str(fields.pop("type", "")))
    if kind is None:
        raise msgspec.ValidationError("unknown event")
    return msgspec.convert(fields, kind)
