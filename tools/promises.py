"""Writes the totals of the promises' tests into docs/promises.md, between its two markers.

usage: .venv/bin/python tools/promises.py TOTALS PAGE

TOTALS holds a JSON object a line, as `tests/promises/totals.py` describes them. Totals of the same name are
added up.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

BEGIN = "<!-- totals: written by tools/promises.py -->"
END = "<!-- end of totals -->"


def added_up(lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One for each promise and name, in the order of the promises."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for line in lines:
        total = found.setdefault((line["promise"], line["name"]), {**line, "count": 0, "violations": 0})
        total["count"] += line["count"]
        total["violations"] += line["violations"]
    return [found[key] for key in sorted(found)]


def table(totals: Iterable[Mapping[str, Any]]) -> str:
    rows = [
        (total["promise"], total["name"], f"{total['count']:,} {total['unit']}", f"{total['violations']:,}")
        for total in totals
    ]
    cells = [("#", "what was done", "how often", "violations"), ("---",) * 4, *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in row)} |" for row in cells)


def measured(totals: Iterable[Mapping[str, Any]]) -> str:
    """When, of what and on what kind of machine. Nothing that names the machine."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True, check=True
    ).stdout
    whole = all(total.get("full") for total in totals)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"Last measured on {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, "
        f"commit {commit}{' with changes' if changed else ''}, "
        f"{'every number' if whole else 'a fifth of the numbers'}: {cores} cores, {platform.system()} "
        f"{platform.release().split('-')[0]}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}."
    )


def with_totals(page: str, section: str) -> str:
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"the page needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{section}\n\n{END}{after}"


def main(argv: list[str]) -> None:
    if len(argv) != 2:
        raise SystemExit(__doc__)
    lines = [json.loads(line) for line in Path(argv[0]).read_text().splitlines()]
    if not lines:
        raise SystemExit(f"{argv[0]} holds no totals")
    page = Path(argv[1])
    page.write_text(with_totals(page.read_text(), f"{measured(lines)}\n\n{table(added_up(lines))}"))


if __name__ == "__main__":
    main(sys.argv[1:])
