"""The SDK's transport over a process that `bigtask.process` started.

The SDK's own would leave the process in our group, and its standard error unread until it blocks.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import msgspec

from bigtask.agents.acp.heard import Heard
from bigtask.agents.protocol import SessionLost
from bigtask.process import Process
from bigtask.process.ending import how_it_ended

_SHOWN_STDERR = 2_000
_EXIT_WAIT_S = 2.0


class ProcessTransport:
    """Lines that aren't JSON objects are counted and skipped. Nothing more is read while what was heard
    waits for somebody who takes it."""

    def __init__(self, process: Process, heard: Heard, *, title: str) -> None:
        self._process = process
        self._heard = heard
        self._title = title
        self._lines = process.lines()
        self._decoder = msgspec.json.Decoder(dict[str, Any])
        self._skipped = 0

    async def send(self, message: dict[str, Any]) -> None:
        """Raises ConnectionError once the process doesn't read any more."""
        await self._process.write(msgspec.json.encode(message) + b"\n")

    async def receive(self) -> dict[str, Any] | None:
        while True:
            await self._heard.room()
            line = await anext(self._lines, None)
            if line is None:
                return None
            try:
                return self._decoder.decode(line)
            except (ValueError, RecursionError):
                self._skipped += 1

    async def close(self) -> None:
        self._process.close_input()

    async def lost(self, when: str) -> SessionLost:
        how = "closed its output and goes on running"
        with suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_WAIT_S):
                how = how_it_ended(await self._process.wait())
        parts = [f"{self._title} {how} {when}"]
        if self._skipped:
            parts.append(f"{self._skipped} lines of its output weren't messages")
        printed = self._process.stderr_tail.decode(errors="replace").strip()
        if printed:
            parts.append(f"its standard error ends with: {printed[-_SHOWN_STDERR:]}")
        return SessionLost("; ".join(parts))
