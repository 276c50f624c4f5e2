"""A disk with a log on it: what is there stays, what is on its way may get lost or get there unheard of."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bigtask.core.events import Event, decode, encode
from bigtask.errors import StoreError, StoreFull
from bigtask.host.log import require_sequence

if TYPE_CHECKING:
    from .life import Life
    from .referee import Referee


class Disk:
    def __init__(self, referee: Referee) -> None:
        self.events: list[Event] = []
        self.full = False
        self._referee = referee

    @property
    def last(self) -> int:
        return self.events[-1].seq if self.events else 0

    def keep(self, events: Sequence[Event]) -> None:
        for event in events:
            row = encode(event.data)
            read_back = Event(event.seq, event.at, decode(event.type, row))
            self.events.append(read_back)
            self._referee.recorded(read_back, row)


class SimulatedLog:
    """The log as one holder sees it: a `RunLog` that takes its time."""

    def __init__(self, disk: Disk, life: Life) -> None:
        self.pending: list[Event] = []
        """What the holder wants on the disk, and doesn't know to be there."""
        self._disk = disk
        self._life = life
        self._appends = 0

    async def append(self, expected_seq: int, events: Sequence[Event]) -> None:
        life, disk = self._life, self._disk
        self.pending = list(events)
        self._appends += 1
        plan = life.plan
        dies = plan.at_append is not None and self._appends >= plan.at_append
        try:
            await life.takes(0.01)
            if dies and not plan.durable:
                life.kill()
                await asyncio.sleep(0)
            if disk.full:
                raise StoreFull("the disk is full")
            breaks = life.goes_wrong(life.temper.broken_disk)
            if breaks and life.goes_wrong(0.5):
                raise StoreError("the disk is broken, and has nothing of it")
        except asyncio.CancelledError:
            # The thread that writes doesn't hear of it: it may have come to the sync all the same.
            if not (dies and not plan.durable) and not disk.full and life.goes_wrong(0.5):
                self._keep(expected_seq, events)
            raise
        self._keep(expected_seq, events)
        if breaks:
            raise StoreError("the disk is broken, and has all of it")
        if dies:
            life.kill()
            # A holder that cancels itself is told at its next wait, as nobody is who is killed from outside.
            await asyncio.sleep(0)
        await life.takes(0.01)

    def _keep(self, expected_seq: int, events: Sequence[Event]) -> None:
        require_sequence(self._disk.last, expected_seq, events)
        self._disk.keep(events)
        self.pending = []

    async def read(self, after: int = 0, limit: int | None = None) -> list[Event]:
        await self._life.takes(0.01)
        return self._disk.events[after : None if limit is None else after + limit]

    async def close(self) -> None:
        pass
