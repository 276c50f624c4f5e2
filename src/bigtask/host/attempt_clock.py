"""The clocks of an attempt: its active time, and the silence of its session. Both stand still while it waits
for a person or for its account."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum

from bigtask.core.liveness import Activity, Silence, listen

_LOOKS = 8
"""How often a session is looked at before its silence is one that counts."""
_LONGEST_LOOK_S = 15.0
_SHORTEST_S = 0.001
_LONGEST_END_S = 120.0


class Due(StrEnum):
    TIME = "time"
    SILENCE = "silence"


def end_s(limit_s: float) -> float:
    """How much time a session gets for its report when its active time is over."""
    return min(limit_s / 2, _LONGEST_END_S)


class ActiveTime:
    """Goes from `start` on, unless somebody has it stand still."""

    def __init__(self, limit_s: float) -> None:
        self._left_s = limit_s
        self._began: float | None = None
        self._started = False
        self._still: set[str] = set()
        self._moved = asyncio.Event()

    def start(self) -> None:
        self._started = True
        self._move()

    @property
    def left_s(self) -> float:
        passed = 0.0 if self._began is None else asyncio.get_running_loop().time() - self._began
        return self._left_s - passed

    @property
    def goes(self) -> bool:
        return self._began is not None

    async def wait_until_it_goes(self) -> None:
        await self._moved.wait()

    def allow(self, more_s: float) -> None:
        """Sets the active time that is left from now on."""
        self._left_s = more_s
        if self._began is not None:
            self._began = asyncio.get_running_loop().time()

    def stand_still(self, why: str) -> None:
        """Stops the time until everybody who stopped it has let it go on. `why` names who stops it."""
        self._still.add(why)
        self._left_s, self._began = self.left_s, None
        self._moved.clear()

    def go_on(self, why: str) -> None:
        self._still.discard(why)
        self._move()

    def _move(self) -> None:
        if self._started and not self._still and self._began is None:
            self._began = asyncio.get_running_loop().time()
            self._moved.set()


class Watch:
    """Looks after one session: whether its time is over, and whether it is alive while it works."""

    def __init__(self, time: ActiveTime, window_s: float) -> None:
        self._time = time
        self._window_s = window_s
        self._look_s = min(window_s / _LOOKS, _LONGEST_LOOK_S)
        self._silence = Silence()
        self._heard = False
        self.at_work = False
        """Whether it is the session's turn, so that its silence means something."""

    def hear(self) -> None:
        """The session has said something."""
        self._heard = True

    async def next(self, look: Callable[[], Activity | None]) -> Due:
        """Waits for what is due next. A silence is told once; after that the next silence begins to be
        counted."""
        loop = asyncio.get_running_loop()
        while True:
            if not self._time.goes:
                await self._time.wait_until_it_goes()
                self._silence = Silence()
            began = loop.time()
            # The time left can be too small to move the loop's clock, and then this would never end.
            await asyncio.sleep(max(_SHORTEST_S, min(self._look_s, self._time.left_s)))
            if not self._time.goes:
                continue
            if self._time.left_s <= 0:
                return Due.TIME
            self._listen(look, loop.time() - began)
            if self._silence.quiet_s >= self._window_s:
                self._silence = Silence()
                return Due.SILENCE

    def _listen(self, look: Callable[[], Activity | None], passed_s: float) -> None:
        heard, self._heard = self._heard or not self.at_work, False
        # Looking at processes is slow, and a session that talks shows by that that it is alive.
        seen = None if heard else look()
        most_s = 2 * self._look_s
        self._silence = listen(self._silence, seen, heard=heard, passed_s=passed_s, most_s=most_s)
