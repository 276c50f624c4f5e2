"""The `scripted` agent: sessions in this process, or each in a child process of its own."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from bigtask.agents.child import ChildSession
from bigtask.agents.protocol import Availability, Opening, Prompt, Session, SessionEvent, Traits
from bigtask.agents.scripted.player import Player
from bigtask.agents.scripted.script import Script
from bigtask.agents.scripted.stage import InProcess


class ScriptedAgent:
    """A session's id is its opening's name, and that of the session it resumes where it resumes one. A
    resumed session counts its turns on; an agent object that didn't open it itself starts at turn 1."""

    def __init__(self, script: Script, *, name: str = "scripted") -> None:
        self._script = script
        self._name = name
        self._turns: dict[str, int] = {}

    @property
    def name(self) -> str:
        return self._name

    @property
    def traits(self) -> Traits:
        return Traits(
            costs_money=self._script.costs_money,
            can_interrupt=self._script.can_interrupt,
            can_resume=self._script.can_resume,
            spawn_delay_ms=0,
            account=self._script.account,
            session_mib=self._script.session_mib,
        )

    def availability(self) -> Availability:
        if self._script.unavailable is not None:
            return Availability(usable=False, detail=self._script.unavailable)
        return Availability(usable=True, detail="plays a script, without a model")

    def refuses(self, *, template_id: str) -> str | None:
        return self._script.refuses.get(template_id)

    @asynccontextmanager
    async def session(self, opening: Opening) -> AsyncIterator[Session]:
        resumed = opening.resume if self._script.can_resume else None
        name = resumed or opening.name
        played = self._turns.get(name, 0) if resumed else 0
        if not self._script.process:
            player = Player(
                self._script,
                name=name,
                cwd=opening.cwd,
                stage=InProcess(),
                read_only=opening.read_only,
                turns_played=played,
            )
            try:
                yield player
            finally:
                self._turns[name] = player.turns_played
            return
        with tempfile.TemporaryDirectory(prefix="bigtask-script-") as folder:
            file = Path(folder, "script.json")
            file.write_bytes(msgspec.json.encode(self._script))
            options = [f"--name={name}", f"--turns-played={played}"]
            if opening.read_only:
                options.append("--read-only")
            # -P: a module of the project that we work on must not stand in for one of ours.
            argv = [sys.executable, "-P", "-m", "bigtask.agents.scripted", *options, str(file)]
            async with ChildSession.start(argv, cwd=opening.cwd, env=opening.env, session_id=name) as child:
                counted = _Counted(child, played)
                try:
                    yield counted
                finally:
                    self._turns[name] = counted.turns_played


class _Counted:
    """A child's session with the count of its turns, which is lost with the child otherwise."""

    def __init__(self, session: Session, turns_played: int) -> None:
        self._session = session
        self.turns_played = turns_played
        self.answer = session.answer
        self.send = session.send
        self.interrupt = session.interrupt
        self.activity = session.activity

    @property
    def id(self) -> str:
        return self._session.id

    def turn(self, prompt: Prompt) -> AsyncIterator[SessionEvent]:
        self.turns_played += 1
        return self._session.turn(prompt)
