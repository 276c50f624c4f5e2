"""What the simulation has found, as small as it gets."""

from __future__ import annotations

import asyncio

import pytest

from bigtask.core import commands as c
from bigtask.core import observations as o
from bigtask.core.values import Task
from bigtask.errors import Conflict, HolderGone
from core.world import World, started, task

from . import mutants
from .life import Life
from .scene import LifePlan
from .world import World as Simulated


def one_rests(*tasks: Task, slots: int) -> World:
    """The first task was paused alone, and the second one has begun since."""
    world = started(*tasks, agent="patient", max_workers=slots)
    world.open(tasks[0].id)
    world.see(o.Interrupted(**world.who(tasks[0].id)))
    world.open(tasks[1].id)
    return world


def test_a_paused_task_doesnt_go_on_where_its_slot_is_taken() -> None:
    world = one_rests(task("a"), task("b"), slots=1)
    with pytest.raises(Conflict, match="every slot is taken"):
        world.ask(c.ResumeTask(task_id="a"))
    world.complete("b")
    world.ask(c.ResumeTask(task_id="a"))
    assert world.live() == ["a"]


def test_a_paused_task_doesnt_go_on_where_another_writes_in_its_place() -> None:
    world = one_rests(task("a", scope=("src/x",)), task("b", scope=("src",)), slots=2)
    with pytest.raises(Conflict, match="another task is at work"):
        world.ask(c.ResumeTask(task_id="a"))


def test_of_more_paused_tasks_than_slots_the_others_queue_when_the_run_goes_on() -> None:
    world = one_rests(task("a"), task("b"), slots=1)
    world.ask(c.Pause())
    world.see(o.Interrupted(**world.who("b")))
    world.ask(c.Resume())
    assert world.live() == ["a"]
    assert world.states() == {"a": "running", "b": "ready"}
    world.complete("a")
    assert world.live() == ["b"]
    assert world.who("b")["attempt"] == 2


def test_whoever_asked_is_answered_where_the_rules_themselves_fail() -> None:
    """The command that a holder dies of; its asker would wait for ever."""
    world = Simulated(0)

    async def ask() -> None:
        world.begin()
        life = world.life = Life(world, 1, LifePlan())
        asking = asyncio.create_task(life.holder.ask(c.Start(by="Ada")))
        carrying = asyncio.create_task(life.holder.carry_out())
        await asyncio.wait([asking], timeout=600)
        assert asking.done()
        assert isinstance(asking.exception(), HolderGone)
        await asyncio.wait([carrying])
        assert carrying.exception() is not None

    with mutants.without("spawns-what-lives"):
        try:
            world.loop.run_until_complete(ask())
        finally:
            world.loop.close()
