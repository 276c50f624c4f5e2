"""What the lines of a program come to: events, its session's id, how it ended. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from bigtask.agents.protocol import SessionEvent, Text, UsageReported
from bigtask.configuration.agent_definitions import CommandDefinition, Field, Fields

_LONGEST_ID = 200
_MISSING = object()


class Reading:
    """Of one start of a program. `spent` is what the session had used before."""

    def __init__(self, definition: CommandDefinition, *, spent: UsageReported, message: int) -> None:
        self._fields = definition.fields
        self._before = spent
        self._per_turn = definition.usage == "turn"
        self._last_message: object = _MISSING
        self._text = False
        self._decoder = msgspec.json.Decoder(dict[str, Any])
        self.message = message
        self.spent = spent
        self.session: str | None = None
        self.error: str | None = None
        self.final = False
        self.skipped = 0

    def feed(self, line: bytes) -> Iterator[SessionEvent]:
        if self._fields is None:
            yield from self._plain(line)
            return
        try:
            record = self._decoder.decode(line)
        except (ValueError, RecursionError):
            self.skipped += 1
            return
        yield from self._record(record, self._fields)

    def _plain(self, line: bytes) -> Iterator[SessionEvent]:
        text = line.decode(errors="replace")
        if not self._text:
            self._text = True
            self.message += 1
        self.final = self.final or bool(text.strip())
        yield Text(text=text + "\n", message=self.message)

    def _record(self, record: Mapping[str, Any], fields: Fields) -> Iterator[SessionEvent]:
        session = _found(record, fields.session)
        if isinstance(session, str) and fit_session(session):
            self.session = session
        error = _found(record, fields.error)
        if error is not _MISSING and error not in (None, False, "", 0):
            self.error = _words(error) or self.error or ""
        text = _found(record, fields.text)
        if isinstance(text, str) and text:
            shared = _found(record, fields.message)
            if shared is _MISSING or shared != self._last_message:
                self.message += 1
            self._last_message = shared
            yield Text(text=text, message=self.message)
            if self.error == "":
                self.error = text
        used = self._used(record, fields)
        if used is not None and used != self.spent:
            self.spent = used
            yield used
        self.final = self.final or _found(record, fields.final) is not _MISSING

    def _used(self, record: Mapping[str, Any], fields: Fields) -> UsageReported | None:
        told = [_number(_found(record, field)) for field in (fields.input_tokens, fields.output_tokens)]
        cost = _number(_found(record, fields.cost))
        if cost is None and told == [None, None]:
            return None
        base = self._before if self._per_turn else UsageReported()
        taken, given = told
        return UsageReported(
            input_tokens=self.spent.input_tokens if taken is None else base.input_tokens + int(taken),
            output_tokens=self.spent.output_tokens if given is None else base.output_tokens + int(given),
            cost_usd=self.spent.cost_usd if cost is None else base.cost_usd + cost,
        )


def fit_session(text: str) -> bool:
    """Whether it can be an argument: one that begins with `-` would be an option of the program's."""
    return 0 < len(text) <= _LONGEST_ID and text.isprintable() and not text.startswith("-")


def _found(record: Mapping[str, Any], field: str | Field | None) -> Any:
    if field is None:
        return _MISSING
    if isinstance(field, str):
        return _at(record, field)
    for path, wanted in field.when.items():
        found = _at(record, path)
        if found != wanted or isinstance(found, bool) != isinstance(wanted, bool):
            return _MISSING
    return _at(record, field.path)


def _at(record: Any, path: str) -> Any:
    for name in path.split(".") if path else ():
        if not isinstance(record, dict) or name not in record:
            return _MISSING
        record = record[name]
    return record


def _number(found: Any) -> float | None:
    good = isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found < 2**53
    return float(found) if good else None


def _words(error: Any) -> str:
    if isinstance(error, str):
        return error
    if isinstance(error, dict):
        said = error.get("message", error.get("detail"))
        return said if isinstance(said, str) and said else json.dumps(error, ensure_ascii=False)
    return ""
