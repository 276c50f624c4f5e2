"""A connection to a holder that is cut at a chosen place, once for each command."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

PLACES = ("before the command", "within the command", "before the answer", "within the answer")


class Cutter:
    """`place` is where the next connection is cut; None lets it through. `again` is waited for before a
    connection that follows a cut one."""

    def __init__(self, holder: Path, rng: random.Random) -> None:
        self.place: str | None = None
        self.again: Callable[[], Awaitable[object]] | None = None
        self.cuts = 0
        self._holder = holder
        self._rng = rng
        self._was_cut = False

    @asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[None]:
        server = await asyncio.start_unix_server(self._connected, str(path))
        try:
            yield
        finally:
            server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place, self.place = self.place, None
        if self._was_cut and self.again is not None:
            await self.again()
        self._was_cut = place is not None
        self.cuts += self._was_cut
        with suppress(ConnectionError):
            await self._pass_on(place, reader, writer)
        writer.close()

    async def _pass_on(
        self, place: str | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        command = await reader.readline()
        if place == "before the command":
            return
        theirs, ours = await asyncio.open_unix_connection(str(self._holder))
        try:
            if place == "within the command":
                # All of it but the end of the line is the hardest part of one.
                ours.write(
                    command[: self._rng.choice((len(command) - 1, self._rng.randrange(1, len(command))))]
                )
                await ours.drain()
                return
            ours.write(command)
            await ours.drain()
            answer = await theirs.readline()
            if place == "within the answer":
                writer.write(answer[: self._rng.randrange(1, len(answer))])
            elif place is None:
                writer.write(answer)
            await writer.drain()
        finally:
            ours.close()
