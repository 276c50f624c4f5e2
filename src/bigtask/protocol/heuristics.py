"""What a text without a block seems to be: a suggestion for the wording of the next question, never acted on.

Fixed words only, looked for in a bounded part of the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

MOST_CONFIDENT = 0.9
READ = 16_384
"""Characters from the end, where an answer says what it is."""

_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "analysis": (
            "analysis",
            "analyzed",
            "analysed",
            "codebase",
            "complexity",
            "key files",
            "recommended splits",
            "structure of the project",
        ),
        "task_list": (
            "task list",
            "subtask",
            "task 1",
            "task-1",
            "list of tasks",
            "following tasks",
            "dependencies",
            "in parallel",
            "split into",
        ),
        "progress": (
            "in progress",
            "working on",
            "so far",
            "still need",
            "next step",
            "next, i",
            "now i will",
            "now i'll",
            "i will now",
            "i'll now",
            "let me",
            "remaining",
            "blocked",
        ),
        "completion": (
            "completed",
            "complete.",
            "is done",
            "am done",
            "all done",
            "finished",
            "successfully",
            "implemented",
            "i have written",
            "i've written",
            "i have added",
            "i've added",
            "tests pass",
            "could not finish",
            "couldn't finish",
        ),
        "aggregation": (
            "aggregat",
            "merged",
            "combined",
            "consolidated",
            "conflict",
            "contradict",
            "results of all",
        ),
        "verification": (
            "verified",
            "verification",
            "verdict",
            "passed with warnings",
            "issues found",
            "no issues",
            "meets the request",
            "checks pass",
        ),
    }
)


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """`confidence` is from 0 to 0.9, the share of the words found that speak for `phase`; few words make less
    of it."""

    phase: str
    confidence: float
    words: tuple[str, ...]


def suggest(text: str) -> Suggestion | None:
    """None where no word speaks for one phase more than for every other."""
    read = text[-READ:].casefold().replace("’", "'")
    found = {phase: tuple(word for word in words if word in read) for phase, words in _WORDS.items()}
    best, second = sorted(found, key=lambda phase: -len(found[phase]))[:2]
    count = len(found[best])
    if count == len(found[second]):
        return None
    share = count / sum(len(words) for words in found.values())
    # One word says little, however lonely it stands.
    confidence = min(MOST_CONFIDENT, share * (1 - 0.5**count))
    return Suggestion(phase=best, confidence=round(confidence, 2), words=found[best])
