"""The `claude` agent as a backend. Without the extra `claude` it can say only how to install that."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

from bigtask.agents.claude.account import by_subscription, handed_on, limits_shared_by, payer
from bigtask.agents.claude.installation import HOW_TO_INSTALL, installation
from bigtask.agents.claude.project_rules import RULES
from bigtask.agents.protocol import Availability, Opening, Session, Traits
from bigtask.errors import AgentUnavailable

_NOT_INSTALLED = f"Claude Code isn't installed: {HOW_TO_INSTALL}"
_SESSION_MIB = 300
"""A long one; measured with Claude Code 2.1."""


class ClaudeAgent:
    name = "claude"

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`environ` is where the account is found, ours unless given."""
        self._environ = dict(os.environ if environ is None else environ)
        self.traits = Traits(
            costs_money=True,
            can_resume=True,
            project_rules=RULES,
            account=limits_shared_by(self._environ, home=self._home),
            session_mib=_SESSION_MIB,
        )

    @property
    def _home(self) -> Path:
        home = self._environ.get("HOME")
        return Path(home) if home else Path.home()

    def availability(self) -> Availability:
        found = installation()
        if found is None:
            return Availability(usable=False, detail=_NOT_INSTALLED, install=HOW_TO_INSTALL)
        account = payer(self._environ, home=self._home)
        if account is None:
            return Availability(
                usable=False,
                detail=f"{found.words}: nobody is signed in: run its program and sign in "
                "(`bigtask agents --json` says where it is), or set ANTHROPIC_API_KEY",
                program=str(found.cli),
            )
        return Availability(
            usable=True,
            detail=found.words,
            account=account,
            subscription=by_subscription(self._environ),
            program=str(found.cli),
        )

    def refuses(self, *, template_id: str) -> str | None:
        return None

    @asynccontextmanager
    async def session(self, opening: Opening) -> AsyncIterator[Session]:
        """Raises `AgentUnavailable` without the extra."""
        found = installation()
        if found is None:
            raise AgentUnavailable(_NOT_INSTALLED)
        # Two seconds of imports, in which nothing else here would go on.
        await asyncio.to_thread(import_module, "bigtask.agents.claude.session")
        from bigtask.agents.claude.session import opened

        environ = handed_on(self._environ)
        async with opened(opening, found, environ) as session:
            yield session
