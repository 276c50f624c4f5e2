"""Whether a session shows signs of life: what it says, what its processes reckon, begin and end.

Slow work is alive: a build that prints nothing uses the processor, and a tool that waits for others begins
and ends them. What does none of it for long enough has stalled.
"""

from __future__ import annotations

from dataclasses import dataclass

BUSY = 0.05
"""Which share of one core is work. Agents that only wait for an answer use up to 0.03 of one."""


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What a session's processes have done by now: `cpu_s` seconds of processor time in all, `printed` bytes,
    and which `pids` there are. `cpu_s` is None where the system doesn't tell."""

    cpu_s: float | None
    pids: frozenset[int]
    printed: int


@dataclass(frozen=True, kw_only=True)
class Silence:
    """For how long nothing was noticed, and what was seen last."""

    quiet_s: float = 0.0
    last: Activity | None = None


def listen(
    silence: Silence, seen: Activity | None, *, heard: bool, passed_s: float, most_s: float
) -> Silence:
    """After another look, `passed_s` after the one before. `seen` is None for a session without processes,
    `heard` whether it has said something in between.

    No look counts for more than `most_s`: a machine that slept, or was too busy to look, says nothing about
    the session.
    """
    if heard or _alive(silence.last, seen, passed_s):
        return Silence(last=seen)
    return Silence(quiet_s=silence.quiet_s + min(passed_s, most_s), last=seen)


def _alive(before: Activity | None, now: Activity | None, passed_s: float) -> bool:
    if now is None:
        return False
    if now.cpu_s is None:
        # Whether a silent program works can't be told here, so nothing is ended for its silence.
        return True
    if before is None or before.cpu_s is None:
        return False
    return (
        now.printed != before.printed
        or now.pids != before.pids
        or now.cpu_s - before.cpu_s >= BUSY * passed_s
    )
