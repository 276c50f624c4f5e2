"""Words for people: text that can't steer a terminal, and short forms of times, amounts and counts."""

from __future__ import annotations

import unicodedata

SHORT_ID = 6
"""The end of an id is chance, so that few signs of it name a run; commands take them."""

_KEPT = frozenset("\n\t")


def plain(text: str) -> str:
    """Text that agents or files wrote, without control and format characters: it can't move the cursor,
    colour anything or write backwards."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        sign
        for sign in text.replace("\r\n", "\n")
        if sign in _KEPT or unicodedata.category(sign) not in _CONTROL
    )


_CONTROL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def short(run_id: str) -> str:
    return run_id[-SHORT_ID:]


def duration(ms: float) -> str:
    """Two units at most: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    seconds = max(ms, 0) / 1000
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, name, below, below_name in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {name}" + (f" {rest} {below_name}" if rest else "")
    return f"{whole} s"


def age(ms: float) -> str:
    """One unit: how long ago, as lists show it."""
    seconds = max(ms, 0) / 1000
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {name}"
    return f"{int(seconds)} s"


def money(usd: float) -> str:
    """A dash for nothing; cents, and more digits below one cent."""
    if not usd:
        return "–"
    return f"${usd:,.2f}" if usd >= 0.01 else f"${usd:.4f}"


def size(count_bytes: int) -> str:
    amount = float(count_bytes)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 10 else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"
