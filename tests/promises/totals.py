"""What the tests of the promises have counted: a JSON line each in the file that BIGTASK_TOTALS names.

`tools/promises.py` writes the table of docs/promises.md from them.
"""

from __future__ import annotations

import json
import os
from typing import Any

from .scale import FULL, SEED

VARIABLE = "BIGTASK_TOTALS"


def record(promise: int, *, name: str, unit: str, count: int, violations: int, **more: Any) -> None:
    """`count` is in `unit`s, a plural; nothing is written unless somebody collects."""
    file = os.environ.get(VARIABLE)
    if not file:
        return
    said = {"promise": promise, "name": name, "unit": unit, "count": count, "violations": violations}
    line = json.dumps({**said, "full": FULL, "seed": SEED, **more}).encode() + b"\n"
    # Several test processes write at once: one write to a file opened for appending stays in one piece.
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)
