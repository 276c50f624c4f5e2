"""Words for people, as every command says them."""

from __future__ import annotations

from bigtask.words import age as age
from bigtask.words import both_ends as both_ends
from bigtask.words import clock as clock
from bigtask.words import command_line as command_line
from bigtask.words import counted as counted
from bigtask.words import duration as duration
from bigtask.words import money as money
from bigtask.words import one_line as one_line
from bigtask.words import plain as plain
from bigtask.words import short as short
from bigtask.words import span as span


def size(used: int) -> str:
    """Of a disk: `0 B`, `512 B`, `3.4 MiB`, `12 GiB`."""
    if used < 1024:
        return f"{used} B"
    amount, unit = used / 1024, "KiB"
    for larger in ("MiB", "GiB"):
        if amount >= 1000:
            amount, unit = amount / 1024, larger
    return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:,.0f} {unit}"
