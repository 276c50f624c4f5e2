"""The gate before an account: who may make requests on it, and when again after a limit.

    open ── a limit ──> closed ── its time is over ──> opening: 1 probe, then 2, 4 … ──> open
                          ^                               │
                          └──────── limited again ────────┘

A gate is a value that every process of the machine reads and replaces. Times are milliseconds of whatever
clock its keeper has; only their differences count.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from typing import Any

import msgspec

from bigtask.core.values import Value

FIRST_WAIT_MS = 30_000
LONGEST_WAIT_MS = 900_000
"""How long a limit is waited out whose end nobody told: at first, and at most after doubling each time."""
LONGEST_TOLD_MS = 8 * 24 * 3_600_000
"""The longest windows of providers are a week: what is told beyond that is a mistake."""
PATIENCE_MS = 180_000
"""How long one that was let through may be without an answer before it holds others back no longer."""
GROWTH_MS = 60_000
"""After how long without a limit one more is let through than when limits came again."""
_UNTOLD_JITTER, _TOLD_JITTER = 0.5, 0.02
_SAME_MS = 2_000
"""Ends of a limit that are no further apart are told as one."""


class Passage(Value):
    """One session's leave. `epoch` is how often the gate had closed before it was let through."""

    epoch: int
    since: int
    answered: bool = False


class Gate(Value):
    kind: str = ""
    """What it was closed for last: `rate`, `overloaded` or `usage`; empty while it is open."""
    until: int = 0
    told: bool = False
    """The provider said how long."""
    epoch: int = 0
    tries: int = 0
    """How often it closed without having been open in between."""
    width: int = 0
    """How many may be through at once while it opens."""
    goal: int = 0
    """How many were through when limits came first: there it is open again."""
    ceiling: int | None = None
    """How many may be through at once since limits came again; None for as many as want to."""
    opened_at: int = 0
    through: Mapping[str, Passage] = {}

    def closed(self, now: int) -> bool:
        return bool(self.kind) and now < self.until


class Held(Value):
    """The answer "not now". `until` is when time alone changes that, None where that depends on
    others; `why` is for people."""

    about: str
    """The same word for the same reason, whatever the figures in `why`."""
    why: str
    until: int | None = None
    kind: str = ""
    """What the account is limited by; empty where that isn't the reason."""

    def new_after(self, told: Collection[Held]) -> bool:
        """Whether it tells something to one who was told those: another reason, or another end."""
        same = [held for held in told if held.about == self.about]
        if not self.kind or self.until is None:
            return not same
        return not any(held.until is not None and abs(self.until - held.until) < _SAME_MS for held in same)


def enter(gate: Gate, name: str, now: int) -> Gate | Held:
    """The gate with `name` let through for its next turn: one that is through already stays so, unless that
    was before the gate closed."""
    mine = gate.through.get(name)
    if mine is not None and (not gate.kind or mine.epoch == gate.epoch):
        return gate
    gate = leave(gate, name)
    if gate.closed(now):
        why = f"the account is limited ({gate.kind})"
        return Held(about="limit", why=why, until=gate.until, kind=gate.kind)
    if not gate.kind:
        most = _most(gate, now)
        if most is not None and len(gate.through) >= most:
            grows_at = now + GROWTH_MS - (now - gate.opened_at) % GROWTH_MS
            why = f"since it was limited the account takes {most} at once"
            return Held(about="ceiling", why=why, until=grows_at)
    else:
        counting = _counting(gate, now)
        if len(counting) >= gate.width:
            ends = [one.since + PATIENCE_MS for one in counting if not one.answered]
            about, why = "probe", "one request tries whether the account answers again"
            if gate.width > 1:
                about, why = "ramp", f"the account is just open again: {gate.width} at once, then more"
            return Held(about=about, why=why, until=min(ends, default=None))
    return _with(gate, through={**gate.through, name: Passage(epoch=gate.epoch, since=now)})


def answered(gate: Gate, name: str, now: int) -> Gate:
    """The account has answered `name`. While the gate opens, and once all that were let through have been
    answered, twice as many may be."""
    mine = gate.through.get(name)
    if mine is None or mine.answered:
        return gate
    through = {**gate.through, name: msgspec.structs.replace(mine, answered=True)}
    gate = _with(gate, through=through)
    if not gate.kind or gate.closed(now) or mine.epoch != gate.epoch:
        return gate
    if not all(one.answered for one in _counting(gate, now)):
        return gate
    width = 2 * gate.width
    goal = gate.goal if gate.ceiling is None else min(gate.goal, gate.ceiling)
    if width > goal:
        return _with(gate, kind="", tries=0, width=0, opened_at=now)
    return _with(gate, width=width)


def limited(gate: Gate, name: str, *, kind: str, reset_ms: int | None, now: int, jitter: float) -> Gate:
    """The account refused `name`, which is through no longer. `jitter` in [0, 1).

    What those say who were let through before the gate closed is the same limit: it only gets longer.
    """
    mine = gate.through.get(name)
    in_use = len(gate.through) + (mine is None)
    gate = leave(gate, name)
    told_ms = None if reset_ms is None else min(max(reset_ms, 0), LONGEST_TOLD_MS)
    if gate.kind and (mine is None or mine.epoch < gate.epoch):
        if told_ms is None:
            return gate
        return _with(gate, until=max(gate.until, now + told_ms), told=True)
    if told_ms is None:
        untold = min(FIRST_WAIT_MS * 2 ** min(gate.tries, 10), LONGEST_WAIT_MS)
        wait_ms = _jittered(untold, _UNTOLD_JITTER, jitter)
    else:
        wait_ms = _jittered(told_ms, _TOLD_JITTER, jitter)
    ceiling = _most(gate, now)
    soon = gate.epoch > 0 and now - gate.opened_at < GROWTH_MS
    again = bool(gate.kind) or soon or ceiling is not None
    if again and in_use > 1:
        ceiling = in_use // 2
    return _with(
        gate,
        kind=kind,
        until=now + wait_ms,
        told=told_ms is not None,
        epoch=gate.epoch + 1,
        tries=gate.tries + 1,
        width=1,
        goal=max(gate.goal, in_use) if again else in_use,
        ceiling=ceiling,
    )


def leave(gate: Gate, name: str) -> Gate:
    """`name` makes no more requests."""
    if name not in gate.through:
        return gate
    return _with(gate, through={other: one for other, one in gate.through.items() if other != name})


def only(gate: Gate, names: Container[str]) -> Gate:
    """Without those whose process has ended."""
    left = {name: one for name, one in gate.through.items() if name in names}
    return gate if len(left) == len(gate.through) else _with(gate, through=left)


def moved(gate: Gate, by_ms: int) -> Gate:
    """The gate as it is on a clock that is `by_ms` ahead of the one that it was kept by."""
    through = {
        name: msgspec.structs.replace(one, since=one.since + by_ms) for name, one in gate.through.items()
    }
    return _with(gate, until=gate.until + by_ms, opened_at=gate.opened_at + by_ms, through=through)


def idle(gate: Gate, now: int) -> bool:
    """Whether nothing of it needs to be kept."""
    settled = not gate.epoch or now - gate.opened_at >= GROWTH_MS
    return settled and not gate.kind and not gate.through and _most(gate, now) is None


def _counting(gate: Gate, now: int) -> list[Passage]:
    """The passages since the gate closed last that still hold others back: those that were answered, and
    those that may yet be."""
    mine = [one for one in gate.through.values() if one.epoch == gate.epoch]
    return [one for one in mine if one.answered or now - one.since < PATIENCE_MS]


def _most(gate: Gate, now: int) -> int | None:
    """The ceiling, which grows while nothing is limited until it is where it was."""
    if gate.ceiling is None or gate.kind:
        return gate.ceiling
    grown = gate.ceiling + max(0, now - gate.opened_at) // GROWTH_MS
    return grown if grown < gate.goal else None


def _jittered(wait_ms: int, share: float, jitter: float) -> int:
    return int(wait_ms * (1 + share * jitter))


def _with(gate: Gate, **changes: Any) -> Gate:
    return msgspec.structs.replace(gate, **changes)
