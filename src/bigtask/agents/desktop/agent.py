"""The `desktop` agent as a backend."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bigtask.agents.claude.project_rules import RULES
from bigtask.agents.desktop.application import PATIENCE_S, Application, look_over
from bigtask.agents.desktop.endpoint import DEFAULT, Endpoint, endpoint_of
from bigtask.agents.desktop.session import end_left, opened
from bigtask.agents.protocol import Availability, Opening, Session, Traits
from bigtask.errors import AgentUnavailable, InvalidInput

_SESSION_MIB = 300
"""The application starts a Claude Code of its own for each."""
_SKIPPED = frozenset({".git", "node_modules"})


class DesktopAgent:
    """All its sessions share one connection, which is there while one of them is open."""

    name = "desktop"

    def __init__(
        self, endpoint: str = DEFAULT, *, elsewhere: bool = False, patience_s: float = PATIENCE_S
    ) -> None:
        """`endpoint` as `http://HOST:PORT`, on this machine unless `elsewhere`. What is wrong with it is told
        when the agent is asked for something."""
        self._given, self._elsewhere = endpoint, elsewhere
        self._patience_s = patience_s
        self._application: Application | None = None
        self._users = 0
        digest = hashlib.sha256(endpoint.encode(errors="surrogateescape")).hexdigest()
        self.traits = Traits(
            costs_money=True,
            can_resume=True,
            project_rules=RULES,
            account=f"desktop-{digest[:16]}",
            session_mib=_SESSION_MIB,
        )

    @property
    def _endpoint(self) -> Endpoint:
        """Raises InvalidInput."""
        return endpoint_of(self._given, elsewhere=self._elsewhere)

    def availability(self) -> Availability:
        try:
            endpoint = self._endpoint
            look_over(endpoint)
        except (AgentUnavailable, InvalidInput) as error:
            return Availability(usable=False, detail=str(error))
        return Availability(
            usable=True,
            detail=f"Claude Desktop, at {endpoint.url}",
            account="the account that Claude Desktop is signed in to",
            subscription=True,
        )

    def refuses(self, *, template_id: str) -> str | None:
        return None

    @asynccontextmanager
    async def session(self, opening: Opening) -> AsyncIterator[Session]:
        """Raises AgentUnavailable where the application can't be used, or would load what it may not, and
        InvalidInput."""
        if not opening.project_settings:
            brought = await asyncio.to_thread(_brought, opening.cwd)
            if brought is not None:
                raise AgentUnavailable(
                    f"Claude Desktop loads {brought} by itself and can't be kept from it: approve what the "
                    "project brings (`bigtask approve`), or use the agent claude"
                )
        async with self._attached() as application, opened(opening, application) as session:
            yield session

    async def end_left(self, names: Sequence[str]) -> Sequence[str]:
        """Raises AgentUnavailable, SessionLost and InvalidInput."""
        async with self._attached() as application:
            return [name for name in names if await end_left(application, name)]

    @asynccontextmanager
    async def _attached(self) -> AsyncIterator[Application]:
        application = self._application
        if application is None:
            application = self._application = Application(self._endpoint, patience_s=self._patience_s)
        self._users += 1
        try:
            await application.require()
            yield application
        finally:
            self._users -= 1
            if not self._users:
                self._application = None
                await application.close()


def _brought(cwd: Path) -> str | None:
    """The first file below it that the application would load."""
    for folder, folders, files in os.walk(cwd):
        folders[:] = sorted(set(folders) - _SKIPPED)
        for name in sorted({*files} & RULES.names | {*folders} & RULES.folders):
            return str((Path(folder) / name).relative_to(cwd))
    return None
