"""JSON from a source that isn't trusted: standard JSON within bounds, and nothing else.

Over a bound is an error here, not a memory or recursion error later, and what is read can be stored:
every string encodes to UTF-8 and every whole number fits 64 bits.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

BLOCK_LIMIT = 2**20
"""Bytes of UTF-8, and therefore characters, of one block."""
TOO_LONG = "the block is longer than 1 MiB: put long output into a file and name the file instead"
DEPTH_LIMIT = 64
NUMBER_LIMIT = 64
"""Characters of one number."""

_WHOLE_LIMIT = 2**63
_SURELY_WHOLE = len(str(_WHOLE_LIMIT))
"""A number that is written with fewer characters fits."""
_PERHAPS_TOO_LARGE = re.compile(rf"[0-9]{{{_SURELY_WHOLE}}}|[0-9][eE]")
"""A text without any of these has no number that is over a bound."""
_NESTED = (dict, list)


class Unreadable(ValueError):
    """The message is a sentence for whoever wrote the JSON."""


class NotJson(Unreadable):
    """It is within the bounds as far as it was read, but it isn't JSON: mending may help."""


def read_json(text: str) -> Any:
    """The value. Raises `Unreadable`, and nothing else, for anything that isn't JSON within the bounds."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as broken:
        raise Unreadable(
            "the block holds half of a character (a lone surrogate): write the character itself"
        ) from broken
    if size > BLOCK_LIMIT:
        raise Unreadable(TOO_LONG)
    try:
        value = _decoded(text)
    except json.JSONDecodeError as wrong:
        raise not_json(text, wrong.pos, f"{wrong.msg[:1].lower()}{wrong.msg[1:]}") from wrong
    except RecursionError as deep:
        raise too_deep() from deep
    # Only an escape can give half of a character, and only so many brackets that depth.
    if "\\u" in text:
        check_value(value)
    elif text.count("{") + text.count("[") > DEPTH_LIMIT:
        _check_depth(value)
    return value


def _decoded(text: str) -> Any:
    # To look at each number takes longer than to read it.
    decoder = _CHECKING if _PERHAPS_TOO_LARGE.search(text) else _DECODER
    # What `decode` does before and after `raw_decode` takes as long as that does for a short block.
    value, end = decoder.raw_decode(text, len(text) - len(text.lstrip(_BLANK)))
    return decoder.decode(text) if text[end:].lstrip(_BLANK) else value


def check_value(value: Any) -> None:
    """Raises `Unreadable` for a decoded value that no text within the bounds could have given."""
    _check_depth(value)
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            _check_text(item)
        elif isinstance(item, float) and not math.isfinite(item):
            _constant(str(item))
        elif isinstance(item, dict):
            pending.extend(item)
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)


def _check_depth(value: Any) -> None:
    level = [value] if isinstance(value, _NESTED) else []
    for _ in range(DEPTH_LIMIT):
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, _NESTED)
        ]
        if not level:
            return
    raise too_deep()


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as broken:
        raise Unreadable(
            "the block holds half of a character (an escape like \\ud83d without its second half): "
            "write the character itself"
        ) from broken


def not_json(text: str, at: int, sentence: str) -> NotJson:
    """`at` is an index into the text of the block."""
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    return NotJson(f"the block isn't valid JSON: at its line {line}, column {column}: {sentence}")


def too_deep() -> Unreadable:
    return Unreadable(f"the block is nested deeper than {DEPTH_LIMIT} levels: make it flatter")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise Unreadable(f"the key {clipped(twice)} stands twice in one object: keep one of them")
    return found


def _constant(name: str) -> NoReturn:
    raise Unreadable(f"{name} isn't a number in JSON: use a number or leave the field out")


def _whole(digits: str) -> int:
    if len(digits) < _SURELY_WHOLE:
        return int(digits)
    if len(digits) > NUMBER_LIMIT or not -_WHOLE_LIMIT <= (value := int(digits)) < _WHOLE_LIMIT:
        raise Unreadable(f"the number {digits[:20]}… is too long: whole numbers have at most 64 bits")
    return value


def _fraction(digits: str) -> float:
    if len(digits) > NUMBER_LIMIT or not math.isfinite(value := float(digits)):
        raise Unreadable(f"the number {digits[:20]}… is too long or too large: round it")
    return value


def clipped(value: Any) -> str:
    """The value as short JSON, for a sentence."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    if len(text) > _CLIP:
        text = text[:_CLIP] + "…"
    if isinstance(value, str):
        text = json.dumps(text, ensure_ascii=False)
    # What is quoted may be the very thing that couldn't be stored.
    return text.encode(errors="replace").decode()


_CLIP = 60
_BLANK = " \t\n\r"
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_constant)
_CHECKING = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_constant, parse_int=_whole, parse_float=_fraction
)
