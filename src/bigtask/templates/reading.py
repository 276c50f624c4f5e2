"""The JSON of a template file, read so that its author learns where it is broken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NoReturn

MAX_BYTES = 1 << 20


class Unreadable(ValueError):
    """One sentence that says what is wrong with the file."""


def parse(content: bytes) -> object:
    """Any JSON value; a byte order mark is passed over. Raises `Unreadable`.

    A key that stands twice is refused: JSON readers keep the last one in silence, and its author would look
    for the reason in the wrong place.
    """
    if len(content) > MAX_BYTES:
        raise Unreadable(f"the file is larger than {MAX_BYTES >> 20} MiB: this can't be a template")
    try:
        return json.loads(
            content.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as error:
        raise Unreadable(f"the file isn't UTF-8 at byte {error.start}: save it as UTF-8") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Unreadable(f"this isn't JSON at {place}: {_mended(error.msg)}") from error
    except RecursionError as error:
        raise Unreadable("the JSON is nested too deeply to be a template") from error


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise Unreadable(f'"{key}" stands twice in the same object: keep one of them')
        found[key] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise Unreadable(f"{name} isn't a JSON number: write a number or leave the key out")


def _mended(reason: str) -> str:
    """The reader's own reason, which says less than it could about the commonest slip."""
    if reason.startswith("Illegal trailing comma"):  # Python 3.13 tells it apart
        return "there is a comma too many here"
    if reason.startswith("Expecting property name"):
        return "a key in double quotes is missing here, or there is a comma too many before it"
    return reason[:1].lower() + reason[1:]
