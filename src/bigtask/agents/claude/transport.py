"""The SDK's transport over a process that `bigtask.process` started.

The SDK's own would give the child all of our environment, leave it in our process group, and let it live on
when we are killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import msgspec
from claude_agent_sdk import CLIConnectionError, Transport

from bigtask.agents.protocol import SessionLost
from bigtask.core.liveness import Activity
from bigtask.process import Process
from bigtask.process.ending import how_it_ended

_SHOWN_STDERR = 2000
_EXIT_WAIT_S = 2.0
_PIECE = b'{"type":"stream_event"'
_COUNT = b'{"type":"stream_event","event":{"type":"message_'


class ProcessTransport(Transport):
    """`heard_at` is when the process last wrote a line, on the event loop's clock.

    Lines that aren't JSON objects are skipped. `read_messages` raises `SessionLost` when the process ends,
    whatever its status: a session ends by being closed, never by itself.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._closed = False
        self._decoder = msgspec.json.Decoder(dict[str, Any])
        self.heard_at = asyncio.get_running_loop().time()

    def activity(self) -> Activity:
        return self._process.activity()

    async def connect(self) -> None:
        pass

    async def write(self, data: str) -> None:
        try:
            await self._process.write(data.encode())
        except ConnectionError as error:
            raise CLIConnectionError("Claude Code doesn't read its input any more") from error

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        loop = asyncio.get_running_loop()
        async for line in self._process.lines():
            self.heard_at = loop.time()
            # Pieces of messages are many and never used: not worth decoding. What a message costs is.
            if line.startswith(_PIECE) and not line.startswith(_COUNT):
                continue
            try:
                message = self._decoder.decode(line)
            except (ValueError, RecursionError):
                continue
            yield message
        if not self._closed:
            raise await self._lost()

    async def close(self) -> None:
        self._closed = True
        self._process.close_input()

    async def end_input(self) -> None:
        self._process.close_input()

    def is_ready(self) -> bool:
        return not self._closed

    async def _lost(self) -> SessionLost:
        how = "closed its output and goes on running"
        with suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_WAIT_S):
                how = how_it_ended(await self._process.wait())
        printed = self._process.stderr_tail.decode(errors="replace").strip()
        said = f"; its standard error ends with: {printed[-_SHOWN_STDERR:]}" if printed else ""
        return SessionLost(f"Claude Code {how} in the middle of its session{said}")
