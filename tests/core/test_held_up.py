"""What holds an attempt up: it has stalled, its account is limited, its time is over, a slot is missing."""

from __future__ import annotations

import pytest

from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.gate import Held
from bigtask.core.run import Attempt
from core.world import World, started, task

HOUR = 3_600_000
WHO = {"task_id": "a", "attempt": 1}


def at_work() -> World:
    return started(task("a"), task("b"), max_workers=2).open("a").open("b")


def attempt(world: World, id: str = "a") -> Attempt:
    return world.run.tasks[id].attempts[0]


def test_one_that_stalled_and_speaks_again_runs_again() -> None:
    world = at_work()
    world.see(o.Stalled(**WHO, quiet_ms=3_000))
    assert (attempt(world).state, attempt(world).quiet_since) == ("stalled", world.now - 3_000)
    (went_on,) = world.see(o.WentOn(**WHO))
    assert went_on.after == "stall"  # type: ignore[attr-defined]  # WorkerWentOn
    assert attempt(world).state == "running"
    assert world.see(o.WentOn(**WHO)) == ()


def test_progress_ends_a_stall_too() -> None:
    world = at_work()
    world.see(o.Stalled(**WHO, quiet_ms=3_000))
    world.see(o.Progressed(**WHO, action="reads"))
    assert attempt(world).state == "running"


def test_a_stall_that_is_over_settles_no_limit() -> None:
    world = at_work()
    world.see(o.Limited(**world.who("b"), kind="usage", reset_ms=5 * HOUR))
    assert world.run.waiting
    world.see(o.Stalled(**WHO, quiet_ms=3_000))
    world.see(o.WentOn(**WHO))
    assert world.run.waiting
    (went_on,) = world.see(o.WentOn(**world.who("b")))
    assert went_on.after == "limit"  # type: ignore[attr-defined]  # WorkerWentOn
    assert not world.run.waiting


def test_that_its_time_is_up_is_kept_with_the_attempt() -> None:
    world = at_work()
    world.see(o.TimeUp(**WHO, limit_ms=300_000))
    assert attempt(world).time_up
    assert attempt(world).state == "running"
    assert not attempt(world, "b").time_up


@pytest.mark.parametrize(
    ("held", "seen"),
    [
        (Held(about="limit", why="x", until=7, kind="rate"), o.Limited(**WHO, kind="rate", reset_ms=500)),
        (Held(about="machine", why="all are taken"), o.Held(**WHO, reason="all are taken")),
    ],
)
def test_what_is_seen_of_one_that_is_held_back(held: Held, seen: o.Observation) -> None:
    assert o.held_up(held, 500, **WHO) == seen


def test_the_same_is_told_once_whatever_its_figures() -> None:
    little = Held(about="memory", why="200 MiB are free")
    assert little.new_after(())
    assert not Held(about="memory", why="201 MiB are free").new_after([little])
    assert Held(about="machine", why="all are taken").new_after([little])


def test_another_end_of_a_limit_is_told() -> None:
    limit = Held(about="limit", why="x", until=10_000, kind="rate")
    assert not Held(about="limit", why="x", until=11_000, kind="rate").new_after([limit])
    later = Held(about="limit", why="x", until=40_000, kind="rate")
    assert later.new_after([limit])
    assert not later.new_after([limit, later])
    assert not Held(about="limit", why="x", kind="rate").new_after([limit])
    assert limit.new_after([Held(about="limit", why="x", kind="rate")])


def test_whoever_has_begun_is_not_shown_as_held_back() -> None:
    world = started(task("t0"))
    world.record(e.WorkerHeld(**world.who("t0"), reason="waits for a slot"))
    shown = world.run.tasks["t0"].attempt
    assert shown is not None
    assert shown.action == "waits for a slot"
    world.open("t0")
    world.see(o.Progressed(**world.who("t0"), action="reads"))
    world.record(e.WorkerHeld(**world.who("t0"), reason="waits for a slot"))
    assert world.run.tasks["t0"].attempt is shown
    assert shown.action == "reads"
