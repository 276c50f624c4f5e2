"""The pieces of JSON as models really write it: each as standard JSON, with what stands between them dropped.

One pass over the text: standard pieces are matched as a whole, the rest is looked at sign by sign.
"""

from __future__ import annotations

import re

from bigtask.protocol.bounded_json import clipped, not_json
from bigtask.protocol.mending_effort import Effort
from bigtask.protocol.mending_repairs import Repair, Repairs
from bigtask.protocol.mending_strings import BLANKS, QUOTES, QuotedText

STRING, SCALAR, NAME, END = "string", "scalar", "name", "end"
"""The kinds of piece beside brackets, comma and colon, which are their own kind. A scalar is a number or a
literal, a name a word that is neither."""

_PUNCTUATION = "{}[],:"
_FULL_WIDTH = {"，": ",", "：": ":"}
_UNSEEN = "\u200b-\u200f\u2060\ufeff"
_STANDARD = re.compile(
    r"[ \t\r\n]*+"
    r"(?:([{}\[\],:])"
    r'|("[^"\\\x00-\x1f]*+")(?=[ \t\r\n]*+[,:}\]])'
    rf"|([^\s{_UNSEEN}{{}}\[\],:，：/#{QUOTES}]+))"
)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LITERALS = frozenset({"true", "false", "null"})
_OTHER_LITERALS = {
    "True": "true",
    "False": "false",
    "None": "null",
    "TRUE": "true",
    "FALSE": "false",
    "NULL": "null",
    "Null": "null",
}
_NO_NUMBERS = frozenset({"NaN", "Infinity", "-Infinity", "+Infinity", "nan", "inf", "-inf"})
_COMMENT_STEPS = 5
_LEFT_OUT = (
    "...",
    "…",
    "omitted",
    "truncated",
    "abbreviated",
    "left out",
    "remaining",
    "the rest",
    "rest of",
    "and so on",
    "etc.",
    " more ",
)


class Tokens:
    """A cursor. After `step`, `kind` says what stands at `at`, `json` how JSON writes it, `after` where the
    text goes on; `odd` is that of a `QuotedText`.

    `step` raises `Unreadable` at what has no meaning of its own.
    """

    def __init__(self, text: str, start: int, end: int, repairs: Repairs, effort: Effort) -> None:
        self._text = text
        self._end = end
        self._repairs = repairs
        self._effort = effort
        self.kind = END
        self.json = ""
        self.at = self.after = start
        self.odd = False
        self.ended_by_comment = False
        """Whether the last thing in the text is a comment to the end of its line."""

    def step(self) -> None:
        found = _STANDARD.match(self._text, self.after, self._end)
        if found is None:
            self._step_slowly()
            return
        group = found.lastindex
        assert group is not None
        self.at, self.after = found.span(group)
        self.json = found[group]
        self.odd = False
        if group == 1:
            self.kind = self.json
        elif group == 2:
            self.kind = STRING
        else:
            self._word()

    def comes_next(self, sign: str) -> bool:
        """Whether the next piece is this one of the punctuation, with nothing but blanks before it."""
        found = _STANDARD.match(self._text, self.after, self._end)
        return found is not None and found[1] == sign

    def _step_slowly(self) -> None:
        self._skip()
        self.at = self.after
        self.odd = False
        if self.at == self._end:
            self.kind, self.json = END, ""
            return
        sign = self._text[self.at]
        if sign in _PUNCTUATION or sign in _FULL_WIDTH:
            if sign in _FULL_WIDTH:
                self._repairs.note(Repair.FULL_WIDTH)
            self.kind = self.json = _FULL_WIDTH.get(sign, sign)
            self.after += 1
        elif sign in QUOTES:
            quoted = QuotedText(self._text, self.at, self._end, self._repairs, self._effort)
            self.kind, self.json, self.after, self.odd = STRING, quoted.json, quoted.after, quoted.odd
        else:
            # A blank that isn't JSON's stood before it.
            self.step()

    def _skip(self) -> None:
        """Blanks, characters that show nothing, and comments."""
        self.ended_by_comment = False
        while True:
            self._effort.step()
            blanks = BLANKS.match(self._text, self.after, self._end)
            assert blanks is not None
            self.after = blanks.end()
            if blanks[0].strip(" \t\r\n"):
                self._repairs.note(Repair.BLANKS)
            if self._text.startswith(("#", "//"), self.after, self._end):
                self._skip_comment(self._text.find("\n", self.after, self._end), whole_line=True)
            elif self._text.startswith("/*", self.after, self._end):
                self._skip_comment(self._text.find("*/", self.after + 2, self._end), whole_line=False)
            elif self._text.startswith("/", self.after, self._end):
                raise not_json(self._text, self.after, "/ isn't JSON: write numbers and texts as they are")
            else:
                return

    def _skip_comment(self, end: int, *, whole_line: bool) -> None:
        self._effort.step(_COMMENT_STEPS)
        at, comment = self.after, self._text[self.after : self._end if end < 0 else end]
        if end < 0 and not whole_line:
            raise not_json(self._text, at, "a comment that begins here isn't ended: leave comments out")
        if any(mark in comment.casefold() for mark in _LEFT_OUT):
            raise not_json(self._text, at, "a comment says that something was left out: write all of it")
        if whole_line and _may_hold_json(comment):
            raise not_json(
                self._text, at, "it can't be told where the comment that begins here ends: leave comments out"
            )
        self._repairs.note(Repair.COMMENT)
        self.ended_by_comment = end < 0
        self.after = self._end if end < 0 else end + (0 if whole_line else 2)

    def _word(self) -> None:
        word = self.json
        self.kind = SCALAR
        if word in _LITERALS or _NUMBER.fullmatch(word):
            return
        if word in _OTHER_LITERALS:
            self.json = _OTHER_LITERALS[word]
            self._repairs.note(Repair.LITERAL)
            return
        if word in _NO_NUMBERS:
            raise not_json(
                self._text, self.at, f"{word} isn't a number in JSON: use a number or leave the field out"
            )
        if word.lstrip("+-.")[:1].isdigit():
            raise not_json(
                self._text,
                self.at,
                f"{clipped(word)} isn't a number in JSON: use digits only, or write it as a text in quotes",
            )
        self.kind = NAME


def _may_hold_json(comment: str) -> bool:
    """Whether a field, an item or a bracket may have got into the comment by mistake."""
    packed = comment.replace(" ", "")
    said = comment.strip("#/ \t\r")
    unbalanced = any(packed.count(one) != packed.count(other) for one, other in ("{}", "[]"))
    item = said.startswith(tuple(QUOTES)) or said.endswith(",") or bool(_NUMBER.fullmatch(said))
    return unbalanced or item or '":' in packed or "':" in packed
