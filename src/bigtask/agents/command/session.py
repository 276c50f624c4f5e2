"""A session with a program that is started once for each turn."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress

import msgspec

from bigtask.agents.arguments import environment, filled, values
from bigtask.agents.command.records import Reading
from bigtask.agents.command.retelling import retold
from bigtask.agents.limits_told import limit_in
from bigtask.agents.protocol import (
    Opening,
    Prompt,
    SessionEvent,
    SessionLost,
    Text,
    TurnEnded,
    UsageReported,
)
from bigtask.configuration.agent_definitions import CommandDefinition
from bigtask.core.liveness import Activity
from bigtask.errors import Conflict
from bigtask.process import Process, running
from bigtask.process.ending import how_it_ended

_SHOWN = 2_000
_MOST_EARLIER = 4
_KEPT = 256 * 1024


class CommandSession:
    """A program that can't continue a session is told with each prompt what was said before. A message that
    is sent in the middle of a turn is said when the program has ended, as a further prompt of the same turn
    where the session can be continued, else before the next prompt.
    """

    def __init__(
        self, definition: CommandDefinition, opening: Opening, environ: Mapping[str, str], *, title: str
    ) -> None:
        self._definition = definition
        self._opening = opening
        self._environ = environ
        self._title = title
        self._id = opening.resume or str(uuid.uuid4())
        self._theirs: str | None = opening.resume
        """The id by which the program can continue the session, once there is one."""
        self._spent = opening.used or UsageReported()
        self._process: Process | None = None
        self._message = -1
        self._in_turn = False
        self._interrupted = False
        self._unsaid: list[str] = []
        self._earlier: list[tuple[str, str]] = []
        self._lost: SessionLost | None = None

    @property
    def id(self) -> str:
        return self._id

    def turn(self, prompt: Prompt) -> AsyncGenerator[SessionEvent, None]:
        """Raises `Conflict` when the turn before wasn't read to its end.

        The turn begins with the call: an interruption that comes before its first event still counts.
        """
        if self._in_turn:
            raise Conflict("the turn before this one hasn't ended: read it to its end first")
        self._in_turn = True
        self._interrupted = False
        return self._turn(prompt)

    async def answer(self, request_id: str, answer: str) -> None:
        """It never asks."""

    async def send(self, text: str) -> None:
        self._unsaid.append(text)

    async def interrupt(self) -> None:
        self._interrupted = True
        if self._process is not None:
            await self._process.end()

    async def stop(self) -> None:
        """A turn that wasn't read to its end leaves no program behind."""
        if self._process is not None:
            await self._process.end()

    def activity(self) -> Activity | None:
        return None if self._process is None else self._process.activity()

    async def _turn(self, prompt: Prompt) -> AsyncGenerator[SessionEvent, None]:
        if self._lost is not None:
            self._in_turn = False
            raise self._lost
        said, self._unsaid = self._unsaid, []
        text = "\n\n".join((*said, prompt.text))
        while True:
            ended = TurnEnded()
            try:
                async with aclosing(self._started(msgspec.structs.replace(prompt, text=text))) as events:
                    async for event in events:
                        if isinstance(event, TurnEnded):
                            ended = event
                        else:
                            yield event
            except SessionLost as lost:
                self._lost, self._in_turn = lost, False
                raise
            if self._unsaid and ended.reason == "end" and self._continues:
                text, self._unsaid = "\n\n".join(self._unsaid), []
                continue
            self._in_turn = False
            yield ended
            return

    @property
    def _continues(self) -> bool:
        return bool(self._definition.resume) and self._theirs is not None

    async def _started(self, prompt: Prompt) -> AsyncGenerator[SessionEvent, None]:
        """The program, once: what it says, and how it ended."""
        if self._interrupted:
            yield TurnEnded(reason="interrupted")
            return
        opening, definition = self._opening, self._definition
        filling = values(opening, self._theirs if self._continues and self._theirs else self._id)
        argv = filled(definition.resume if self._continues else definition.argv, filling, self._permissions())
        if not opening.project_settings:
            argv.extend(definition.untrusted)
        told = (
            prompt
            if self._continues
            else msgspec.structs.replace(prompt, text=retold(self._earlier, prompt.text))
        )
        reading = Reading(definition, spent=self._spent, message=self._message)
        env = environment(definition, opening, self._environ, filling)
        answer = ""
        async with running(argv, cwd=opening.cwd, env=env) as process:
            self._process = process
            asking = asyncio.create_task(self._ask(process, told))
            try:
                async for line in process.lines():
                    for event in reading.feed(line):
                        if isinstance(event, Text):
                            answer = (answer + event.text)[-_KEPT:]
                        yield event
                status = await process.wait()
            finally:
                self._process = None
                asking.cancel()
                await asyncio.wait([asking])
            printed = process.stderr_tail.decode(errors="replace").strip()[-_SHOWN:]
        self._message, self._spent = reading.message, reading.spent
        if reading.session is not None:
            self._theirs = reading.session
        elif self._chosen_by_us:
            self._theirs = self._id
        self._earlier = [*self._earlier, (prompt.text, answer)][-_MOST_EARLIER:]
        for event in self._ending(reading, status, printed):
            yield event

    def _ending(self, reading: Reading, status: int, printed: str) -> tuple[SessionEvent, ...]:
        if self._interrupted:
            return (TurnEnded(reason="interrupted"),)
        said = f"; its standard error ends with: {printed}" if printed else ""
        failed = reading.error if reading.error is not None else (printed if status else "")
        limited = limit_in(failed) if failed else None
        if limited is not None:
            return (limited, TurnEnded(reason="limited", detail=failed[:_SHOWN]))
        if reading.error is not None:
            return (
                TurnEnded(
                    reason="error", detail=reading.error[:_SHOWN] or f"{self._title} says that it failed"
                ),
            )
        if status:
            raise SessionLost(f"{self._title} {how_it_ended(status)} in the middle of a turn{said}")
        if not reading.final:
            lines = f" ({reading.skipped} lines of its output weren't JSON)" if reading.skipped else ""
            what = "without its final record" if self._definition.fields else "without an answer"
            return (TurnEnded(reason="error", detail=f"{self._title} ended {what}{lines}{said}"),)
        return (TurnEnded(),)

    @property
    def _chosen_by_us(self) -> bool:
        return chosen_by_us(self._definition)

    def _permissions(self) -> tuple[str, ...]:
        wanted = "readOnly" if self._opening.read_only else self._opening.permission_mode
        found: Mapping[str, tuple[str, ...]] = {
            str(name): argv for name, argv in self._definition.permissions.items()
        }
        return found.get(wanted, ())

    async def _ask(self, process: Process, prompt: Prompt) -> None:
        """In a task: a program that talks before it reads would wait for us while we wait for it."""
        text = prompt.text.encode(errors="replace")
        if self._definition.input == "json":
            text = msgspec.json.encode(prompt) + b"\n"
        with suppress(ConnectionError):
            await process.write(text)
        process.close_input()


def chosen_by_us(definition: CommandDefinition) -> bool:
    """Whether the program takes its session's id from us, so that it is known before it has said anything."""
    filling = filled(definition.argv, {"session": "\0"})
    return any("\0" in word for word in filling)
