"""What the permission modes let agents do, as the rest of a sentence that begins with "agents may"."""

from __future__ import annotations

_MAY = {
    "ask": "read",
    "acceptEdits": "read and edit",
    "readOnly": "only read",
    "all": "do everything, without a question",
}
_REST = frozenset({"ask", "acceptEdits"})
"""Modes in which there is more that somebody could allow."""


def may(mode: str, *, asked: bool = True) -> str:
    """`asked`: whether there is a person to be asked for what the mode doesn't allow."""
    if mode not in _REST:
        return _MAY[mode]
    return f"{_MAY[mode]}; " + ("for anything else you are asked" if asked else "anything else is denied")
