"""How far agents may go that make runs of their own: how deep, and for how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bigtask.errors import Forbidden, InvalidInput
from bigtask.host.nesting import BUDGET, DEPTH

MAX_DEPTH = 1
"""A run that a person made may have runs below it, and these none."""
RUN_USD = 10.0


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """`depth` is that of the runs that are made: 0 where no run is above. `total_usd` bounds all of them
    together, None for no bound."""

    depth: int = 0
    max_depth: int = MAX_DEPTH
    run_usd: float = RUN_USD
    total_usd: float | None = None

    def cap(self, asked_usd: float | None, taken_usd: float) -> float:
        """What a new run may cost where the others have `taken_usd`. Raises Forbidden."""
        if self.depth > self.max_depth:
            raise Forbidden(
                f"this agent works in a run of depth {self.depth - 1}, and none is made below depth "
                f"{self.max_depth}: do the work yourself, or report that it has to be split"
            )
        cap = self.run_usd if asked_usd is None else asked_usd
        if cap > self.run_usd:
            raise Forbidden(
                f"a run made here may cost {self.run_usd:.2f} USD at most: ask for less, "
                "or let a person make it"
            )
        if self.total_usd is None:
            return cap
        left = self.total_usd - taken_usd
        if left <= 0 or (asked_usd is not None and asked_usd > left):
            raise Forbidden(
                f"of the {self.total_usd:.2f} USD for runs made here {max(left, 0):.2f} are left: "
                "ask for less, or let a person make the run"
            )
        return min(cap, left)


def bounds_from(
    environ: Mapping[str, str], *, max_depth: int, run_usd: float, total_usd: float | None
) -> Bounds:
    """What is given, and no more than what an attempt above has left. Raises InvalidInput."""
    depth, budget = environ.get(DEPTH, "0"), environ.get(BUDGET)
    try:
        above = None if budget is None else max(float(budget), 0.0)
        found = Bounds(
            depth=int(depth),
            max_depth=max_depth,
            run_usd=run_usd,
            total_usd=min((usd for usd in (above, total_usd) if usd is not None), default=None),
        )
    except ValueError:
        raise InvalidInput(
            f"{DEPTH}={depth!r} and {BUDGET}={budget!r} have to be numbers: unset them"
        ) from None
    if found.depth < 0:
        raise InvalidInput(f"{DEPTH}={depth!r} can't be: unset it")
    return found
