"""Agents that do what an agent may do, good or bad: each session is of another mind."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec

from bigtask.agents.protocol import (
    Availability,
    Limited,
    Opening,
    PermissionAsked,
    Prompt,
    SessionEvent,
    SessionLost,
    Text,
    ToolCall,
    ToolKind,
    Traits,
    TurnEnded,
    UsageReported,
)
from bigtask.core.states import Phase
from bigtask.errors import AgentUnavailable
from bigtask.protocol.delimiters import END_DELIMITER, START_DELIMITER
from bigtask.protocol.fields import ANSWERS

from .repository import key_of
from .scene import DEAF, PATIENT

if TYPE_CHECKING:
    from .life import Life

_RESERVED = {
    Phase.ANALYSIS: "@analysis",
    Phase.TASK_PLANNING: "@planning",
    Phase.AGGREGATION: "@aggregation",
    Phase.VERIFICATION: "@verification",
}
_BAD = ("nonsense", "foreign", "error", "lost", "hang", "deaf", "cut", "failed", "partial", "invalid")


class SimulatedAgent:
    def __init__(self, name: str, life: Life) -> None:
        self._name = name
        self._life = life

    @property
    def name(self) -> str:
        return self._name

    @property
    def traits(self) -> Traits:
        return Traits(can_interrupt=self._name != DEAF, can_resume=self._name == PATIENT)

    def availability(self) -> Availability:
        return Availability(usable=True, detail="simulated")

    def refuses(self, *, template_id: str) -> str | None:
        return None

    @asynccontextmanager
    async def session(self, opening: Opening) -> AsyncIterator[SimulatedSession]:
        life = self._life
        task_id, attempt = who(opening.name)
        life.referee.opens(life.number, task_id, attempt)
        try:
            await life.takes(0.2)
            if life.goes_wrong(life.temper.agents / 10):
                raise AgentUnavailable("it can't be reached")
            yield SimulatedSession(opening, task_id, attempt, life)
        finally:
            # Its processes need a moment to end.
            try:
                if life.alive:
                    await life.takes(0.2)
            finally:
                life.referee.closes(life.number, task_id, attempt)


def who(session_name: str) -> tuple[str, int]:
    """Task and attempt, from the name that the core gives a session."""
    _, _, task = session_name.partition("_worker_")
    id, _, again = task.rpartition("_r")
    return (id, int(again) + 1) if id else (task, 1)


class SimulatedSession:
    def __init__(self, opening: Opening, task_id: str, attempt: int, life: Life) -> None:
        self._opening = opening
        self._task_id = task_id
        self._attempt = attempt
        self._life = life
        self._chance: random.Random = life.chance
        self._interrupted = asyncio.Event()
        self._answers: dict[str, asyncio.Future[str]] = {}
        self._used = self._chance.randint(1, 100)
        self._stubborn = ""
        """What it does in every turn from now on."""

    @property
    def id(self) -> str:
        return self._opening.resume or f"s {self._opening.name}"

    async def answer(self, request_id: str, answer: str) -> None:
        await self._life.takes(0.05)
        future = self._answers.get(request_id)
        if future is not None and not future.done():
            future.set_result(answer)

    async def send(self, text: str) -> None:
        await self._life.takes(0.05)

    async def interrupt(self) -> None:
        await self._life.takes(0.05)
        self._interrupted.set()
        for question in self._answers.values():
            if not question.done():
                question.set_result("interrupted")

    def activity(self) -> None:
        """Nothing that could be seen from outside."""

    async def turn(self, prompt: Prompt) -> AsyncIterator[SessionEvent]:
        chance, life = self._chance, self._life
        fate = self._stubborn or (chance.choice(_BAD) if life.goes_wrong(life.temper.agents) else "good")
        if fate == "nonsense" and chance.random() < 0.5:
            self._stubborn = fate
        if chance.random() < 0.7:
            self._write()
        for _ in range(chance.choice((0, 1, 1, 2, 4))):
            await life.takes(4.0)
            if self._interrupted.is_set() and fate != "deaf":
                self._interrupted.clear()
                yield TurnEnded(reason="interrupted")
                return
            for event in self._something(prompt):
                yield event
                if isinstance(event, PermissionAsked):
                    await self._answers[event.request_id]
        if fate in ("hang", "deaf"):
            if fate == "hang":
                await self._interrupted.wait()
                self._interrupted.clear()
                yield TurnEnded(reason="interrupted")
                return
            await asyncio.Event().wait()
        if fate == "lost":
            raise SessionLost("its process ended")
        if fate == "error":
            yield TurnEnded(reason="error", detail=f"{self._task_id} by attempt {self._attempt}")
            return
        yield UsageReported(input_tokens=self._used, output_tokens=1)
        yield Text(text=self._last_words(prompt, fate), message=9)
        yield TurnEnded(reason="max_tokens" if fate == "cut" else "end")

    def _something(self, prompt: Prompt) -> list[SessionEvent]:
        """What an agent does while it works."""
        chance = self._chance
        match chance.randrange(8):
            case 0 | 1:
                self._write()
                return [ToolCall(kind=ToolKind.WRITE, name="Write", path="a.txt")]
            case 2 if prompt.phase == Phase.WORKER_EXECUTION:
                data = {"task_id": self._task_id, "status": "in_progress", "progress_percent": 50}
                return [Text(text=_block("progress", data, prompt.nonce))]
            case 3:
                self._used += chance.randint(1, 100)
                return [UsageReported(input_tokens=self._used)]
            case 4 if chance.random() < 0.5:
                request_id = f"q{len(self._answers) + 1}"
                self._answers[request_id] = asyncio.get_running_loop().create_future()
                return [PermissionAsked(request_id=request_id, question=f"may I {chance.randint(1, 3)}?")]
            case 5 if chance.random() < 0.5:
                return [Limited(kind="rate", reset_s=chance.choice((None, 5.0)))]
            case _:
                return [Text(text="I am working. ", message=chance.randint(0, 3))]

    def _write(self) -> None:
        key = key_of(PurePosixPath(self._opening.cwd))
        if key is not None and not self._opening.read_only:
            self._life.write(key)

    def _last_words(self, prompt: Prompt, fate: str) -> str:
        if fate == "nonsense":
            return "I would rather talk about the weather."
        block = ANSWERS[prompt.phase]
        nonce = "another" if fate == "foreign" else prompt.nonce
        said = _block(block, self._data(prompt.phase, fate), nonce)
        return said[: len(said) // 2] if fate == "cut" else said

    def _data(self, phase: str, fate: str) -> dict[str, Any]:
        summary = f"{_RESERVED.get(Phase(phase), self._task_id)} by attempt {self._attempt}"
        match phase:
            case Phase.ANALYSIS:
                return {"summary": summary, "recommended_splits": 3}
            case Phase.TASK_PLANNING:
                tasks: list[dict[str, Any]] = list(self._life.scene.tasks)
                if fate == "invalid":
                    tasks[0] = {**tasks[0], "dependencies": ["nobody"]}
                return {"tasks": tasks}
            case Phase.AGGREGATION:
                return {"status": "failed" if fate == "failed" else "success", "summary": summary}
            case Phase.VERIFICATION:
                if fate not in ("failed", "partial"):
                    return {"status": "passed", "summary": summary}
                issue = {"severity": "error", "description": "it doesn't work"}
                return {"status": "failed", "summary": summary, "issues": [issue]}
            case _:
                status = fate if fate in ("failed", "partial") else "success"
                error = {"error": summary} if status == "failed" else {}
                return {"task_id": self._task_id, "status": status, "summary": summary, **error}


def _block(phase: str, data: dict[str, Any], nonce: str) -> str:
    said = msgspec.json.encode({"phase": phase, "data": data, "nonce": nonce}).decode()
    return f"{START_DELIMITER}\n{said}\n{END_DELIMITER}"
