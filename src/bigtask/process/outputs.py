"""What is kept of a child's output: its ends, or its lines while somebody reads them. Bounded either way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

_QUEUE_BYTES = 256 * 1024
_LINE_OVERHEAD = 64


class Ends:
    """The first and the last bytes of an output."""

    def __init__(self, limit: int, *, head: int | None = None) -> None:
        self._head_limit = limit // 2 if head is None else head
        self._tail_limit = limit - limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self.lost = False

    def feed(self, data: bytes) -> None:
        room = self._head_limit - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        # Trimmed at twice the limit, so that a byte is moved at most once on its way out.
        if len(self._tail) > 2 * self._tail_limit:
            self._trim()

    def kept(self) -> bytes:
        self._trim()
        return bytes(self._head + self._tail)

    def _trim(self) -> None:
        excess = len(self._tail) - self._tail_limit
        if excess > 0:
            del self._tail[:excess]
            self.lost = True

    def close(self) -> None:
        pass

    @property
    def full(self) -> bool:
        return False


class Lines:
    """Lines of an output, for one reader; `full` asks the pipe to wait for that reader."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._partial = bytearray()
        self._overlong = False
        self._closed = False
        self._changed = asyncio.Event()
        self.cut = 0
        self.on_room: Callable[[], None] = lambda: None

    @property
    def full(self) -> bool:
        return self._queued > _QUEUE_BYTES

    def feed(self, data: bytes) -> None:
        *whole, rest = data.split(b"\n")
        for piece in whole:
            self._take(piece)
            self._finish()
        self._take(rest)

    def close(self) -> None:
        if not self._closed:
            if self._partial or self._overlong:
                self._finish()
            self._closed = True
            self._changed.set()

    async def next(self) -> bytes | None:
        while not self._queue:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        line = self._queue.popleft()
        self._queued -= len(line) + _LINE_OVERHEAD
        if not self.full:
            self.on_room()
        return line

    def _take(self, piece: bytes) -> None:
        room = self._limit - len(self._partial)
        self._partial += piece[:room]
        self._overlong = self._overlong or len(piece) > room

    def _finish(self) -> None:
        self.cut += self._overlong
        self._queue.append(bytes(self._partial))
        self._queued += len(self._partial) + _LINE_OVERHEAD
        self._partial = bytearray()
        self._overlong = False
        self._changed.set()
