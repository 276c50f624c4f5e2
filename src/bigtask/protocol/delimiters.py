"""What begins and ends a block, and how text from outside is kept from doing so."""

from __future__ import annotations

from functools import lru_cache

from bigtask.errors import InvalidInput

START_DELIMITER = "<<<ORCHESTRATOR_RESPONSE>>>"
END_DELIMITER = "<<<END_ORCHESTRATOR_RESPONSE>>>"

MARK = "·"
"""What `neutralise` puts in. No delimiter may contain it, so putting it in can't make a new one."""

_LEAST_LENGTH = 3


@lru_cache(maxsize=16)
def delimiter_problem(start_delimiter: str, end_delimiter: str) -> str | None:
    """A sentence saying why these two can't be used together, or None.

    One may not contain the other: which of the two a text holds would depend on what comes next.
    """
    for delimiter in (start_delimiter, end_delimiter):
        if len(delimiter.strip()) < _LEAST_LENGTH:
            return f"a delimiter needs at least {_LEAST_LENGTH} characters, not {delimiter!r}"
        if MARK in delimiter:
            return f"a delimiter can't contain {MARK!r}: choose another for {delimiter!r}"
    if start_delimiter in end_delimiter or end_delimiter in start_delimiter:
        return (
            f"the delimiters {start_delimiter!r} and {end_delimiter!r} can't be told apart: "
            "neither may contain the other"
        )
    return None


def check_delimiters(start_delimiter: str, end_delimiter: str) -> None:
    """Raises `InvalidInput` for what `delimiter_problem` describes."""
    problem = delimiter_problem(start_delimiter, end_delimiter)
    if problem is not None:
        raise InvalidInput(problem)


def without_remnant(text: str, delimiter: str) -> str:
    """The text without what it ends with, if that may be the delimiter: its beginning, or a last line that
    has its letters in other signs."""
    stripped = text.rstrip()
    for length in range(len(delimiter) - 1, 0, -1):
        if stripped.endswith(delimiter[:length]):
            return stripped[:-length]
    line = stripped[stripped.rfind("\n") + 1 :]
    misspelt = len(line) <= 2 * len(delimiter) and _letters(line) == _letters(delimiter)
    return stripped[: -len(line)] if misspelt and line else text


def _letters(text: str) -> str:
    return "".join(sign for sign in text if sign.isalnum()).casefold()


def neutralise(text: str, start_delimiter: str, end_delimiter: str) -> str:
    """The text with a visible `·` wherever it holds a delimiter, or more than half of one at its border.

    The result holds no delimiter, and two results beside each other don't form one either.
    Raises `InvalidInput` for delimiters that can't be used.
    """
    least, tails, heads = _halves(start_delimiter, end_delimiter)
    if len(text) < least:
        return text
    for delimiter in (start_delimiter, end_delimiter):
        if delimiter in text:
            text = _broken(text, delimiter)
    if text.startswith(tails):
        text = MARK + text
    if text.endswith(heads):
        text += MARK
    return text


@lru_cache(maxsize=16)
def _halves(start_delimiter: str, end_delimiter: str) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    """The length of the shorter half, and the ends and beginnings of the delimiters that are at least half of
    one: of a delimiter that is split between two values, at least one side holds half."""
    check_delimiters(start_delimiter, end_delimiter)
    halves = tuple((d, (len(d) + 1) // 2) for d in (start_delimiter, end_delimiter))
    tails = tuple(d[cut:] for d, half in halves for cut in range(1, len(d) - half + 1))
    heads = tuple(d[:cut] for d, half in halves for cut in range(half, len(d)))
    return min(half for _, half in halves), tails, heads


def _broken(text: str, delimiter: str) -> str:
    parts: list[str] = []
    at = 0
    while (found := text.find(delimiter, at)) >= 0:
        parts += (text[at : found + 1], MARK)
        at = found + 1
    parts.append(text[at:])
    return "".join(parts)
