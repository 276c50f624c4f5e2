"""An answer that a person wrote in a file, in the agent's place."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bigtask.errors import InvalidInput

_LONGEST_DATA = 4 * 2**20


def read_data(name: str) -> Mapping[str, Any]:
    """From a file, or from standard input for `-`. Raises InvalidInput."""
    try:
        if name == "-":
            content = sys.stdin.buffer.read(_LONGEST_DATA + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(_LONGEST_DATA + 1)
    except OSError as error:
        raise InvalidInput(f"{name} can't be read: {error.strerror}") from None
    if len(content) > _LONGEST_DATA:
        raise InvalidInput(f"{name} is longer than {_LONGEST_DATA:,} bytes: an answer is shorter")
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(f"{name} isn't a JSON object: {error}") from None
