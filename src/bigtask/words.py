"""Words for people: text that can't steer a terminal, and short forms of names, times, amounts and counts."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Sequence
from pathlib import PurePath

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that move the cursor, turn the direction of writing, or show nothing."""
_KEPT = frozenset("\n\t")
_SHORT_ID = 6
_RULER = re.compile(r"([-=_*~#])\1{5,}")
"""What programs draw below a heading: on one line it only takes room."""


def plain(text: str) -> str:
    """Text that agents or files wrote, without control and direction characters; its lines stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(sign for sign in text.replace("\r\n", "\n") if sign in _KEPT or _visible(sign))


def one_line(text: str, limit: int | None = None) -> str:
    """As `plain`, on one line and with blanks run together; cut to `limit` characters with `…`."""
    # What is cut away anyhow needn't be looked at: an agent may say megabytes.
    seen = text if limit is None else text[: 4 * limit + 200]
    kept = "".join(" " if sign.isspace() else sign for sign in seen if sign.isspace() or _visible(sign))
    line = " ".join(kept.split())
    return line if limit is None or len(line) <= limit else line[: max(limit - 1, 0)].rstrip() + "…"


def letter_by_letter(text: str) -> str:
    """All of it on one line, with `\\n` and the like for what can't be seen: for what somebody allows."""
    return "".join(sign if sign.isprintable() else _escaped(sign) for sign in text)


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode()


def both_ends(text: str, limit: int) -> str:
    """One line whose middle is left out: of what went wrong, the cause often stands at the end."""
    line = _RULER.sub(r"\1\1\1", one_line(text))
    if len(line) <= limit:
        return line
    head = limit // 3
    return f"{line[:head].rstrip()} … {line[head + 3 - limit :].lstrip()}"


def _visible(sign: str) -> bool:
    return unicodedata.category(sign) not in _UNSEEN


def short(run_id: str) -> str:
    """The end of an id is chance, so that few signs of it name a run; commands take them."""
    return run_id[-_SHORT_ID:]


def command_line(command: Sequence[str]) -> str:
    """The command as it would be typed, its program without the folder: where that lies matters to no
    reader."""
    return one_line(shlex.join([PurePath(command[0]).name, *command[1:]])) if command else ""


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def clock(ms: float) -> str:
    """For times that run: `0:42`, `12:05`, `1:02:05`."""
    seconds = max(int(ms // 1000), 0)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


def duration(ms: float) -> str:
    """Two units at most: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    seconds = max(ms, 0) / 1000
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for above, name, below, below_name in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= above:
            rest = whole % above // below
            return f"{whole // above} {name}" + (f" {rest} {below_name}" if rest else "")
    return f"{whole} s"


def age(ms: float) -> str:
    """One unit: how long ago, as lists show it."""
    seconds = max(ms, 0) / 1000
    for above, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= above:
            return f"{int(seconds // above)} {name}"
    return f"{int(seconds)} s"


def span(low: float, high: float) -> str:
    """A range of minutes: `<1 min`, `≈1–2 min`, `≈2–3 h`."""
    if high < 1:
        return "<1 min"
    unit, minutes = ("h", 60.0) if high >= 90 else ("min", 1.0)
    first, last = max(round(low / minutes), 1), max(round(high / minutes), 1)
    return f"≈{last} {unit}" if first >= last else f"≈{first}–{last} {unit}"


def size(used: int) -> str:
    """Of a disk: `0 B`, `512 B`, `3.4 MiB`, `12 GiB`."""
    if used < 1024:
        return f"{used} B"
    amount, unit = used / 1024, "KiB"
    for larger in ("MiB", "GiB"):
        if amount >= 1000:
            amount, unit = amount / 1024, larger
    return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:,.0f} {unit}"


def money(usd: float) -> str:
    """A dash for nothing; cents, and more digits below one cent."""
    if not usd:
        return "–"
    return f"${usd:,.2f}" if usd >= 0.01 else f"${usd:.4f}"
