"""SIGTERM of a command that carries a run out: every process tree of its sessions ends, and the run goes on
where it was with whoever takes it up."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from claude.diamond import PATIENCE_S, Model, Place, placed, results
from claude.rows import COMPLETION
from claude.setting import needs_claude
from claude.stub import Call, Reply, Request
from process.trees import SHAPES, alive, clear, complete, new_name, script
from projects import Project

pytestmark = [pytest.mark.integration, pytest.mark.timeout(2 * PATIENCE_S)]

WITHIN_S = 5.0
RUN = (
    *("run", "implementation", "Grow trees", "--agent", "claude", "--yes", "--max-budget-usd", "5"),
    *("--permission-mode", "all", "--json"),
)


@pytest.fixture(autouse=True)
def _with_claude() -> None:
    needs_claude()


@dataclass
class Forest(Model):
    """A worker for each shape, which grows its tree and reports when that has come to an end."""

    names: dict[str, str] = field(default_factory=lambda: {shape: new_name() for shape in SHAPES})
    grows: bool = True

    def __call__(self, request: Request) -> Reply:
        if COMPLETION not in request.tools:
            fields = request.schema("StructuredOutput")["properties"]
            if "tasks" not in fields:
                return super().__call__(request)
            tasks = [
                {"id": shape, "title": shape, "description": "Grow.", "scope": [f"{shape}.txt"]}
                for shape in SHAPES
            ]
            return Reply(blocks=[Call(name="StructuredOutput", input={"tasks": tasks})])
        shape = re.findall(r"Your task is (\w+):", "\n".join(request.texts))[-1]
        with self._lock:
            self.sessions.setdefault(shape, set()).add(request.session)
        done = [given for given, _ in results(request)]
        if any("task_id" in given for given in done):
            return Reply(blocks=["That was it."])
        if self.grows:
            return Reply(blocks=[Call(name="Bash", input={"command": f"sh {shape}.sh", "timeout": 600_000})])
        if not any("content" in given for given in done):
            write = {"file_path": f"{shape}.txt", "content": shape}
            return Reply(blocks=[Call(name="Write", input=write)])
        said = {"task_id": shape, "status": "success", "summary": "grown", "output_files": [f"{shape}.txt"]}
        return Reply(blocks=[Call(name=COMPLETION, input=said)])

    def grown(self) -> bool:
        return all(complete(shape, name) for shape, name in self.names.items())

    def left(self) -> dict[str, list[int]]:
        return {shape: found for shape, name in self.names.items() if (found := alive(name))}


@contextmanager
def planted(model: Forest) -> Iterator[Place]:
    with placed(model) as place:
        project: Project = place.project
        for shape, name in model.names.items():
            (project.root / f"{shape}.sh").write_text(script(shape, name))
        project.git("add", "-A")
        project.git("commit", "-q", "-m", "trees")
        try:
            yield place
        finally:
            for name in model.names.values():
                clear(name)


async def grow(model: Forest) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not model.grown():  # noqa: ASYNC110 - processes begin without telling us
            await asyncio.sleep(0.05)


async def terminated(place: Place, model: Forest, *arguments: str) -> None:
    """Nothing is left soon after, and the command says how it goes on."""
    async with place.begun(*arguments) as process:
        reading = asyncio.create_task(process.communicate())
        await grow(model)
        await ends(place, model, process)
        _, said = await reading
    assert process.returncode == 130
    assert b"bigtask resume last" in said


async def ends(place: Place, model: Forest, process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGTERM)
    since = time.monotonic()
    async with asyncio.timeout(WITHIN_S):
        await process.wait()
    while model.left() or place.processes():
        assert time.monotonic() - since < WITHIN_S, (model.left(), place.processes())
        await asyncio.sleep(0.05)


async def served_and_terminated(place: Place, model: Forest) -> None:
    """The server takes the run up: it goes on when the command that asked for it ends."""
    async with place.begun("serve", "--port", "0") as server:
        assert server.stdout is not None
        async for line in server.stdout:
            if b"serves at" in line:
                break
        status, _, said = await place.bigtask("resume", "last")
        assert status == 0, said
        await grow(model)
        await ends(place, model, server)


async def test_a_terminated_command_leaves_no_process_and_a_run_that_goes_on() -> None:
    model = Forest()
    with planted(model) as place:
        await terminated(place, model, *RUN)
        first = {shape: set(sessions) for shape, sessions in model.sessions.items()}
        await terminated(place, model, "resume", "last", "--json")
        await served_and_terminated(place, model)
        model.grows = False
        status, out, err = await place.bigtask("resume", "last", "--json")
        assert status == 0, err
        events: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
        assert events[-1]["outcome"] == "complete"
        # In the same sessions: they know what they had begun.
        assert model.sessions == first
        assert place.processes() == {}
