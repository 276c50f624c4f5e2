"""Texts in quotation marks of any kind, rewritten as JSON strings.

A mark ends a text only where that is the one way to read it. What is inside is kept to the letter.
"""

from __future__ import annotations

import json
import re

from bigtask.protocol.bounded_json import clipped, not_json
from bigtask.protocol.mending_effort import Effort
from bigtask.protocol.mending_repairs import Repair, Repairs

_CURLY = "“”„‟"
_CURLY_SINGLE = "‘’‚‛"
QUOTES = "\"'`" + _CURLY + _CURLY_SINGLE

_ENDS = {
    '"': '"',
    "'": "'",
    "`": "`",
    **dict.fromkeys(_CURLY, _CURLY),
    **dict.fromkeys(_CURLY_SINGLE, _CURLY_SINGLE),
}
"""By what a text begins with: what may end it."""

_STOPS = {ends: re.compile(rf"[{ends}\\\x00-\x1f]") for ends in set(_ENDS.values())}
BLANKS = re.compile(r"[\s\u200b-\u200f\u2060\ufeff]*")
"""Also those that aren't JSON's, and characters that show nothing."""
_HEX = re.compile(r"[0-9A-Fa-f]{4}")
_ESCAPES = frozenset('"\\/bfnrt')
_AFTER_A_TEXT = ",:}]，：/#"
_BEFORE_A_TEXT = frozenset(",:{[ \t\n\r")
_FEW = 32
_BEFORE_A_QUOTATION = " \t\n(-–—/=<>["
_MAY_BE_AN_END = re.compile(r'"\s*[,:}\]]')
_MAY_BE_A_BORDER = re.compile(r'"\s*[,:}\]]|[,:{\[]\s*"')
_END_OF_A_LINE = re.compile(rf"[{QUOTES}][ \t]*\r?\n\s*[,:}}\]]")
_CUT = "a text that begins here isn't ended by its quotation mark: give the block again, whole"
_INNER = "it can't be told which quotation mark ends the text: write the marks inside a text as \\\""


class QuotedText:
    """The text in the quotation marks of which the first stands at `at`; it may reach to `end`.

    `json` is the JSON string, `after` is where the text goes on. `odd` says that quotation marks, line breaks
    or control characters inside it had to be escaped. Raises `Unreadable` where the text could be read in two
    ways or isn't whole.
    """

    def __init__(self, text: str, at: int, end: int, repairs: Repairs, effort: Effort) -> None:
        self._text = text
        self._start = at
        self._end = end
        self._mark = text[at]
        self._repairs = repairs
        self._effort = effort
        self._pieces: list[str] = []
        self._quoting = False
        self._inner = self._controls = 0
        self.after = self._read()
        straight = self._mark != '"' and '"' in text[at : self.after]
        self.odd = straight or self._inner + self._controls > 0
        if (straight and self._is_mixed()) or (
            self._controls and _END_OF_A_LINE.search(text, at + 1, self.after - 1)
        ):
            raise not_json(text, at, _INNER)
        if self._mark in _CURLY or self._mark in _CURLY_SINGLE:
            repairs.note(Repair.CURLY_QUOTES)
        elif self._mark != '"':
            repairs.note(Repair.OTHER_QUOTES)
        if self._inner:
            repairs.note(Repair.INNER_QUOTE, self._inner)
        if self._controls:
            repairs.note(Repair.CONTROL, self._controls)

    @property
    def json(self) -> str:
        return f'"{"".join(self._pieces)}"'

    def _read(self) -> int:
        text, stops = self._text, _STOPS[_ENDS[self._mark]]
        at = self._start + 1
        while (stop := stops.search(text, at, self._end)) is not None:
            self._effort.step()
            self._keep(text[at : stop.start()])
            at = stop.start()
            sign = text[at]
            if sign == "\\":
                at = self._escape(at)
            elif sign < " ":
                self._pieces.append(json.dumps(sign)[1:-1])
                # A line break of two characters counts once.
                self._controls += text[at : at + 2] != "\r\n"
                at += 1
            elif self._is_inside(at):
                self._keep(sign)
                self._inner += 1
                at += 1
            else:
                return at + 1
        raise not_json(text, self._start, _CUT)

    def _keep(self, characters: str) -> None:
        if self._mark == "`" and "${" in characters:
            raise not_json(self._text, self._start, "${…} isn't filled in: write the text itself")
        self._pieces.append(characters.replace('"', '\\"'))

    def _escape(self, at: int) -> int:
        text = self._text
        sign = text[at + 1 : min(at + 2, self._end)]
        if not sign:
            raise not_json(text, self._start, _CUT)
        if sign in _ESCAPES:
            self._pieces.append("\\" + sign)
            return at + 2
        if sign == "u" and _HEX.match(text, at + 2, self._end):
            self._pieces.append(text[at : at + 6])
            return at + 6
        if sign == "'":
            self._pieces.append(sign)
            if self._mark != "'":
                self._repairs.note(Repair.APOSTROPHE)
            return at + 2
        # One language drops this backslash, another one keeps it.
        shown = clipped("\\" + sign)[1:-1].replace("\\\\", "\\")
        raise not_json(text, at, f"{shown} isn't an escape: write \\\\ where a backslash is meant")

    def _is_inside(self, at: int) -> bool:
        """Whether the mark belongs to the text. Raises `Unreadable` where it could be its end as well."""
        text = self._text
        before, after = text[at - 1], text[at + 1 : min(at + 2, self._end)]
        if self._mark != '"':
            # An apostrophe within a word can't end anything.
            return text[at] in "'’" and before.isalpha() and after.isalpha()
        follows = self._first_from(at + 1)
        first = at == self._start + 1
        if self._quoting:
            # `… "so"",` ends the quotation and then the text.
            ends_both = after == '"' and self._first_from(at + 2) in ("", *_AFTER_A_TEXT)
            may_end = not follows or follows in _AFTER_A_TEXT or follows in QUOTES
            if before.isspace() or (may_end and not ends_both):
                raise not_json(text, at, _INNER)
            self._quoting = False
            return True
        if not follows or follows in _AFTER_A_TEXT or follows in QUOTES:
            return False
        begins = (first or before in _BEFORE_A_QUOTATION) and not BLANKS.fullmatch(after)
        # After these it might be the beginning of a next text, this one's end being forgotten.
        if not begins or self._last_before(at) in _BEFORE_A_TEXT:
            return False
        self._quoting = True
        return True

    def _is_mixed(self) -> bool:
        """Whether one of the double quotes inside other marks might be the end that was meant."""
        text, start, end = self._text, self._start + 1, self.after - 1
        unpaired = text.count('"', start, end) % 2 == 1
        if self._mark in _CURLY:
            return unpaired or _MAY_BE_A_BORDER.search(text, start, end) is not None
        closes = _MAY_BE_AN_END.search(text, start, end)
        return closes is not None and (unpaired or closes.start() == text.find('"', start))

    def _last_before(self, at: int) -> str:
        """The last character before `at` that isn't blank; nothing at the beginning of the text. Only some
        are looked at: where all of those are blank, it is one of them."""
        near = self._text[max(self._start + 1, at - _FEW) : at]
        return near.rstrip()[-1:] or near[:1]

    def _first_from(self, at: int) -> str:
        """The first character from `at` on that isn't blank; nothing at the end."""
        blanks = BLANKS.match(self._text, at, self._end)
        assert blanks is not None
        return self._text[blanks.end() : min(blanks.end() + 1, self._end)]
