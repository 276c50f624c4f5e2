"""Runs are taken up and let go of, and somebody asks just then."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from bigtask.core.commands import Cancel
from bigtask.host.custody import Custody
from bigtask.host.link import RunLink

from .stage import ANSWERS, Agents, Stage, tasks

LOOKS = 100


class Looked(dict[str, Any]):
    """What a custody holds; it may be looked at so often."""

    def __init__(self) -> None:
        self.left = LOOKS

    def get(self, key: str, default: Any = None) -> Any:
        self.left -= 1
        assert self.left, "it looks for ever, and nothing else gets its turn"
        return super().get(key, default)


async def test_who_asks_after_a_holder_has_ended_and_before_it_is_forgotten_waits_for_that(
    tmp_path: Path,
) -> None:
    agents = Agents({"tasks": tasks("one"), "turns": [ANSWERS]})
    folder = await Stage(tmp_path).create(agents)
    custody = Custody(agents, who="a test", closed="closed")
    custody.open()
    custody._held = held = Looked()
    waiting: list[object] = []

    async def work(link: RunLink) -> None:
        raise AssertionError("over the link of a holder that has ended")

    def ended(task: asyncio.Task[Any]) -> None:
        if task.get_name() == f"run {folder.id}":
            assert folder.id in held
            asking = custody.through(folder, work)
            try:
                waiting.append(asking.send(None))
            except AssertionError as problem:
                waiting.append(problem)
            asking.close()

    def watched(loop: asyncio.AbstractEventLoop, doing: Coroutine[Any, Any, Any], **named: Any) -> Any:
        task = asyncio.Task(doing, loop=loop, **named)
        task.add_done_callback(ended)  # before what the custody does when it ends
        return task

    loop = asyncio.get_running_loop()
    loop.set_task_factory(watched)
    try:
        await custody.carry_on(folder, Cancel())
        while not waiting:
            await custody.changed(1.0)
    finally:
        loop.set_task_factory(None)
    assert isinstance(waiting[0], asyncio.Future)
    assert folder.id not in held

    async def seen(link: RunLink) -> str:
        return "over the next one's"

    assert await custody.through(folder, seen) == "over the next one's"
    await custody.close()
