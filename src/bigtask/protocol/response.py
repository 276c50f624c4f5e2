"""One block that an agent said, and what it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec


class Quality(StrEnum):
    """`strict`: valid JSON with valid fields. `repaired`: the same after the mending that `repairs` lists.
    `invalid`: unreadable or wrong. `heuristic`: no block; words of the text only suggest a phase."""

    STRICT = "strict"
    REPAIRED = "repaired"
    INVALID = "invalid"
    HEURISTIC = "heuristic"


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """A block, or the lack of one (`heuristic` or `invalid`, with the text as `raw`).

    `phase`, `data` and `nonce` hold what could be read, also when the block is invalid. `before_text` and
    `after_text` reach to the neighbouring blocks; of each at most the last MiB is kept. `raw` is what stood
    between the delimiters, at most the first MiB. `raw` and `nonce` hold the turn's secret: they stay out
    of events. `confidence`, from 0 to 0.9, is that of a heuristic's `phase`.
    """

    quality: Quality
    phase: str | None = None
    data: Mapping[str, Any] = {}
    nonce: str | None = None
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    before_text: str = ""
    after_text: str = ""
    raw: str = ""
    confidence: float | None = None

    @property
    def usable(self) -> bool:
        """Whether it may be acted on, once it is also believed."""
        return self.quality in (Quality.STRICT, Quality.REPAIRED)
