"""Reads blocks that are almost JSON: the mistakes that models make and that leave one meaning.

The text is rewritten as standard JSON in one pass, and the strict reader has the last word. A mend never
makes up a value: what could mean two things or may have been cut is an error, with a sentence for its writer.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bigtask.protocol.bounded_json import Unreadable, read_json
from bigtask.protocol.mending_effort import Effort
from bigtask.protocol.mending_repairs import Repair, Repairs
from bigtask.protocol.mending_structure import Structure
from bigtask.protocol.mending_wrapping import inner_span, unescaped


class Mended(msgspec.Struct, frozen=True, kw_only=True):
    """`moved` says that fields may have come into another object than was meant: whether each stands where
    only it can stand is for the caller to check, who knows the fields."""

    value: Any
    repairs: tuple[str, ...] = ()
    moved: bool = False


_MOVING = (Repair.MISSING_BRACKET, Repair.SURPLUS_BRACKET, Repair.MISSING_COMMA)


def mend(text: str, effort: Effort, *, ended: bool) -> Mended:
    """For a text that `read_json` refused as `NotJson`. `ended` says that its writer had finished: only then
    can closing brackets be missing at its end without anything else being lost.

    Raises `Unreadable` where there isn't one meaning, and where `effort` has no steps left.
    """
    repairs = Repairs()
    plain = unescaped(text)
    if plain is not None:
        repairs.note(Repair.ESCAPED)
        text = plain
    start, end = inner_span(text, repairs)
    value = read_json(Structure(text, start, end, repairs, effort, ended=ended).rewritten())
    moved = any(repair in repairs for repair in _MOVING)
    return Mended(value=value, repairs=repairs.sentences, moved=moved)


def from_text(text: str) -> Mended | None:
    r"""The object that a block's JSON holds as one text: `"{\"phase\": …}"`. None for any other text."""
    try:
        value = read_json(text)
    except Unreadable:
        return None
    return Mended(value=value, repairs=(Repair.AS_TEXT.one,))
