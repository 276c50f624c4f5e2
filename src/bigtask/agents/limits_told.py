"""What a program's error says of its account's limit. Pure.

Programs tell limits in words of their own, mostly those of their provider's answer.
"""

from __future__ import annotations

import re

from bigtask.agents.protocol import Limited

_KINDS = (
    (
        "usage",
        re.compile(r"usage limit|quota (?:exceeded|exhausted)|insufficient[_ ]quota|out of credits", re.I),
    ),
    ("overloaded", re.compile(r"\b529\b|overloaded", re.I)),
    ("rate", re.compile(r"\b429\b|rate[ _-]?limit|too many requests|resource[_ ]exhausted", re.I)),
)
_AFTER = re.compile(
    r"(?:retry|try again|reset)\w*[-_ ]*(?:after|in)?[\"':= ]+"
    r"(\d+(?:\.\d+)?)\s*(ms|milliseconds?|s|sec\w*|m|min\w*|h|hours?)?\b",
    re.I,
)
_MILLI = 0.001
_SECONDS = {"m": 60.0, "h": 3600.0}


def limit_in(text: str) -> Limited | None:
    """None where it isn't one."""
    for kind, pattern in _KINDS:
        if pattern.search(text):
            return Limited(kind=kind, reset_s=_reset_s(text))
    return None


def _reset_s(text: str) -> float | None:
    found = _AFTER.search(text)
    if found is None:
        return None
    unit = (found[2] or "s").lower()
    factor = _MILLI if unit.startswith(("ms", "milli")) else _SECONDS.get(unit[0], 1.0)
    return float(found[1]) * factor
