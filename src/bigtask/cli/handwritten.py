"""An answer that a person wrote in a file, in the agent's place."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bigtask.cli.answer_text import LONGEST, read
from bigtask.errors import InvalidInput


def read_data(name: str) -> Mapping[str, Any]:
    """From a file, or from standard input for `-`; lines that begin with # are passed over, as in what the
    editor was given. Raises InvalidInput."""
    try:
        if name == "-":
            content = sys.stdin.buffer.read(LONGEST + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(LONGEST + 1)
    except OSError as error:
        raise InvalidInput(f"{name} can't be read: {error.strerror}") from None
    if len(content) > LONGEST:
        raise InvalidInput(f"{name} is longer than {LONGEST:,} bytes: an answer is shorter")
    try:
        found = read(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} isn't UTF-8 at byte {error.start}: save it as UTF-8") from None
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error}") from None
    if found is None:
        raise InvalidInput(f"{name} is empty: put the answer into it, one JSON object")
    return found
