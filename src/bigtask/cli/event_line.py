"""What is said of one event: who, what, the detail that matters, and who is shown it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

MOODS = {"good": ("✓", "green"), "bad": ("✗", "red"), "amber": ("!", "yellow"), "quiet": ("·", "dim")}
"""Mark and colour."""


class Reach(IntEnum):
    LOG = 0
    """Only for those who read the log."""
    PIPE = 1
    """A live terminal shows it in place, and leaves no line."""
    ALL = 2


@dataclass(frozen=True, kw_only=True)
class Line:
    """`mood` is a key of `MOODS`."""

    who: str
    what: str
    detail: str = ""
    mood: str = "quiet"
    reach: Reach = Reach.ALL


def phase_name(phase: str) -> str:
    """The word that people see for a phase."""
    return {"taskPlanning": "planning", "workerExecution": "workers"}.get(phase, phase)


def by_whom(who: str) -> str:
    """`by ada`, or nothing where nobody is known."""
    return f"by {who}" if who else ""
