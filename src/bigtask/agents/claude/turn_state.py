"""What the callbacks of one turn share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_REFUSALS = 2
_NO_REPORT = (
    "You haven't reported yet. Call report_completion now: with status success if all of the task is done, "
    "else partial or failed and what is missing."
)


class TurnState:
    """Whether a turn of work may end yet."""

    def __init__(self) -> None:
        self.reported = True
        self._nonce = ""
        self._refused = 0

    def begin(self, *, nonce: str, needs_report: bool) -> None:
        self.reported = not needs_report
        self._nonce = nonce
        self._refused = 0

    def refusal(self, hook: Mapping[str, Any]) -> str | None:
        """What Claude is told when it wants to end its turn, or None; `hook` is the Stop hook's input.

        A turn without a report is sent back, but not for ever: then it is for the host to ask again. One
        that ends with the nonce has answered in text.
        """
        last = hook.get("last_assistant_message")
        in_text = bool(self._nonce) and isinstance(last, str) and self._nonce in last
        if self.reported or in_text or self._refused >= MOST_REFUSALS:
            return None
        self._refused += 1
        return _NO_REPORT
