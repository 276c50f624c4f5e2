"""How much is done for the broken blocks of one message."""

from __future__ import annotations

from bigtask.protocol.bounded_json import Unreadable
from bigtask.protocol.response import Response

BLOCKS_LIMIT = 64
STEPS_LIMIT = 10_000
"""A step is a bracket, comma, colon or value, or an odd character in a text; a comment is several. An answer
of a model has some thousands."""


class Effort:
    """What is left: a text made of broken blocks, however long, is refused as quickly as a long answer is
    mended."""

    def __init__(self) -> None:
        self._blocks = BLOCKS_LIMIT
        self._steps = STEPS_LIMIT
        self._known: dict[tuple[str, bool], Response] = {}

    @property
    def spent(self) -> bool:
        """Whether so many blocks were broken that no more of them are looked at closely."""
        return self._blocks <= 0

    def met_broken(self) -> None:
        """One more block couldn't be used, or only once it was mended."""
        self._blocks -= 1

    def remember(self, raw: str, ended: bool, block: Response) -> None:
        """One that can't be used: a model that goes round in circles gives the same one again."""
        if len(self._known) < BLOCKS_LIMIT:
            self._known[raw, ended] = block

    def known(self, raw: str, ended: bool) -> Response | None:
        """What the same text came to before in this message."""
        return self._known.get((raw, ended)) if self._known else None

    def step(self, steps: int = 1) -> None:
        """Raises `Unreadable` after the last one."""
        self._steps -= steps
        if self._steps < 0:
            raise Unreadable(
                "the block isn't valid JSON, and too long to be mended: give it again as standard JSON"
            )
