"""What models put around the JSON of a block, inside its delimiters."""

from __future__ import annotations

import json

from bigtask.protocol.mending_repairs import Repair, Repairs

_MARK = "\ufeff"
_BLANK = " \t\r\n"
_FENCES = ("```", "~~~")
_LONGEST_LANGUAGE = 12


def inner_span(text: str, repairs: Repairs) -> tuple[int, int]:
    """Where the JSON begins and ends, without byte order mark, code fence and the word `json`."""
    start, end = _stripped(text, 0, len(text))
    if text.startswith(_MARK, start):
        repairs.note(Repair.MARK)
        start, end = _stripped(text, start + 1, end)
    fence = text[start : start + 3] if text.startswith(_FENCES, start, end) else ""
    if fence or text.endswith(_FENCES, start, end):
        if text.endswith(fence or _FENCES, start + len(fence), end):
            end -= 3
        start, end = _stripped(text, _after_language(text, start + len(fence), end), end)
        repairs.note(Repair.FENCE)
    elif (after := _after_language(text, start, end)) > start:
        start, end = _stripped(text, after, end)
        repairs.note(Repair.LANGUAGE)
    return start, end


def unescaped(text: str) -> str | None:
    """The block, where all of it was escaped as if it stood in a JSON string: `{\\"phase\\": …}`."""
    packed = text.strip(_BLANK)
    quotes = packed.count('"')
    if not quotes or not packed.startswith("{") or packed.count('\\"') != quotes:
        return None
    try:
        found = json.loads(f'"{packed}"', strict=False)
    except json.JSONDecodeError:
        return None
    assert isinstance(found, str)
    return found


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    inner = text[start:end]
    first = start + len(inner) - len(inner.lstrip(_BLANK))
    return first, max(first, start + len(inner.rstrip(_BLANK)))


def _after_language(text: str, start: int, end: int) -> int:
    """Behind a word such as `json` that the object follows; `start` where there is none."""
    brace = text.find("{", start, min(end, start + _LONGEST_LANGUAGE))
    word = text[start:brace].strip(_BLANK + ":").casefold() if brace > start else ""
    return brace if word in ("json", "json5", "jsonc", "javascript", "js", "python") else start
