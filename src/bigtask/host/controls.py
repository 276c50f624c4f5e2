"""The handle of an attempt that is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from bigtask.agents.protocol import Session
from bigtask.host.attempt_clock import ActiveTime

_ACCOUNT = "account"


class Controls:
    """How the rest of the program reaches an attempt that is under way."""

    def __init__(self, limit_s: float) -> None:
        self.time = ActiveTime(limit_s)
        self.session: Session | None = None
        self._interruption = asyncio.Event()

    @property
    def interrupted(self) -> bool:
        return self._interruption.is_set()

    async def wait_out(self, waiting: Coroutine[Any, Any, None]) -> None:
        """For what isn't the attempt's own time; an interruption ends it. Raises what `waiting` raises."""
        self.time.stand_still(_ACCOUNT)
        work = asyncio.ensure_future(waiting)
        interruption = asyncio.ensure_future(self._interruption.wait())
        try:
            await asyncio.wait((work, interruption), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            work.cancel()
            interruption.cancel()
            await asyncio.wait((work, interruption))
            self.time.go_on(_ACCOUNT)

    async def interrupt(self) -> None:
        self._interruption.set()
        if self.session is not None:
            await self.session.interrupt()

    async def answer(self, request_id: str, answer: str) -> None:
        if self.session is not None:
            self.time.go_on(request_id)
            await self.session.answer(request_id, answer)

    async def say(self, text: str) -> None:
        if self.session is not None:
            await self.session.send(text)
