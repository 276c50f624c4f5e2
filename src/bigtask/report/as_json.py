"""A result for programs: JSON as schema.json describes it."""

from __future__ import annotations

import json
import re

import msgspec

from bigtask.report.result import RunResult
from bigtask.words import plain

_NOT_ASCII = re.compile(r"[^\x00-\x7e]")


def as_json(result: RunResult) -> str:
    """Indented, with a newline at its end. What shows nothing or steers terminals is escaped."""
    text = json.dumps(msgspec.to_builtins(result), ensure_ascii=False, indent=2)
    return _NOT_ASCII.sub(lambda sign: sign[0] if plain(sign[0]) else json.dumps(sign[0])[1:-1], text) + "\n"
