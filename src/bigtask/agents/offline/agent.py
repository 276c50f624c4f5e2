"""The `offline` agent as a backend: a child process for each session, like any other agent."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bigtask.agents.child import ChildSession
from bigtask.agents.protocol import Availability, Opening, Session, Traits

TEMPLATES = ("documentation",)


class OfflineAgent:
    name = "offline"
    traits = Traits(spawn_delay_ms=0)

    def availability(self) -> Availability:
        return Availability(
            usable=True, detail="writes Python documentation without a model", account="no account, no cost"
        )

    def refuses(self, *, template_id: str) -> str | None:
        if template_id in TEMPLATES:
            return None
        return (
            f"the offline agent writes documentation only, it can't do {template_id!r}: "
            "take the documentation template, or another agent (`bigtask agents` lists them)"
        )

    @asynccontextmanager
    async def session(self, opening: Opening) -> AsyncIterator[Session]:
        # -P: a module of the project that we work on must not stand in for one of ours.
        argv = (sys.executable, "-P", "-m", "bigtask.agents.offline")
        reading = ("--read-only",) if opening.read_only else ()
        async with ChildSession.start(
            (*argv, *reading), cwd=opening.cwd, env=opening.env, session_id=opening.name
        ) as child:
            yield child
