"""Limits of accounts: told when they are short, a person's choice when they last for hours."""

from __future__ import annotations

from typing import Any

import pytest

from bigtask.core import commands as c
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.states import Outcome, WaitingKind
from core.world import World, started, task

HOUR = 3_600_000


def limited(world: World, id: str, reset_ms: int | None = 5 * HOUR, **more: Any) -> World:
    world.see(o.Limited(**world.who(id), kind="usage", reset_ms=reset_ms, **more))
    return world


def at_work(agent: str = "plain") -> World:
    return started(task("a"), task("b"), task("d", "a"), agent=agent, max_workers=2).open("a").open("b")


def state(world: World, id: str) -> str:
    attempt = world.run.tasks[id].attempt
    assert attempt is not None
    return attempt.state.value


@pytest.mark.parametrize("reset_ms", [None, 1_000, HOUR - 1])
def test_what_is_soon_over_is_only_told(reset_ms: int | None) -> None:
    world = limited(at_work(), "a", reset_ms)
    attempt = world.run.tasks["a"].attempt
    assert attempt is not None
    assert (attempt.state, attempt.limit) == ("limited", "usage")
    assert attempt.limit_ends_at == (None if reset_ms is None else world.now + reset_ms)
    assert not world.run.waiting


def test_a_person_is_asked_once_what_to_do_about_hours() -> None:
    world = limited(limited(at_work(), "a", others=("offline",)), "b", others=("offline",))
    (waiting,) = world.run.waiting.values()
    assert (waiting.kind, waiting.options) == (WaitingKind.LIMIT, ("wait", "use offline", "stop"))
    assert waiting.question == (
        "The account of plain is limited for 5 h, and the run goes on by itself when that is over: "
        "wait, go on with offline, or stop?"
    )
    world.ask(c.Answer(waiting_id=waiting.id, answer="wait"))
    assert world.live() == ["a", "b"]
    assert not limited(world, "a", HOUR + 60_000).run.waiting


def test_with_another_agent_those_that_wait_begin_anew_and_others_stay() -> None:
    world = limited(at_work(), "a", HOUR + 60_000, others=("offline",))
    (waiting,) = world.run.waiting.values()
    assert "limited for 1 h 1 min" in waiting.question
    world.ask(c.Answer(waiting_id=waiting.id, answer="use offline"))
    agents = {id: [attempt.agent for attempt in world.run.tasks[id].attempts] for id in "ab"}
    assert agents == {"a": ["plain", "offline"], "b": ["plain"]}
    assert world.run.tasks["a"].failures == 0
    world.open("a").complete("a")
    assert world.last(e.WorkerSpawned).agent == "offline"
    limited(world, "b", 1_000)
    assert [attempt.agent for attempt in world.run.tasks["b"].attempts] == ["plain", "offline"]


def test_that_another_agent_begins_settles_nothing() -> None:
    world = started(task("a"), task("b", agent="other"), max_workers=2).open("a")
    limited(world, "a").open("b")
    assert world.run.waiting


def test_only_attempts_of_the_limited_agent_begin_anew() -> None:
    world = started(task("a"), task("b", agent="other"), max_workers=2).open("a").open("b")
    limited(limited(world, "a", others=("offline",)), "b", 1_000)
    world.ask(c.Answer(waiting_id="w1", answer="use offline"))
    assert [len(world.run.tasks[id].attempts) for id in "ab"] == [2, 1]


def test_a_limit_can_end_the_run() -> None:
    world = limited(at_work(), "a")
    world.ask(c.Answer(waiting_id="w1", answer="stop"))
    assert world.run.outcome is Outcome.CANCELLED


@pytest.mark.parametrize("seen", [o.WentOn, o.Opened])
def test_when_it_is_over_nothing_is_asked_any_more(seen: type[o.Observation]) -> None:
    world = limited(at_work(), "a")
    more = {"session_id": "s"} if seen is o.Opened else {}
    world.see(seen(**world.who("a"), **more))
    assert state(world, "a") == "running"
    assert not world.run.waiting


def test_one_that_is_not_limited_does_not_go_on() -> None:
    world = at_work()
    before = world.run.seq
    world.see(o.WentOn(**world.who("a")))
    assert world.run.seq == before


def test_what_holds_a_session_back_is_told() -> None:
    world = started(task("a"))
    world.see(o.Held(**world.who("a"), reason="all 8 slots of this machine are taken"))
    attempt = world.run.tasks["a"].attempt
    assert attempt is not None
    assert (attempt.state, attempt.action) == ("spawning", "all 8 slots of this machine are taken")
