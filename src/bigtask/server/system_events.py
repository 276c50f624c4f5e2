"""Events that belong to no run: what happens to templates. Kept in memory, for who was away shortly."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from bigtask.core.events import iso
from bigtask.templates.listed import Listed
from bigtask.templates.manager import TemplateManager

_KEPT = 1_000
_LOOK_EVERY_S = 2.0


class SystemEvents:
    """Numbered from the time in milliseconds at which the server began: a client of an earlier server that
    asks for what came after its last number gets everything that this one has."""

    def __init__(self, templates: TemplateManager) -> None:
        self._templates = templates
        self._events: deque[tuple[int, bytes]] = deque(maxlen=_KEPT)
        self.last = time.time_ns() // 1_000_000
        self._news = asyncio.Event()
        templates.list()
        templates.on("*", self._happened)

    def _happened(self, event: str, listed: Listed) -> None:
        self.last += 1
        data = {
            "id": listed.id,
            "source": listed.source.value,
            "revision": listed.revision,
            "errors": [{"pointer": pointer, "message": said} for pointer, said in listed.errors],
        }
        self._events.append((self.last, _text(self.last, event, data)))
        self._news.set()
        self._news = asyncio.Event()

    async def follow(self, after: int) -> AsyncGenerator[bytes, None]:
        """Server-sent events after number `after`. Files that somebody else changes are seen within two
        seconds."""
        while True:
            news = self._news
            for number, text in list(self._events):
                if number > after:
                    yield text
                    after = number
            if self._news is not news:
                continue
            try:
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await news.wait()
            except TimeoutError:
                self._templates.list()


def _text(number: int, event: str, data: dict[str, Any]) -> bytes:
    at = iso(time.time_ns() // 1_000_000)
    return msgspec.json.encode({"seq": number, "type": event, "orchestratorId": None, "at": at, "data": data})
