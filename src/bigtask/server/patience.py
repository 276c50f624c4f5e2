"""How long one client is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Patience:
    """Bounds what is awaited through it, one thing at a time. Most of it never waits: a timer for each would
    cost as much as sending does, so one serves for as long as there is something to bound."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._since: float | None = None
        self._task: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    async def bound(self, doing: Coroutine[Any, Any, None]) -> None:
        """Raises TimeoutError when it takes longer than the limit."""
        loop = asyncio.get_running_loop()
        task = self._task = asyncio.current_task()
        self._since = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._limit_s, self._look)
        try:
            await doing
        except asyncio.CancelledError:
            if self._over and task is not None and task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            self._since = None

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._since is None:
            return
        loop = asyncio.get_running_loop()
        left_s = self._since + self._limit_s - loop.time()
        if left_s > 0:
            self._timer = loop.call_later(left_s, self._look)
        elif self._task is not None:
            self._over = True
            self._task.cancel()
