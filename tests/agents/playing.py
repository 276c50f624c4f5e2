"""A script played by a program of its own: what the in-tree programs of the suite share."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from pathlib import Path

from bigtask.agents.scripted.player import Player
from bigtask.agents.scripted.script import Flood, Script, script_of


class RealStage:
    """Where every fault is real."""

    async def exit(self, code: int) -> None:
        sys.stdout.flush()
        os._exit(code)

    async def crash(self) -> None:
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    async def flood(self, step: Flood) -> None:
        to = 1 if step.stream == "stdout" else 2
        line = b"x" * 120 + (b"\n" if step.lines else b"")
        rest = memoryview(line * (step.bytes // len(line)) + b"\n")
        while rest:
            select.select([], [to], [])
            rest = rest[os.write(to, rest[:4096]) :]

    async def raw(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    async def busy(self, seconds: float) -> None:
        raise NotImplementedError

    async def hang_deaf(self) -> None:
        raise NotImplementedError


def script_from(path: str) -> Script:
    return script_of(json.loads(Path(path).read_text(encoding="utf-8")))


class Kept:
    """How many turns a session has had, in a file of its home, as real agents keep their sessions."""

    def __init__(self, session: str) -> None:
        self._path = Path(os.environ["HOME"], f"session-{session}")

    @property
    def turns(self) -> int | None:
        """None for one that nobody has begun."""
        try:
            return int(self._path.read_text())
        except FileNotFoundError:
            return None

    def set(self, turns: int) -> None:
        self._path.write_text(str(turns))


def player(script: Script, session: str, *, turns: int, cwd: str | None = None, read_only: bool) -> Player:
    return Player(
        script,
        name=session,
        cwd=Path(cwd) if cwd is not None else Path.cwd(),
        stage=RealStage(),
        read_only=read_only,
        turns_played=turns,
    )
