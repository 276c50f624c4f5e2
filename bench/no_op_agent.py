"""An agent that does nothing but hand a workload in as the plan and say of each task that it is done.

What is left of a run's cost is bigtask's own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from bigtask.agents.protocol import (
    Availability,
    Opening,
    Prompt,
    Session,
    SessionEvent,
    Text,
    Traits,
    TurnEnded,
)
from bigtask.protocol.delimiters import END_DELIMITER, START_DELIMITER
from kit.recording import Recording
from kit.workload import Workload

NAME = "no-op"


class NoOpAgent:
    """`planned` is called in the moment before the plan is handed in."""

    name = NAME
    traits = Traits(spawn_delay_ms=0)

    def __init__(self, recording: Recording, planned: Callable[[], None] = lambda: None) -> None:
        self.recording = recording
        self.planned = planned

    def availability(self) -> Availability:
        return Availability(usable=True, detail="does nothing")

    def refuses(self, *, template_id: str) -> str | None:
        return None

    def session(self, opening: Opening) -> AbstractAsyncContextManager[Session]:
        return self._session(opening)

    @asynccontextmanager
    async def _session(self, opening: Opening) -> AsyncIterator[Session]:
        yield _NoOpSession(self, opening.name)


class _NoOpSession:
    def __init__(self, agent: NoOpAgent, id: str) -> None:
        self._agent = agent
        self.id = id

    async def turn(self, prompt: Prompt) -> AsyncIterator[SessionEvent]:
        match prompt.phase:
            case "analysis":
                answer = _block(prompt, "analysis", {"summary": "Nothing.", "recommended_splits": 1})
            case "taskPlanning":
                answer = _block(prompt, "task_list", as_plan(self._agent.recording.workload))
                self._agent.planned()
            case _:
                answer = await self._work(prompt)
        yield Text(text=answer)
        yield TurnEnded()

    async def _work(self, prompt: Prompt) -> str:
        id, recording = prompt.variables["TASK_ID"], self._agent.recording
        recording.start(id)
        duration_s = recording.workload.durations[id]
        if duration_s:
            await asyncio.sleep(duration_s)
        recording.end(id)
        return _block(prompt, "completion", {"task_id": id, "status": "success", "summary": "Done."})

    async def answer(self, request_id: str, answer: str) -> None:
        raise NotImplementedError("it never asks")

    async def send(self, text: str) -> None:
        raise NotImplementedError("nobody talks with it")

    async def interrupt(self) -> None:
        raise NotImplementedError("nobody interrupts it")


def as_plan(workload: Workload) -> Mapping[str, Any]:
    """Words are as short as the protocol lets them be: 10,000 tasks have to fit into one block. Without
    durations every task weighs the same, so that the longest remaining path is the one with most tasks."""
    return {"tasks": [_task(workload, id) for id in workload.ids]}


def _task(workload: Workload, id: str) -> Mapping[str, Any]:
    task = {"id": id, "title": id, "description": "-", "dependencies": workload.dependencies[id]}
    return {**task, "estimated_minutes": workload.durations[id] / 60} if workload.timed else task


def _block(prompt: Prompt, phase: str, data: Mapping[str, Any]) -> str:
    said = json.dumps({"phase": phase, "nonce": prompt.nonce, "data": data}, separators=(",", ":"))
    return f"{START_DELIMITER}\n{said}\n{END_DELIMITER}"
