from __future__ import annotations

import pytest

from bigtask.core import commands as c
from bigtask.core.states import Outcome, Status
from bigtask.core.summary import Summary, summary
from core.world import World, planned, started, task

MINUTE = 60_000


def summed(world: World, **more: str | None) -> Summary:
    return summary(world.run, now=world.now, held=True, account=more.get("account"))


def test_before_there_is_a_plan_there_is_no_revision_and_no_forecast() -> None:
    seen = summed(World())
    assert (seen.revision, seen.progress.total, seen.progress.eta_seconds) == (None, 0, None)


def test_every_task_is_counted_where_it_stands_and_the_forecast_is_the_middle_of_its_range() -> None:
    world = started(task("a", estimated_minutes=10), task("b", estimated_minutes=10), max_workers=1)
    world.pass_time(2 * MINUTE).complete("a")
    seen = summed(world, account="subscription")
    assert (seen.status, seen.revision, seen.cost.account) == (Status.RUNNING, 1, "subscription")
    assert (seen.progress.total, seen.progress.completed) == (2, 1)
    assert seen.progress.eta_seconds == pytest.approx(2 * (0.8 + 1.5) / 2 * 60)
    assert "cancel" in seen.allowed


def test_an_ended_run_forecasts_nothing_and_allows_nothing_of_a_running_one() -> None:
    world = planned(task("a"))
    world.ask(c.Cancel())
    seen = summed(world)
    assert (seen.outcome, seen.progress.eta_seconds) == (Outcome.CANCELLED, None)
    assert "pause" not in seen.allowed
