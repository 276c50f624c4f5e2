"""What was done to a text so that it could be read, counted and said in words."""

from __future__ import annotations

from enum import Enum


class Repair(Enum):
    """Each with its sentence for one and, where there can be several, for those."""

    def __init__(self, one: str, several: str = "") -> None:
        self.one = one
        self.several = several

    MARK = "removed the byte order mark"
    FENCE = "removed the code fence around the JSON"
    LANGUAGE = "removed the word json before the JSON"
    ESCAPED = "undid the escaping of the whole block"
    AS_TEXT = "read the JSON that was written as one text"
    BLANKS = (
        "removed invisible characters between values",
        "removed invisible characters between values in {} places",
    )
    COMMENT = ("removed a comment", "removed {} comments")
    TRAILING_COMMA = ("removed a trailing comma", "removed {} trailing commas")
    MISSING_COMMA = ("added a missing comma", "added {} missing commas")
    OTHER_QUOTES = (
        "put a text into double quotes instead of others",
        "put {} texts into double quotes instead of others",
    )
    CURLY_QUOTES = (
        "put a text into straight quotes instead of curly ones",
        "put {} texts into straight quotes instead of curly ones",
    )
    INNER_QUOTE = ("escaped a quotation mark inside a text", "escaped {} quotation marks inside texts")
    CONTROL = (
        "escaped a line break or control character inside a text",
        "escaped {} line breaks or control characters inside texts",
    )
    APOSTROPHE = (
        "removed a backslash before an apostrophe",
        "removed the backslashes before {} apostrophes",
    )
    KEY = ("put a key into quotes", "put {} keys into quotes")
    LITERAL = (
        "wrote a literal of another language as JSON",
        "wrote {} literals of another language as JSON",
    )
    FULL_WIDTH = ("replaced a full-width comma or colon", "replaced {} full-width commas or colons")
    SEMICOLON = ("removed the semicolon after the JSON", "removed {} semicolons after the JSON")
    MISSING_BRACKET = ("added a missing closing bracket", "added {} missing closing brackets")
    SURPLUS_BRACKET = (
        "removed a closing bracket too many at the end",
        "removed {} closing brackets too many at the end",
    )


class Repairs:
    """The sentences come in the order in which their kinds were first needed."""

    def __init__(self) -> None:
        self._counts: dict[Repair, int] = {}

    def note(self, repair: Repair, times: int = 1) -> None:
        self._counts[repair] = self._counts.get(repair, 0) + times

    def __contains__(self, repair: Repair) -> bool:
        return repair in self._counts

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(
            repair.one if count == 1 else repair.several.format(count)
            for repair, count in self._counts.items()
        )
