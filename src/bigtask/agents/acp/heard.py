"""What a session has heard and nobody has taken yet, in order, and bounded."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

_MOST = 256


class Heard:
    """One consumer. Whoever puts something in never waits; whoever reads from the agent waits for `room`."""

    def __init__(self) -> None:
        self._waiting: deque[Any] = deque()
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def put(self, item: Any) -> None:
        self._waiting.append(item)
        self._some.set()
        if len(self._waiting) >= _MOST:
            self._room.clear()

    async def next(self) -> Any:
        while not self._waiting:
            self._some.clear()
            await self._some.wait()
        item = self._waiting.popleft()
        if len(self._waiting) < _MOST:
            self._room.set()
        return item

    async def room(self) -> None:
        await self._room.wait()
