"""Words of agents and projects as they may stand on a terminal: nothing in them is obeyed."""

from __future__ import annotations

import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that move the cursor, turn the direction of writing, or show nothing."""


def one_line(text: str, limit: int | None = None) -> str:
    """Without control and direction characters, blanks run together; cut to `limit` characters with `…`."""
    # What is cut away anyhow needn't be looked at: an agent may say megabytes.
    seen = text if limit is None else text[: 4 * limit + 200]
    kept = "".join(" " if sign.isspace() else sign for sign in seen if sign.isspace() or _visible(sign))
    line = " ".join(kept.split())
    return line if limit is None or len(line) <= limit else line[: max(limit - 1, 0)].rstrip() + "…"


def _visible(sign: str) -> bool:
    return unicodedata.category(sign) not in _UNSEEN


def duration(ms: float) -> str:
    """`0:42`, `12:05`, `1:02:05`."""
    seconds = max(int(ms // 1000), 0)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
