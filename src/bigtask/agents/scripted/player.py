"""Plays the turns of one session: steps become session events, files and waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from bigtask.agents.protocol import (
    Limited,
    PermissionAsked,
    Prompt,
    Reported,
    SessionEvent,
    SessionLost,
    Text,
    ToolCall,
    ToolKind,
    TurnEnded,
    UsageReported,
)
from bigtask.agents.scripted.filling import filled
from bigtask.agents.scripted.matching import Occasion, good_data, occasion_of, steps_for
from bigtask.agents.scripted.script import (
    Answer,
    Ask,
    Busy,
    Crash,
    Delay,
    End,
    Exit,
    Flood,
    Hang,
    Limit,
    Listen,
    Progress,
    Raw,
    Report,
    Say,
    Script,
    Step,
    Tool,
    Usage,
    Write,
)
from bigtask.agents.scripted.stage import Stage
from bigtask.errors import Conflict
from bigtask.protocol.fields import ANSWERS

_T = TypeVar("_T")


class _TurnOver(Exception):
    def __init__(self, ended: TurnEnded) -> None:
        super().__init__(ended.reason)
        self.ended = ended


class Player:
    """A session. `turns_played` is how many turns an earlier session that this one continues has had."""

    def __init__(
        self,
        script: Script,
        *,
        name: str,
        cwd: Path,
        stage: Stage,
        read_only: bool = False,
        turns_played: int = 0,
    ) -> None:
        self._script = script
        self._name = name
        self._cwd = cwd
        self._stage = stage
        self._read_only = read_only
        self._message = -1
        self._asked = 0
        self._answers: dict[str, asyncio.Future[str]] = {}
        self._messages: asyncio.Queue[str] = asyncio.Queue()
        self._interrupted = asyncio.Event()
        self._in_turn = False
        self._lost: SessionLost | None = None
        self.turns_played = turns_played

    @property
    def id(self) -> str:
        return self._name

    def turn(self, prompt: Prompt) -> AsyncGenerator[SessionEvent, None]:
        """Raises `Conflict` when the turn before wasn't read to its end.

        The turn begins with the call: an interruption that comes before its first event still counts.
        """
        if self._in_turn:
            raise Conflict("the turn before this one hasn't ended: read it to its end first")
        self._in_turn = True
        self._interrupted.clear()
        self.turns_played += 1
        return self._turn(prompt)

    async def _turn(self, prompt: Prompt) -> AsyncGenerator[SessionEvent, None]:
        occasion = occasion_of(prompt, session_name=self._name, turn=self.turns_played)
        steps = steps_for(self._script, occasion)
        numbers = {"ATTEMPT": occasion.attempt, "TURN": occasion.turn}
        variables = {**prompt.variables, **numbers, "NONCE": prompt.nonce}
        ended = TurnEnded()
        try:
            if self._lost is not None:
                raise self._lost
            async with aclosing(self._play(steps, prompt, occasion, variables)) as events:
                async for event in events:
                    yield event
        except _TurnOver as over:
            ended = over.ended
        except SessionLost as lost:
            self._lost = lost
            self._in_turn = False
            raise
        self._in_turn = False
        yield ended

    async def answer(self, request_id: str, answer: str) -> None:
        """An answer can cross the end of its turn: one that nothing waits for is dropped."""
        waiting = self._answers.get(request_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    async def send(self, text: str) -> None:
        self._messages.put_nowait(text)

    async def interrupt(self) -> None:
        if self._script.can_interrupt:
            self._interrupted.set()

    def activity(self) -> None:
        """It has no process of its own."""

    async def _play(
        self, steps: Sequence[Step], prompt: Prompt, occasion: Occasion, variables: dict[str, Any]
    ) -> AsyncGenerator[SessionEvent, None]:
        for step in steps:
            # A script of many quick steps must let others run, and hear an interruption.
            await asyncio.sleep(0)
            self._stop_if_interrupted()
            match step:
                case Say():
                    for piece in self._said(filled(step.text, variables), joined=step.joined):
                        yield piece
                case Answer() | Progress():
                    text, pieces = self._block(step, prompt, occasion, variables)
                    for piece in self._said(_cut(text, pieces), joined=step.joined):
                        yield piece
                case Report():
                    phase, data = self._answered(step, occasion, variables)
                    yield Reported(phase=phase, data=data)
                case Tool():
                    yield ToolCall(
                        kind=step.kind,
                        name=step.name or step.kind.value,
                        detail=filled(step.detail, variables),
                        path=filled(step.path, variables),
                    )
                case Write():
                    yield self._written(
                        filled(step.path, variables), filled(step.content, variables), step.how
                    )
                case Ask():
                    async with aclosing(self._asked_first(step, prompt, occasion, variables)) as events:
                        async for event in events:
                            yield event
                case Usage():
                    yield UsageReported(
                        input_tokens=step.input_tokens,
                        output_tokens=step.output_tokens,
                        cost_usd=step.cost_usd,
                    )
                case Limit():
                    yield Limited(kind=step.kind, reset_s=step.reset_s)
                case Listen():
                    variables["MESSAGE"] = await self._unless_interrupted(self._messages.get())
                case Delay():
                    await self._unless_interrupted(asyncio.sleep(step.seconds))
                case Busy():
                    await self._unless_interrupted(self._stage.busy(step.seconds))
                case Hang(deaf=True):
                    await self._stage.hang_deaf()
                case Hang():
                    await self._unless_interrupted(asyncio.Event().wait())
                case Exit():
                    await self._stage.exit(step.code)
                case Crash():
                    await self._stage.crash()
                case Flood():
                    await self._stage.flood(step)
                case Raw():
                    await self._stage.raw(filled(step.text, variables))
                case End():
                    raise _TurnOver(TurnEnded(reason=step.reason, detail=filled(step.detail, variables)))
        self._stop_if_interrupted()

    async def _asked_first(
        self, step: Ask, prompt: Prompt, occasion: Occasion, variables: dict[str, Any]
    ) -> AsyncGenerator[SessionEvent, None]:
        """The question, and after its answer the steps for that."""
        request_id = f"{self._name}-{self.turns_played}-{self._asked}"
        self._asked += 1
        self._answers[request_id] = asyncio.get_running_loop().create_future()
        yield PermissionAsked(
            request_id=request_id,
            question=filled(step.question, variables),
            options=step.options,
            tool=step.tool,
            subject=filled(step.subject, variables),
        )
        said = await self._unless_interrupted(_result(self._answers[request_id]))
        del self._answers[request_id]
        branch = step.allow if said == step.options[0] else step.deny
        async with aclosing(self._play(branch, prompt, occasion, variables)) as events:
            async for event in events:
                yield event

    def _stop_if_interrupted(self) -> None:
        if self._interrupted.is_set():
            raise _TurnOver(TurnEnded(reason="interrupted"))

    async def _unless_interrupted(self, waiting: Coroutine[Any, Any, _T]) -> _T:
        """The result, unless an interruption comes first."""
        work = asyncio.ensure_future(waiting)
        interruption = asyncio.ensure_future(self._interrupted.wait())
        try:
            await asyncio.wait((work, interruption), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            raise _TurnOver(TurnEnded(reason="interrupted"))
        finally:
            work.cancel()
            interruption.cancel()
            await asyncio.wait((work, interruption))

    def _said(self, text: str | list[str], *, joined: bool) -> list[Text]:
        if not joined or self._message < 0:
            self._message += 1
        pieces = [text] if isinstance(text, str) else text
        return [Text(text=piece, message=self._message) for piece in pieces]

    def _block(
        self, step: Answer | Progress, prompt: Prompt, occasion: Occasion, variables: dict[str, Any]
    ) -> tuple[str, int]:
        """The text of a block and how many pieces it comes in."""
        match step:
            case Answer():
                phase, data = self._answered(step, occasion, variables)
                before, after, pieces = (
                    filled(step.before, variables),
                    filled(step.after, variables),
                    step.pieces,
                )
                end = f"\n{self._script.end_delimiter}" if step.ended else ""
            case Progress():
                phase = "progress"
                data = {"task_id": occasion.task, "status": step.status}
                if step.percent is not None:
                    data["progress_percent"] = step.percent
                if step.action is not None:
                    data["current_action"] = filled(step.action, variables)
                before, after, pieces = "", "", 1
                end = f"\n{self._script.end_delimiter}"
        block: dict[str, Any] = {"phase": phase, "data": data}
        if step.nonce != "missing":
            block["nonce"] = prompt.nonce if step.nonce == "right" else f"not-{prompt.nonce[::-1]}"
        said = json.dumps(block, ensure_ascii=False, indent=1)
        return f"{before}{self._script.start_delimiter}\n{said}{end}{after}", pieces

    def _answered(
        self, step: Answer | Report, occasion: Occasion, variables: dict[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        phase = step.phase or ANSWERS.get(occasion.phase, occasion.phase)
        data = good_data(self._script, occasion) if step.data is None else filled(step.data, variables)
        if phase in ("completion", "progress"):
            data = {"task_id": occasion.task, **data}
        return phase, data

    def _written(self, path: str, content: str, how: str) -> ToolCall:
        if self._read_only:
            raise _TurnOver(
                TurnEnded(reason="error", detail=f"{path} can't be written: the session is read-only")
            )
        place = PurePosixPath(path)
        if place.is_absolute() or ".." in place.parts or not place.parts:
            raise _TurnOver(
                TurnEnded(reason="error", detail=f"{path!r} isn't a path below the working directory")
            )
        file = self._cwd / place
        try:
            if how == "delete":
                file.unlink()
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("a" if how == "append" else "w", encoding="utf-8") as opened:
                    opened.write(content)
        except OSError as failed:
            raise _TurnOver(
                TurnEnded(reason="error", detail=f"{path} can't be written: {failed.strerror}")
            ) from failed
        kind = ToolKind.WRITE if how == "write" else ToolKind.EDIT
        return ToolCall(kind=kind, name=how, path=path)


async def _result(future: asyncio.Future[str]) -> str:
    return await future


def _cut(text: str, pieces: int) -> list[str]:
    size = max(1, -(-len(text) // pieces))
    return [text[at : at + size] for at in range(0, len(text), size)]
