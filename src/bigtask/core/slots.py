"""The slots of a machine: whether one more session of an agent may begin beside those of all runs."""

from __future__ import annotations

from collections.abc import Mapping

from bigtask.core.gate import Held
from bigtask.core.values import Value

START_MS = 20_000
"""How long the start of a session counts as one at most."""
SPARE_MIB = 512
"""What is left to everything else on the machine."""


class Seat(Value):
    """A session that takes room. `since` is in milliseconds of its keeper's clock; it is `ready` once its
    start is over, and what it takes of the memory shows in what is free."""

    agent: str
    run_id: str
    memory_mib: int
    since: int
    ready: bool = False


class Room(Value):
    """What the machine has. `most` and `most_of_agent` are numbers of sessions; None for no bound, and for
    memory that can't be told."""

    cores: int
    free_mib: int | None = None
    most: int | None = None
    most_of_agent: int | None = None


def lacking(seats: Mapping[str, Seat], wanted: Seat, room: Room) -> Held | None:
    """What is in the way of one more, or None. Where nobody has a seat, memory is never in the way: a machine
    that is too small for anything wouldn't ever begin."""
    if room.most is not None and len(seats) >= room.most:
        return Held(about="machine", why=f"all {room.most} slots of this machine are taken (machineSlots)")
    same = sum(seat.agent == wanted.agent for seat in seats.values())
    if room.most_of_agent is not None and same >= room.most_of_agent:
        why = f"all {room.most_of_agent} slots of {wanted.agent} are taken (agentSlots)"
        return Held(about="agent", why=why)
    now = wanted.since
    starting = [s for s in seats.values() if not s.ready and 0 <= now - s.since < START_MS]
    if len(starting) >= max(1, room.cores):
        return Held(
            about="starts",
            why=f"{len(starting)} others are just starting on {room.cores} cores",
            until=min(seat.since for seat in starting) + START_MS,
        )
    if seats and room.free_mib is not None:
        free = room.free_mib - SPARE_MIB - sum(seat.memory_mib for seat in starting)
        if free < wanted.memory_mib:
            return Held(
                about="memory",
                why=f"{max(free, 0)} MiB of memory are free, and a session takes {wanted.memory_mib} MiB",
            )
    return None
