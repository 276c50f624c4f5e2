"""The loop that the simulation rests on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest

from .loop import Spinning, StandStill, VirtualLoop


def on(loop: VirtualLoop, work: Coroutine[Any, Any, Any]) -> Any:
    try:
        return loop.run_until_complete(work)
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.forgive()
        loop.run_until_complete(asyncio.sleep(0.001))
        loop.close()


def order(seed: int, *, in_order: bool = False) -> list[int]:
    found: list[int] = []

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(note(number))

    async def note(number: int) -> None:
        await asyncio.sleep(0)
        found.append(number)

    on(VirtualLoop(random.Random(seed), in_order=in_order), work())
    return found


def test_days_pass_at_once() -> None:
    loop = VirtualLoop(random.Random(1))
    on(loop, asyncio.sleep(7 * 86_400))
    assert loop.time() == pytest.approx(7 * 86_400, abs=0.01)


def test_the_order_is_one_of_chance_and_the_same_for_the_same_seed() -> None:
    assert order(1) == order(1) != order(2)
    assert order(1, in_order=True) == list(range(20))


def test_a_set_of_tasks_is_gone_through_in_the_same_order_each_time() -> None:
    async def numbers() -> list[int]:
        tasks = {asyncio.create_task(asyncio.sleep(1)) for _ in range(50)}
        await asyncio.wait(tasks)
        return [hash(task) for task in tasks]

    assert on(VirtualLoop(random.Random(1)), numbers()) == on(VirtualLoop(random.Random(2)), numbers())


def test_waiting_for_nothing_is_noticed() -> None:
    with pytest.raises(StandStill):
        on(VirtualLoop(random.Random(1)), asyncio.Event().wait())


def test_going_round_and_round_is_noticed() -> None:
    async def spin() -> None:
        for _ in range(10_000):
            await asyncio.sleep(0)

    with pytest.raises(Spinning):
        on(VirtualLoop(random.Random(1), most_steps=1_000), spin())


def test_an_exception_that_nobody_took_is_noticed() -> None:
    async def forget() -> None:
        task = asyncio.create_task(fail())
        await asyncio.sleep(1)
        del task

    async def fail() -> None:
        raise ValueError("nobody hears of it")

    loop = VirtualLoop(random.Random(1))
    on(loop, forget())
    assert ["nobody hears of it" in complaint for complaint in loop.complaints] == [True]
