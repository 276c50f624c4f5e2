from __future__ import annotations

import pytest

from bigtask.core import commands as c
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.time_left import Stopwatch, minutes_left
from core.world import World, started, task

MINUTE = 60_000


def minutes(*tasks: float, slots: int = 1) -> World:
    made = (task(f"t{n}", estimated_minutes=figure) for n, figure in enumerate(tasks))
    return started(*made, max_workers=slots)


@pytest.mark.parametrize(
    ("tasks", "slots", "left"),
    [((10,), 1, (6, 20)), ((10, 10), 1, (12, 40)), ((10, 10), 2, (6, 20)), ((10, 2, 2), 2, (6, 20))],
)
def test_before_anything_ended_the_plan_s_own_figures_count(
    tasks: tuple[float, ...], slots: int, left: tuple[float, float]
) -> None:
    world = minutes(*tasks, slots=slots)
    assert minutes_left(world.run, world.now) == pytest.approx(left)


def test_what_has_ended_sets_the_pace_of_what_is_left() -> None:
    world = minutes(10, 10)
    world.pass_time(2 * MINUTE).complete("t0")
    assert minutes_left(world.run, world.now) == pytest.approx((2 * 0.8, 2 * 1.5))


def test_a_task_under_way_counts_for_what_it_says_is_left_and_for_a_tenth_at_least() -> None:
    world = minutes(10)
    world.open("t0")
    world.see(o.Progressed(**world.who("t0"), percent=75))
    assert minutes_left(world.run, world.now) == pytest.approx((2.5 * 0.6, 2.5 * 2))
    silent = minutes(10)
    silent.open("t0").pass_time(50 * MINUTE)
    assert minutes_left(silent.run, silent.now) == pytest.approx((0.6, 2))


def test_where_nothing_is_left_nothing_is_said() -> None:
    assert minutes_left(minutes(1).complete("t0").run, 0) is None


def test_before_there_is_a_plan_nothing_is_said() -> None:
    assert minutes_left(World().run, 0) is None


def watched(*happened: tuple[int, e.Happened]) -> Stopwatch:
    watch = Stopwatch()
    for seq, (at, data) in enumerate(happened, 1):
        watch.see(e.Event(seq, at, data))
        watch.stand(isinstance(data, e.Paused))
    return watch


@pytest.mark.parametrize(
    ("happened", "read"),
    [
        ([], 0),
        ([(0, e.Started())], 1000),
        ([(0, e.Started()), (300, e.Paused())], 300),
        ([(0, e.Started()), (300, e.Paused()), (800, e.Resumed())], 500),
        ([(0, e.Started()), (300, e.Confirmed(revision=1)), (800, e.Recovered())], 500),
    ],
)
def test_only_time_in_which_somebody_carried_the_run_out_counts(
    happened: list[tuple[int, e.Happened]], read: float
) -> None:
    assert watched(*happened).read(1000) == read


def test_the_clock_goes_on_with_the_run() -> None:
    world = minutes(1)
    watch = Stopwatch()
    for event in world.events:
        watch.see(event)
    world.ask(c.Pause())
    assert watch.read(world.now + 250) == 250
