"""Whole runs through the product, carried out by sessions behind a page in a real Chromium."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from bigtask import Options, OrchestratorModule, WorkerConfig
from bigtask.agents.offline.agent import OfflineAgent
from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of
from bigtask.core import events as e
from bigtask.core.run import Run
from desktop.setting import Setting, setting
from projects import repository

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

LIMIT_S = 200
SOURCE = {
    "shop/__init__.py": '"""A shop."""\n',
    "shop/basket.py": '"""Baskets."""\n\n\ndef total(prices: list[float]) -> float:\n    """The sum."""\n'
    "    return sum(prices)\n",
    "shop/orders/__init__.py": '"""Orders."""\n\n\nclass Order:\n    """One order."""\n',
}
TASKS = [
    {"id": "left", "title": "Left", "description": "d"},
    {"id": "right", "title": "Right", "description": "d"},
    {"id": "both", "title": "Both", "description": "d", "dependencies": ["left", "right"]},
]
WAITS = {"do": "listen"}


def module(place: Setting, home: Path) -> OrchestratorModule:
    return OrchestratorModule(
        place.agent(),
        worker=WorkerConfig(max_workers=3, spawn_delay=0, poll_interval=200),
        home=home,
        environ={},
    )


async def begun(bigtask: OrchestratorModule, project: Path, template: str = "_default") -> str:
    run = await bigtask.orchestrators.create(
        template_id=template,
        cwd=project,
        message="Do it",
        options=Options(yes=True, max_budget_usd=5, stall_after_ms=60_000),
    )
    await bigtask.orchestrators.start(run.id)
    return run.id


async def followed(bigtask: OrchestratorModule, id: str, **on: Any) -> Run:
    """The run at its end. `on` has by an event's class what is done at its first."""
    async with asyncio.timeout(LIMIT_S), aclosing(bigtask.events(id)) as events:
        async for event in events:
            act = on.pop(type(event.data).__name__, None)
            if act is not None:
                await act(event.data)
    return await bigtask.run(id)


async def test_a_project_is_documented(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", SOURCE)
    async with setting(OfflineAgent()) as place, module(place, tmp_path / "home") as bigtask:
        run = await followed(bigtask, await begun(bigtask, project.root, "documentation"))
        assert run.outcome == "complete"
        await bigtask.orchestrators.merge(run.id)
        pages = list(project.root.rglob("*.md"))
        assert any("total" in page.read_text() for page in pages)
        assert place.behind.garbled == []
        assert all(kept.id.startswith(f"local___orch_{run.id}_worker_") for kept in kept_by(place))
        assert all(kept.archived for kept in kept_by(place))


async def test_a_permission_waits_in_the_inbox(tmp_path: Path) -> None:
    ask = {"do": "ask", "question": "Run make?", "allow": [], "deny": [{"do": "end", "reason": "error"}]}
    script = {
        "process": False,
        "tasks": TASKS,
        "turns": [{"when": {"task": "left"}, "steps": [ask, {"do": "answer"}]}],
    }
    async with setting(script) as place, module(place, tmp_path / "home") as bigtask:
        id = await begun(bigtask, repository(tmp_path / "project").root)

        async def allow(happened: e.WaitingRaised) -> None:
            waiting = happened.waiting
            assert (waiting.question, waiting.task_id) == ("Run make?", "left")
            await bigtask.orchestrators.answer(id, waiting.id, "allow")

        assert (await followed(bigtask, id, WaitingRaised=allow)).outcome == "complete"


async def test_a_run_goes_on_after_a_reload_and_a_restart_in_its_middle(tmp_path: Path) -> None:
    steps = [{"do": "tool", "kind": "bash"}, {"do": "progress", "percent": 10}, {"do": "hang"}]
    broken = [{"when": {"task": task, "turn": 1}, "steps": steps} for task in ("left", "right")]
    script = {"process": False, "can_resume": True, "tasks": TASKS, "turns": broken}
    async with setting(script) as place, module(place, tmp_path / "home") as bigtask:
        id = await begun(bigtask, repository(tmp_path / "project").root)

        async def restart(_: object) -> None:
            await place.browser.tell("Page.reload")
            await until_at_work(place, 2)
            await place.browser.end()
            await place.behind.break_off()
            await place.browser.start()

        run = await followed(bigtask, id, WorkerProgress=restart)
        assert run.outcome == "complete"
        assert [len(record.attempts) for record in run.tasks.values()] == [1, 1, 1]
        assert place.behind.calls.count("start") == len(kept_by(place))


async def reload(place: Setting) -> None:
    before = place.behind.opened
    await place.browser.tell("Page.reload")
    await until(lambda: place.behind.opened > before)


async def restart(place: Setting) -> None:
    await place.browser.end()
    await place.behind.break_off()
    await place.browser.start()


async def crash(place: Setting) -> None:
    await place.browser.crash()
    await until(lambda: not place.behind.open)
    await reload(place)


DISTURBED = {
    "_worker_@planning$": reload,
    "_worker_[^@]": restart,
    "_worker_@verification$": crash,
}
WRITES = {
    "process": False,
    "tasks": [{**task, "scope": [f"{task['id']}.txt"]} for task in TASKS],
    "turns": [
        {
            "when": {"task": task["id"]},
            "steps": [
                {"do": "write", "path": f"{task['id']}.txt", "content": "{TASK_ID}\n", "how": "append"},
                {"do": "answer"},
            ],
        }
        for task in TASKS
    ],
}


@pytest.mark.parametrize("template", ["documentation", "implementation"])
async def test_a_whole_run_goes_on_after_a_reload_a_restart_and_a_crash(
    tmp_path: Path, template: str
) -> None:
    project = repository(tmp_path / "project", SOURCE)
    written = template == "implementation"
    playing = ScriptedAgent(script_of(WRITES)) if written else OfflineAgent()
    async with setting(playing) as place, module(place, tmp_path / "home") as bigtask:
        place.behind.held = {pattern: asyncio.Event() for pattern in DISTURBED}
        broken_off: set[str] = set()
        id = await begun(bigtask, project.root, template)
        async with asyncio.TaskGroup() as group:
            following = group.create_task(followed(bigtask, id))
            for pattern, disturb in DISTURBED.items():
                await until(lambda pattern=pattern: bool(at_work(place, pattern)))
                broken_off |= at_work(place, pattern) if disturb is restart else set()
                await disturb(place)
                place.behind.held[pattern].set()
        run = following.result()
        assert run.outcome == "complete"
        records = list(run.all_records())
        assert [len(record.attempts) for record in records] == [1] * len(records)
        assert all(kept.archived for kept in kept_by(place))
        assert place.behind.garbled == []
        # Every session was begun once, and told its task once; what the restart broke off, to go on.
        assert place.behind.calls.count("start") == len(kept_by(place)) == len(records)
        told = {kept.title: sum(row["type"] == "user" for row in kept.rows) for kept in kept_by(place)}
        assert broken_off
        assert told == {title: 1 + (title in broken_off) for title in told}
        await bigtask.orchestrators.merge(run.id)
        if written:
            assert {id: (project.root / f"{id}.txt").read_text() for id in run.tasks} == {
                id: f"{id}\n" for id in run.tasks
            }
        else:
            assert any("total" in page.read_text() for page in project.root.rglob("*.md"))


def at_work(place: Setting, pattern: str) -> set[str]:
    return {kept.title for kept in kept_by(place) if kept.running and re.search(pattern, kept.title)}


async def test_a_run_that_nobody_holds_any_more_is_gone_on_with_in_its_sessions(tmp_path: Path) -> None:
    steps = [{"do": "progress", "percent": 10}, {"do": "hang"}]
    script = {
        "process": False,
        "can_resume": True,
        "tasks": TASKS,
        "turns": [{"when": {"task": "left", "turn": 1}, "steps": steps}],
    }
    async with setting(script) as place:
        async with module(place, tmp_path / "home") as bigtask:
            id = await begun(bigtask, repository(tmp_path / "project").root)
            async with asyncio.timeout(LIMIT_S), aclosing(bigtask.events(id)) as events:
                async for event in events:
                    if isinstance(event.data, e.WorkerProgress):
                        break
        started = place.behind.calls.count("start")
        async with module(place, tmp_path / "home") as bigtask:
            await bigtask.orchestrators.resume(id)
            run = await followed(bigtask, id)
        assert run.outcome == "complete"
        assert len(run.tasks["left"].attempts) == 1
        assert place.behind.calls.count("start") == len(kept_by(place))
        assert started >= 3


def kept_by(place: Setting) -> list[Any]:
    return list(place.behind.sessions.values())


async def until_at_work(place: Setting, count: int) -> None:
    await until(lambda: sum(kept.running for kept in kept_by(place)) >= count)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not holds():  # noqa: ASYNC110 - it is the browser that is waited for
            await asyncio.sleep(0.02)
