"""An agent of the Agent Client Protocol as a backend. Without the extra `acp` it can say only how to install
that."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec

from bigtask.agents.arguments import project_rules, require_trust
from bigtask.agents.protocol import Availability, Opening, Session, Traits
from bigtask.configuration.agent_definitions import AcpDefinition
from bigtask.errors import AgentUnavailable

_EXTRA = "pip install 'bigtask[acp]'"


class AcpAgent:
    def __init__(
        self, name: str, definition: AcpDefinition, environ: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._definition = definition
        self._environ = dict(os.environ if environ is None else environ)
        self._title = definition.title or name
        self.traits = Traits(
            costs_money=definition.costs_money,
            can_resume=definition.resume,
            account=name if definition.costs_money else None,
            session_mib=definition.session_mib,
            project_rules=project_rules(definition, self._title),
        )

    def availability(self) -> Availability:
        wanted = str(self._definition.argv[0])
        found = shutil.which(wanted, path=self._environ.get("PATH"))
        if found is None:
            install = self._definition.install or None
            if install is not None and find_spec("acp") is None:
                install = f"{install} && {_EXTRA}"
            how = install or "install it, or correct its argv"
            return Availability(
                usable=False, detail=f"the program {wanted} isn't on PATH: {how}", install=install
            )
        if find_spec("acp") is None:
            return Availability(
                usable=False,
                detail=f"{self._title} is there, and bigtask lacks its SDK: {_EXTRA}",
                program=found,
                install=_EXTRA,
            )
        return Availability(
            usable=True, detail=f"{self._title} over the Agent Client Protocol", program=found
        )

    def refuses(self, *, template_id: str) -> str | None:
        return None

    @asynccontextmanager
    async def session(self, opening: Opening) -> AsyncIterator[Session]:
        """Raises `AgentUnavailable` without the extra, and where the agent would load what nobody has
        approved."""
        if find_spec("acp") is None:
            raise AgentUnavailable(f"{self._title} needs the SDK of the Agent Client Protocol: {_EXTRA}")
        await asyncio.to_thread(require_trust, self._definition, opening, self._title)
        await asyncio.to_thread(import_module, "bigtask.agents.acp.session")
        from bigtask.agents.acp.session import opened

        async with opened(opening, self._definition, self._environ, title=self._title) as session:
            yield session
