"""The command is killed in the middle of a run whose sessions are the application's: they are found again."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bigtask.agents.protocol import Agent, Opening, Prompt
from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of
from bigtask.core.states import Phase
from bigtask.core.values import RESERVED
from desktop.behind import Behind, Kept
from desktop.chromium import browsing
from projects import ENV, repository

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

LIMIT_S = 120
KILLED = Path(__file__).with_name("killed_unrecorded.py")
SCRIPT: dict[str, Any] = {
    "process": False,
    "can_resume": True,
    "tasks": [
        {"id": "left", "title": "Left", "description": "d"},
        {"id": "right", "title": "Right", "description": "d"},
        {"id": "both", "title": "Both", "description": "d", "dependencies": ["left", "right"]},
    ],
    "turns": [
        {
            "when": {"task": "left", "turn": 1},
            "steps": [
                {
                    "do": "ask",
                    "question": "Run make?",
                    "allow": [],
                    "deny": [{"do": "end", "reason": "error"}],
                },
                {"do": "answer"},
            ],
        },
        # At work until the test says so.
        {"when": {"task": "right", "turn": 1}, "steps": [{"do": "listen"}, {"do": "answer"}]},
    ],
}


class Reading(Behind):
    """Understands a prompt by its text and its session's name: the command is a program of its own."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(agent)
        self.asked: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.twice: list[str] = []
        """Tasks that were begun while another session was at work for them."""
        self.looks_until_it_ends = 0
        """How often one has to look at a session that was interrupted until it has stopped."""
        self._ending: list[Any] | None = None

    async def _answer(self, name: str, arguments: list[Any]) -> Any:
        if name == "interrupt" and self.looks_until_it_ends:
            self._ending = arguments
            return None
        if self._ending is not None and name in ("getSession", "getAll"):
            self.looks_until_it_ends -= 1
            if not self.looks_until_it_ends:
                ending, self._ending = self._ending, None
                await super()._answer("interrupt", ending)
        return await super()._answer(name, arguments)

    def _begin(self, kept: Kept, text: str) -> None:
        task = task_of(kept)
        if any(other.running and task_of(other) == task for other in self.sessions.values() if other != kept):
            self.twice.append(task)
        nonce = re.findall(r'to be copied into "nonce": (\S+)', text)[-1]
        phase = RESERVED.get(task, Phase.WORKER_EXECUTION).value
        variables = {"TASK_ID": task, "CWD": kept.cwd}
        prompt = Prompt(text=text, phase=phase, variables=variables, nonce=nonce)
        self.understands[kept.title] = (Opening(name=kept.title, cwd=Path(kept.cwd), env={}), prompt)
        super()._begin(kept, text)
        self.asked[task].set()


def task_of(kept: Kept) -> str:
    return re.sub(r"_r\d+$", "", kept.title.partition("_worker_")[2])


class Desk:
    def __init__(self, folder: Path, endpoint: str) -> None:
        self.project = repository(folder / "project").root
        self.env = {
            **ENV,
            "HOME": str(folder),
            "BIGTASK_HOME": str(folder / "home"),
            "BIGTASK_CONFIG": "/dev/null",
            "BIGTASK_SPAWN_DELAY": "0",
            "BIGTASK_DESKTOP_ENDPOINT": endpoint,
        }

    @asynccontextmanager
    async def begun(
        self, *arguments: str, program: tuple[str, ...] = ("-P", "-m", "bigtask")
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *program, *arguments),
            cwd=self.project,
            env=self.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=2**24,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def bigtask(self, *arguments: str) -> tuple[int, str, str]:
        async with self.begun(*arguments) as process, asyncio.timeout(LIMIT_S):
            out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


async def heard(process: asyncio.subprocess.Process, **wanted: int) -> None:
    """Until it has told of so many events of each kind, by the last part of its type."""
    assert process.stdout is not None
    async with asyncio.timeout(LIMIT_S):
        async for line in process.stdout:
            kind = json.loads(line).get("type", "").rpartition(":")[2]
            wanted[kind] = wanted.get(kind, 0) - 1
            if max(wanted.values()) <= 0:
                return
    raise AssertionError(f"it ended without {wanted}")


async def test_sessions_are_found_again_and_nothing_is_begun_or_asked_twice(tmp_path: Path) -> None:
    application = Reading(ScriptedAgent(script_of(SCRIPT)))
    async with application.serving(), browsing(application.port) as browser:
        desk = Desk(tmp_path, browser.url)
        run = ("run", "_default", "Do it", "--agent", "desktop", "--yes", "--max-budget-usd", "5", "--json")
        async with desk.begun(*run) as process:
            # The run, analysis, planning and two tasks: what isn't open yet has no session to find.
            await heard(process, started=5, waiting=2)
            # A session is open a moment before it is asked.
            await asyncio.wait_for(application.asked["right"].wait(), LIMIT_S)
            process.kill()
            assert await process.wait() == -signal.SIGKILL
        assert not application.calls.count("interrupt")
        async with desk.begun("resume", "last", "--json") as process:
            await heard(process, resumed=2, started=2, waiting=2)
            items = json.loads((await desk.bigtask("inbox", "--json"))[1])["waiting"]
            (item,) = items
            assert (item["kind"], item["taskId"]) == ("permission", "left")
            assert (await desk.bigtask("answer", "last", item["id"], "allow"))[0] == 0
            (right,) = [kept for kept in application.sessions.values() if kept.title.endswith("right")]
            assert right.talk is not None
            await right.talk.send("go")
            async with asyncio.timeout(LIMIT_S):
                _, err = await process.communicate()
            assert process.returncode == 0, err.decode()
        require_once(application, await told(desk))


@pytest.mark.parametrize("task", ["@planning", "left"])
async def test_a_session_that_had_begun_before_that_was_recorded_is_ended(tmp_path: Path, task: str) -> None:
    listens = [{"do": "listen"}, {"do": "write", "path": "late.txt", "content": "late"}, {"do": "answer"}]
    turns = [{"when": {"task": task, "attempt": 1}, "steps": listens}]
    script = {**SCRIPT, "tasks": SCRIPT["tasks"][:1], "turns": turns}
    application = Reading(ScriptedAgent(script_of(script)))
    async with application.serving(), browsing(application.port) as browser:
        desk = Desk(tmp_path, browser.url)
        begun = tmp_path / "begun"
        killing = ("-P", str(KILLED), task, str(begun))
        run = ("run", "_default", "Do it", "--agent", "desktop", "--yes", "--max-budget-usd", "5", "--json")
        async with desk.begun(*run, program=killing) as process:
            await asyncio.wait_for(application.asked[task].wait(), LIMIT_S)
            begun.touch()
            assert await asyncio.wait_for(process.wait(), LIMIT_S) == -signal.SIGKILL
        (left,) = [kept for kept in application.sessions.values() if kept.title.endswith(f"_{task}")]
        assert left.running
        application.looks_until_it_ends = 10
        status, _, err = await desk.bigtask("resume", "last", "--json")
        assert status == 0, err
        assert (left.running, left.archived) == (False, True)
        assert all(kept.archived for kept in application.sessions.values())
        assert application.twice == []
        spawned = [event["data"] for event in await told(desk) if event["type"] == "worker:spawned"]
        assert [one["attempt"] for one in spawned if one["taskId"] == task] == [1, 2]
        assert {one["attempt"] for one in spawned if one["taskId"] != task} == {1}, spawned


def require_once(application: Behind, events: list[dict[str, Any]]) -> None:
    """Every session was started once and asked once; no attempt was lost."""
    spawned = [
        (one["data"]["taskId"], one["data"]["attempt"]) for one in events if one["type"] == "worker:spawned"
    ]
    assert len(spawned) == len(set(spawned)) == len(application.sessions)
    assert {number for _, number in spawned} == {1}
    assert application.calls.count("start") == len(application.sessions)
    prompts = {
        kept.title: sum(row["type"] == "user" for row in kept.rows) for kept in application.sessions.values()
    }
    # What a session was doing when nobody listened is said once more in its next turn, under a new nonce.
    found_again = {title for title in prompts if title.endswith(("_left", "_right"))}
    assert {title for title, count in prompts.items() if count != 1} == found_again, prompts
    assert all(prompts[title] == 2 for title in found_again), prompts
    assert application.calls.count("respondToToolPermission") == 1
    assert application.garbled == []
    assert all(kept.archived for kept in application.sessions.values())


async def told(desk: Desk) -> list[dict[str, Any]]:
    status, out, _ = await desk.bigtask("logs", "last", "--json")
    assert status == 0
    return [json.loads(line) for line in out.splitlines()]
