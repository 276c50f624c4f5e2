"""A session with a child process that speaks `bigtask.agents.wire`.

Its output is untrusted: lines that aren't events are counted and skipped, and of its standard error only
the end is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from msgspec.structs import replace

from bigtask.agents.protocol import Prompt, SessionEvent, SessionLost, TurnEnded
from bigtask.agents.wire import Answered, Interrupt, Message, decode_event, encode
from bigtask.core.liveness import Activity
from bigtask.errors import Conflict
from bigtask.process import Process, running
from bigtask.process.ending import how_it_ended

_SHOWN_STDERR = 2000
_EXIT_WAIT_S = 2.0


class ChildSession:
    """One task reads a turn to its end; others may answer, send and interrupt meanwhile."""

    def __init__(self, process: Process, *, session_id: str) -> None:
        self._process = process
        self._id = session_id
        self._in_turn = False
        self._garbage = 0

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        session_id: str,
        grace_s: float = 2.0,
    ) -> AsyncIterator[ChildSession]:
        """A child with exactly this environment, ended with its whole group when the block is left: end of
        file, SIGTERM after the grace, SIGKILL after another.

        Raises `ProgramNotFound` when it can't be started.
        """
        async with running(argv, cwd=cwd, env=env, grace_s=grace_s) as process:
            session = cls(process, session_id=session_id)
            try:
                yield session
            finally:
                # A child that is well ends by itself at the end of its input; `running` ends the others.
                process.close_input()
                with suppress(TimeoutError):
                    async with asyncio.timeout(grace_s):
                        await process.wait()

    @property
    def id(self) -> str:
        return self._id

    @property
    def pid(self) -> int:
        """Also the id of the child's process group."""
        return self._process.pid

    async def turn(self, prompt: Prompt) -> AsyncIterator[SessionEvent]:
        """Raises `SessionLost` when the child exits before the turn ended, with how it ended and the end of
        its standard error, and `Conflict` when an earlier turn wasn't read to its end: its events would be
        taken for those of this one."""
        if self._in_turn:
            raise Conflict("the turn before this one hasn't ended: read it to its end first")
        question = encode(prompt)
        self._in_turn = True
        # A child that doesn't read while it talks would otherwise wait for us while we wait for it.
        asking = asyncio.create_task(self._write(question))
        try:
            async for line in self._process.lines():
                try:
                    event = decode_event(line)
                except (ValueError, RecursionError):
                    self._garbage += 1
                    continue
                if isinstance(event, TurnEnded):
                    self._in_turn = False
                    yield self._explained(event)
                    return
                yield event
        finally:
            asking.cancel()
            await asyncio.wait([asking])
        self._in_turn = False
        raise await self._lost()

    async def answer(self, request_id: str, answer: str) -> None:
        await self._write(encode(Answered(request_id=request_id, answer=answer)))

    async def send(self, text: str) -> None:
        await self._write(encode(Message(text=text)))

    async def interrupt(self) -> None:
        await self._write(encode(Interrupt()))

    def activity(self) -> Activity:
        return self._process.activity()

    async def _write(self, line: bytes) -> None:
        # A child that is gone is no error here: the turn under way finds its output ended, and says so.
        with suppress(ConnectionError):
            await self._process.write(line)

    def _explained(self, event: TurnEnded) -> TurnEnded:
        if event.reason != "error" or not self._garbage:
            return event
        return replace(event, detail=f"{event.detail} ({self._garbage_words()})".strip())

    async def _lost(self) -> SessionLost:
        how = "closed its output in the middle of a turn and goes on running"
        with suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_WAIT_S):
                how = f"{how_it_ended(await self._process.wait())} in the middle of a turn"
        parts = [f"the agent's process {how}"]
        if self._garbage:
            parts.append(self._garbage_words())
        printed = self._process.stderr_tail.decode(errors="replace").strip()
        if printed:
            parts.append(f"its standard error ends with: {printed[-_SHOWN_STDERR:]}")
        return SessionLost("; ".join(parts))

    def _garbage_words(self) -> str:
        words = f"{self._garbage} lines of its output weren't session events"
        cut = self._process.cut_lines
        return f"{words}, {cut} of them longer than 4 MiB" if cut else words
