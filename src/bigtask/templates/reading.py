"""The JSON of a template file, read within bounds, and so that its author learns where it is broken."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NoReturn

import msgspec

MAX_BYTES = 1 << 20
TOO_LARGE = f"the file is larger than {MAX_BYTES >> 20} MiB: this can't be a template"
DEPTH_LIMIT = 64
"""Nothing that a template can hold is nested half as deep. What is merged and copied may rely on it."""

_MOST_ENTRIES = 10_000
"""Keys of objects and entries of lists. What a person writes has some hundred."""

_WHOLE_LIMIT = 1 << 63
_LONGEST_NUMBER = 64


class Unreadable(ValueError):
    """One sentence that says what is wrong with the file."""


def parse(content: bytes) -> object:
    """Any JSON value; a byte order mark is passed over. Raises `Unreadable`, and nothing else.

    A key that stands twice is refused: JSON readers keep the last one in silence, and its author would look
    for the reason in the wrong place. Every text of the value encodes to UTF-8, every number is finite, and
    a whole one fits 64 bits.
    """
    if len(content) > MAX_BYTES:
        raise Unreadable(TOO_LARGE)
    if _is_crowded(content):
        raise Unreadable(
            f"the file has more than {_MOST_ENTRIES:,} keys and entries: this can't be a template"
        )
    return parse_any(content)


def _is_crowded(content: bytes) -> bool:
    """Found without looking at any entry: what follows has a look at each, in Python."""
    try:
        level = [msgspec.json.decode(content.removeprefix(codecs.BOM_UTF8))]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # What isn't JSON is read until its mistake, and never checked: that is quick as long as it is short.
        return content.count(b",") > 5 * _MOST_ENTRIES
    entries = 0
    while level:
        held = [item for item in level if isinstance(item, dict | list)]
        entries += sum(map(len, held))
        if entries > _MOST_ENTRIES:
            return True
        level = [value for item in held for value in (item.values() if isinstance(item, dict) else item)]
    return False


def parse_any(content: bytes) -> object:
    """The same without a bound of the size and the entries, for a caller that has one of its own."""
    try:
        text = content.decode("utf-8-sig")
        value = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise Unreadable(f"the file isn't UTF-8 at byte {error.start}: save it as UTF-8") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Unreadable(f"this isn't JSON at {place}: {_mended(error)}") from error
    except _Twice as error:
        key = str(error)
        where = _where_twice(key, text)
        raise Unreadable(f"{_shown(key)} stands twice in the same object{where}: keep one of them") from None
    except RecursionError as error:
        raise Unreadable("the JSON is nested too deeply: make it flatter") from error
    # Only an escape can give half of a character or a NUL, and only so many brackets that depth.
    escapes = "\\u" in text
    if escapes or text.count("{") + text.count("[") > DEPTH_LIMIT:
        _check(value, escapes=escapes)
    return value


def as_bytes(content: object) -> bytes:
    """A JSON value as the text of a template file. Raises `Unreadable` for what JSON can't hold."""
    try:
        # Indenting is the slow part of it, done in C.
        return msgspec.json.format(json.dumps(content, ensure_ascii=False).encode(), indent=2) + b"\n"
    except UnicodeEncodeError as error:
        raise Unreadable("a text holds half of a character: write the character itself") from error
    except RecursionError as error:
        raise Unreadable("the JSON is nested too deeply: make it flatter") from error
    except (TypeError, ValueError) as error:
        raise Unreadable(f"this can't be written as JSON: {error}") from error


def _check(value: object, *, escapes: bool) -> None:
    level: list[object] = [value]
    for _ in range(DEPTH_LIMIT):
        inner: list[object] = []
        for item in level:
            if isinstance(item, Mapping):
                inner.extend(item.values())
                if escapes:
                    inner.extend(item)
            elif isinstance(item, list):
                inner.extend(item)
            elif escapes and isinstance(item, str):
                _check_text(item)
        if not inner:
            return
        level = inner
    raise Unreadable("the JSON is nested too deeply: make it flatter")


def _check_text(text: str) -> None:
    if "\0" in text:
        raise Unreadable("a text holds a NUL character (\\u0000): take it out")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            half = f"\\u{ord(text[error.start]):04x}"
            raise Unreadable(
                f"a text holds half of a character ({half}): write the character itself"
            ) from error


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Twice(next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1))
    return found


class _Twice(ValueError):
    """A key of an object, whose place the reader doesn't tell."""


def _where_twice(key: str, text: str) -> str:
    """The first lines on which such a key stands; nothing where it is written with escapes."""
    found = islice(re.finditer(f"{re.escape(json.dumps(key, ensure_ascii=False))}[ \t\r\n]*:", text), 5)
    *lines, last = [str(text.count("\n", 0, match.start()) + 1) for match in found] or [""]
    return f" (lines {', '.join(lines)} and {last})" if lines else ""


def _refuse_constant(name: str) -> NoReturn:
    raise Unreadable(f"{name} isn't a JSON number: write a number or leave the key out")


def _whole(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER or not -_WHOLE_LIMIT <= (number := int(digits)) < _WHOLE_LIMIT:
        raise Unreadable(f"the number {digits[:20]}… is too large: whole numbers have at most 64 bits")
    return number


def _fraction(digits: str) -> float:
    if len(digits) > _LONGEST_NUMBER or not math.isfinite(number := float(digits)):
        raise Unreadable(f"the number {digits[:20]}… is too long or too large: round it")
    return number


def _shown(key: str) -> str:
    # The key may be the very thing that couldn't be printed.
    short = key if len(key) <= 60 else key[:59] + "…"
    return json.dumps(short, ensure_ascii=False).encode(errors="replace").decode()


def _mended(error: json.JSONDecodeError) -> str:
    """The reader's own reason, which says less than it could about the commonest slips."""
    reason, here = error.msg, error.doc[error.pos : error.pos + 5]
    before = error.doc[: error.pos].rstrip()
    if not error.doc.strip():
        return "there is nothing in it"
    if here.startswith("'"):
        return "JSON texts stand in double quotes"
    if here.startswith(("//", "/*", "#")):
        return 'JSON has no comments: take it out, or put it into "description"'
    if here.startswith(("True", "False", "None")):
        return "JSON writes true, false and null"
    if (
        reason.startswith("Illegal trailing comma")
        or (  # Python 3.13 tells it apart
            here[:1] in ("}", "]") and here and before.endswith(",")
        )
    ):
        return "there is a comma too many here"
    if reason.startswith("Expecting property name"):
        return "a key in double quotes is missing here"
    if reason.startswith("Expecting ',' delimiter"):
        return "a comma or a closing bracket is missing before this"
    if reason.startswith("Extra data"):
        return "the JSON has ended before this: take out what follows, or a bracket too many"
    if reason.startswith("Expecting value"):
        if not before:
            return 'a template is one object in JSON: {"id": …, "name": …}'
        return "a value is missing here" if here else "the file ends where a value is missing"
    if reason.startswith("Invalid control character"):
        return "a line break or tab inside a text is written \\n or \\t"
    if reason.startswith("Unterminated string"):
        return "the text that begins here has no closing quote"
    return reason[:1].lower() + reason[1:]


_DECODER = json.JSONDecoder(
    object_pairs_hook=_once, parse_constant=_refuse_constant, parse_int=_whole, parse_float=_fraction
)
