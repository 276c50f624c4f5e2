"""Recorded events on their way to whoever follows a run: in order, without gap or repeat, from any place.

A follower costs a position, not a buffer: who reads slowly reads older events from the log again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from itertools import islice

from bigtask.core.events import Event
from bigtask.host.log import RunLog

_TAIL = 2_048
_PAGE = 1_000


class Feed:
    def __init__(self, log: RunLog, seq: int) -> None:
        """`seq` is the last event that is recorded already."""
        self._log = log
        self._tail: deque[Event] = deque(maxlen=_TAIL)
        self._seq = seq
        self._news = asyncio.Event()
        self._closed = False

    def publish(self, events: Sequence[Event]) -> None:
        self._tail.extend(events)
        self._seq = events[-1].seq
        self._wake()

    def close(self) -> None:
        """Followers end when they have read everything."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def follow(self, after: int = 0, *, stay: bool = True) -> AsyncIterator[Event]:
        """Without `stay` it ends at what is recorded by now."""
        until = None if stay else self._seq
        while until is None or after < until:
            news = self._news
            if after < self._seq:
                for event in await self._since(after):
                    yield event
                    after = event.seq
            elif self._closed:
                return
            else:
                await news.wait()

    async def _since(self, after: int) -> Sequence[Event]:
        if self._tail and self._tail[0].seq <= after + 1:
            newest_first = islice(reversed(self._tail), self._seq - after)
            return list(newest_first)[::-1]
        found = await self._log.read(after, _PAGE)
        return [event for event in found if event.seq <= self._seq]
