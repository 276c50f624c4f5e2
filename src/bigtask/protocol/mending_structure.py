"""The pieces of a block put together to standard JSON, where there is one way to do so."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from bigtask.protocol.bounded_json import DEPTH_LIMIT, Unreadable, clipped, not_json, too_deep
from bigtask.protocol.mending_effort import Effort
from bigtask.protocol.mending_repairs import Repair, Repairs
from bigtask.protocol.mending_tokens import END, NAME, SCALAR, STRING, Tokens

_CLOSERS = {"{": "}", "[": "]"}
_NAME = re.compile(r"[A-Za-z_$][\w$-]*", re.ASCII)
_ENDINGS = frozenset(_CLOSERS.values())
_TWO_BRACKETS = (
    "its brackets can be closed in more than one way: give the block again with every bracket closed"
)

# Each state takes the piece that the cursor stands at and gives the next state.
_State = Callable[[], Any]


class Structure:
    """Rewrites `text[start:end]`. `ended` says that nothing can have been cut off at its end."""

    def __init__(
        self, text: str, start: int, end: int, repairs: Repairs, effort: Effort, *, ended: bool
    ) -> None:
        self._text = text
        self._repairs = repairs
        self._ended = ended
        self._effort = effort
        self._tokens = Tokens(text, start, end, repairs, effort)
        self._written: list[str] = []
        self._due: list[str] = []
        self._doubled: list[bool] = []
        """Of each bracket that is open: whether the same one follows it at once."""
        self._last = ("", start)
        """The kind of the piece before the cursor, and where it ended."""

    def rewritten(self) -> str:
        """Raises `Unreadable` where something is missing or could mean two things, and where `effort` has no
        steps left."""
        tokens = self._tokens
        state: _State = self._value
        while True:
            self._effort.step()
            tokens.step()
            if tokens.kind == END:
                self._finish(state)
                return "".join(self._written)
            state = state()
            self._last = (tokens.kind, tokens.after)

    def _write(self, piece: str) -> None:
        self._written.append(piece)

    def _wrong(self, sentence: str) -> Unreadable:
        return not_json(self._text, self._tokens.at, sentence)

    def _shown(self) -> str:
        return clipped(self._text[self._tokens.at : self._tokens.after])

    def _value(self) -> _State:
        kind = self._tokens.kind
        if not self._due and kind not in _CLOSERS:
            raise self._wrong("there must be one JSON object and nothing else: begin it with {")
        if kind in _CLOSERS:
            if len(self._due) == DEPTH_LIMIT:
                raise too_deep()
            if kind == self._last[0]:
                self._doubled[-1] = True
            self._write(kind)
            self._due.append(_CLOSERS[kind])
            self._doubled.append(False)
            return self._first_key if kind == "{" else self._first_item
        if kind in (STRING, SCALAR):
            self._write(self._tokens.json)
            return self._after
        if kind == NAME:
            raise self._wrong(self._unquoted())
        raise self._wrong("a value is missing: write it, or null for none")

    def _unquoted(self) -> str:
        word = self._tokens.json
        if word.startswith(("...", "…")):
            return "… stands for something that was left out: write all of it"
        return f"{clipped(word)} is neither a number, true, false, null nor a text in double quotes"

    def _first_item(self) -> _State:
        return self._close() if self._tokens.kind == "]" else self._value()

    def _first_key(self) -> _State:
        return self._close() if self._tokens.kind == "}" else self._key()

    def _key(self) -> _State:
        tokens = self._tokens
        if tokens.kind == STRING and not tokens.odd:
            self._write(tokens.json)
        elif tokens.kind == NAME and _NAME.fullmatch(tokens.json):
            self._write(f'"{tokens.json}"')
            self._repairs.note(Repair.KEY)
        elif tokens.kind == NAME:
            raise self._wrong(self._unquoted())
        else:
            raise self._wrong(f"here must be a key in double quotes, not {self._shown()}")
        return self._colon

    def _colon(self) -> _State:
        if self._tokens.kind != ":":
            raise self._wrong(f"after a key must be a colon, not {self._shown()}: write the key in quotes")
        self._write(":")
        return self._value

    def _after(self) -> _State:
        kind, (last, end) = self._tokens.kind, self._last
        if kind == ",":
            return self._next_item if self._due[-1] == "]" else self._next_key
        if kind in _ENDINGS:
            return self._close()
        if self._due[-1] == "}":
            # On one line a text before it might go on instead; a key with its colon is no value.
            between = self._text[end : self._tokens.at]
            apart = "\n" in between if last == STRING else bool(between)
            # In "a," the comma may be the one that is missing.
            apart = apart and not self._written[-1].endswith(',"')
            if kind == STRING and apart and self._tokens.comes_next(":"):
                self._write(",")
                self._repairs.note(Repair.MISSING_COMMA)
                return self._key()
        elif kind in _CLOSERS and last == _CLOSERS[kind]:
            self._write(",")
            self._repairs.note(Repair.MISSING_COMMA)
            return self._value()
        if last == STRING:
            raise self._wrong(
                f"after a text must be a comma or a closing bracket, not {self._shown()}: "
                'write quotation marks inside a text as \\"'
            )
        raise self._wrong(f"after a value must be a comma or a closing bracket, not {self._shown()}")

    def _next_item(self) -> _State:
        if self._tokens.kind == "]":
            return self._close_after_comma()
        self._write(",")
        return self._value()

    def _next_key(self) -> _State:
        if self._tokens.kind == "}":
            return self._close_after_comma()
        self._write(",")
        return self._key()

    def _close_after_comma(self) -> _State:
        self._repairs.note(Repair.TRAILING_COMMA)
        return self._close()

    def _close(self) -> _State:
        kind = self._tokens.kind
        if self._due[-1] != kind:
            # An object can't go on after what closes the list around it, nor the other way round: the bracket
            # that is missing can only be missing here.
            if self._due[-2:-1] != [kind]:
                raise self._wrong(
                    f"{kind} closes nothing here: write {self._due[-1]} where it is meant, "
                    "or the bracket that is missing before"
                )
            self._add_closer()
        self._write(self._due.pop())
        self._doubled.pop()
        return self._after if self._due else self._over

    def _add_closer(self) -> None:
        # Of [[ one may be too many, and in "a]" the bracket may be the one that is missing.
        if self._doubled.pop() or self._written[-1].endswith(self._due[-1] + '"'):
            raise self._wrong(_TWO_BRACKETS)
        self._write(self._due.pop())
        self._repairs.note(Repair.MISSING_BRACKET)

    def _over(self) -> _State:
        kind = self._tokens.kind
        if kind in _ENDINGS:
            if Repair.MISSING_BRACKET in self._repairs:
                raise self._wrong(_TWO_BRACKETS)
            self._repairs.note(Repair.SURPLUS_BRACKET)
        elif kind == ",":
            self._repairs.note(Repair.TRAILING_COMMA)
        elif self._tokens.json == ";":
            self._repairs.note(Repair.SEMICOLON)
        else:
            raise self._wrong(f"after the JSON must be nothing else, but there is {self._shown()}")
        return self._over

    def _finish(self, state: _State) -> None:
        if state == self._over:
            return
        last, end = self._last
        if not last:
            raise Unreadable("the block isn't valid JSON: there is nothing in it: write the JSON object")
        # What is still open could have been closed only here. A number that ends with the text may be cut.
        cut_number = last == SCALAR and end == len(self._text)
        if state == self._after and self._ended and not cut_number and not self._tokens.ended_by_comment:
            if Repair.MISSING_BRACKET in self._repairs:
                raise self._wrong(_TWO_BRACKETS)
            while self._due:
                self._add_closer()
            return
        raise self._wrong("it ends before it is whole: give the block again, with all of its brackets closed")
