"""Where a script is played, for the steps whose effect depends on it: what can be lost, killed or flooded."""

from __future__ import annotations

import asyncio
from typing import Protocol

from bigtask.agents.protocol import SessionLost
from bigtask.agents.scripted.script import Flood


class Stage(Protocol):
    async def exit(self, code: int) -> None: ...

    async def crash(self) -> None: ...

    async def flood(self, step: Flood) -> None: ...

    async def raw(self, text: str) -> None: ...

    async def busy(self, seconds: float) -> None:
        """Works that long, and says nothing."""

    async def hang_deaf(self) -> None:
        """Returns never: only SIGKILL ends it, or a cancellation where there is no process to kill."""


class InProcess:
    """Losing the session is all that can happen here."""

    async def exit(self, code: int) -> None:
        raise SessionLost(f"the agent exited with status {code} in the middle of a turn, as its script says")

    async def crash(self) -> None:
        raise SessionLost("the agent was ended by SIGKILL in the middle of a turn, as its script says")

    async def flood(self, step: Flood) -> None:
        pass

    async def raw(self, text: str) -> None:
        pass

    async def busy(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def hang_deaf(self) -> None:
        await asyncio.Event().wait()
