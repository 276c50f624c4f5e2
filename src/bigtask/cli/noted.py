"""What was wrong with a text that a person edits, as lines at its top."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import dropwhile

from bigtask.words import one_line

_MARK = "#! "


def with_notes(text: str, notes: Sequence[str]) -> str:
    """The text with these notes at its top in place of earlier ones."""
    # Only at the top: further down such a line is part of what is edited.
    lines = dropwhile(lambda line: line.startswith(_MARK), text.splitlines(keepends=True))
    return "".join(f"{_MARK}{one_line(note)}\n" for note in notes) + "".join(lines)
