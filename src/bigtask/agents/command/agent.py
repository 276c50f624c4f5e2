"""An agent that is a program of the person's choice."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from bigtask.agents.arguments import project_rules, require_trust
from bigtask.agents.command.session import CommandSession, chosen_by_us
from bigtask.agents.protocol import Availability, Opening, Session, Traits
from bigtask.configuration.agent_definitions import CommandDefinition


class CommandAgent:
    """Its sessions can be continued after a crash where the program takes the session's id from us."""

    def __init__(
        self, name: str, definition: CommandDefinition, environ: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._definition = definition
        self._environ = dict(os.environ if environ is None else environ)
        self._title = definition.title or name
        self.traits = Traits(
            costs_money=definition.costs_money,
            can_resume=bool(definition.resume) and chosen_by_us(definition),
            account=name if definition.costs_money else None,
            session_mib=definition.session_mib,
            project_rules=project_rules(definition, self._title),
        )

    def availability(self) -> Availability:
        wanted = str(self._definition.argv[0])
        found = shutil.which(wanted, path=self._environ.get("PATH"))
        if found is None:
            how = self._definition.install or None
            return Availability(
                usable=False,
                detail=f"the program {wanted} isn't on PATH: {how or 'install it, or correct its argv'}",
                install=how,
            )
        return Availability(
            usable=True, detail=f"the program {wanted}, from your configuration", program=found
        )

    def refuses(self, *, template_id: str) -> str | None:
        return None

    @asynccontextmanager
    async def session(self, opening: Opening) -> AsyncIterator[Session]:
        """Raises `AgentUnavailable` where the program would load what nobody has approved."""
        await asyncio.to_thread(require_trust, self._definition, opening, self._title)
        session = CommandSession(self._definition, opening, self._environ, title=self._title)
        try:
            yield session
        finally:
            await session.stop()
