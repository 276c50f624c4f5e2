"""What a program is called with: every event of its runs, each once, whatever callbacks do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bigtask import Options, OrchestratorModule
from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of
from bigtask.errors import Conflict, InvalidInput
from projects import repository

pytestmark = pytest.mark.integration

TASKS = [{"id": "one"}, {"id": "two"}]


def module(tmp_path: Path) -> OrchestratorModule:
    return OrchestratorModule(ScriptedAgent(script_of({"tasks": TASKS})), home=tmp_path / "home")


async def done(of: OrchestratorModule, tmp_path: Path) -> str:
    root = repository(tmp_path / "project").root
    run = await of.orchestrators.create(
        template_id="_default", cwd=root, message="Do it", options=Options(yes=True)
    )
    await of.orchestrators.start(run.id)
    async for _ in of.events(run.id):
        pass
    return run.id


async def test_a_callback_hears_each_event_of_a_run_once_and_in_order(tmp_path: Path) -> None:
    heard: list[tuple[str, int]] = []
    spawned: list[str] = []
    async with module(tmp_path) as of:
        of.on("*", lambda run, event: heard.append((run, event.seq)))
        of.on("worker:spawned", lambda run, event: spawned.append(event.data.task_id))
        id = await done(of, tmp_path)
        last = (await of.orchestrators.get(id)).seq
    assert heard == [(id, seq) for seq in range(1, last + 1)]
    assert {"one", "two"} <= set(spawned)


async def test_one_that_comes_later_hears_what_happens_from_then_on(tmp_path: Path) -> None:
    heard: list[str] = []
    async with module(tmp_path) as of:
        id = await done(of, tmp_path)
        off = of.on("*", lambda run, event: heard.append(event.type))
        await of.orchestrators.merge(id)
    assert heard == ["orchestrator:merged"]
    off()


async def test_what_a_callback_raises_harms_neither_the_run_nor_the_others(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    heard: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
    async with module(tmp_path) as of:
        of.on("orchestrator:started", lambda run, event: 1 / 0)
        of.on("orchestrator:started", lambda run, event: heard.append(event.type))
        id = await done(of, tmp_path)
        assert (await of.orchestrators.get(id)).outcome == "complete"
    assert [type(context["exception"]) for context in told] == [ZeroDivisionError]
    assert heard == ["orchestrator:started"]


async def test_events_of_templates_are_told_as_well(tmp_path: Path) -> None:
    heard: list[tuple[str, str]] = []
    async with module(tmp_path) as of:
        of.templates.list()
        of.on("template:created", lambda run, event: heard.append((run, event.type)))
        of.templates.create({"id": "mine", "name": "Mine", "extends": "_default"})
    assert heard == [("mine", "template:created")]


async def test_a_type_that_no_event_has_and_a_coroutine_are_refused(tmp_path: Path) -> None:
    async def later(id: str, event: object) -> None: ...

    of = module(tmp_path)
    with pytest.raises(InvalidInput, match="worker:completed"):
        of.on("worker:complete", print)
    with pytest.raises(InvalidInput, match="awaited"):
        of.on("*", later)


async def test_a_run_that_is_set_going_again_while_it_is_let_go_of_goes_on(tmp_path: Path) -> None:
    async with module(tmp_path) as of:
        id = await done(of, tmp_path)
        for _ in range(10):
            before = (await of.orchestrators.get(id)).seq
            await of.workers.retry(id, "one")
            async for event in of.events(id, before):
                last = event.type
            assert last == "orchestrator:completed"


async def test_who_follows_a_run_when_the_module_is_closed_is_told(tmp_path: Path) -> None:
    async with module(tmp_path) as of:
        root = repository(tmp_path / "project").root
        run = await of.orchestrators.create(template_id="_default", cwd=root, message="Do it")
        events = of.events(run.id)
        assert (await anext(events)).type == "orchestrator:created"
        waiting = asyncio.ensure_future(anext(events))
    with pytest.raises(Conflict, match="closed"):
        await waiting
