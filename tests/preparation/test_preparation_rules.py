from __future__ import annotations

import pytest

from bigtask.core import commands as c
from bigtask.core import decide
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.decide import wakes_at
from bigtask.core.phases import preparation
from bigtask.core.phases.preparation import INCLUDE, SETUP, SPACE, goes_without
from bigtask.core.states import AttemptState, Outcome, TaskState
from core.world import World, started, task


def unprepared(world: World, id: str, subject: str = SETUP) -> None:
    seen = o.Unprepared(**world.who(id), subject=subject, reason="`npm ci` ended with 1", output="no disk\n")
    world.see(seen)


@pytest.fixture
def world() -> World:
    return started(task("a"), task("b"), task("c", "a"), max_workers=2)


def test_the_attempt_is_given_up_without_using_up_a_retry_and_the_run_asks(world):
    unprepared(world, "a")
    (waiting,) = world.run.waiting.values()
    assert waiting.question == ("`npm ci` ended with 1: try again, go on without that, or stop the run?")
    assert (waiting.options, waiting.task_id) == (("retry", "without", "stop"), None)
    assert waiting.details == {"subject": SETUP, "failedTask": "a", "output": "no disk\n"}
    record = world.run.tasks["a"]
    assert (record.failures, record.state, record.attempts[0].state) == (
        0,
        TaskState.READY,
        AttemptState.LOST,
    )


def test_several_that_fail_at_once_ask_once_and_others_go_on_to_their_end(world):
    unprepared(world, "a")
    assert world.live() == ["b"]
    unprepared(world, "b")
    assert (len(world.run.waiting), world.live()) == (1, [])
    again = started(task("a"), task("b"), max_workers=2)
    unprepared(again, "a")
    again.complete("b")
    assert (again.states(), again.live()) == ({"a": "ready", "b": "completed"}, [])


def test_nothing_starts_and_nobody_is_woken_until_somebody_has_answered(world):
    world.fall("b")
    unprepared(world, "a", SPACE)
    assert wakes_at(world.run) is None
    world.pass_time(10_000)
    assert world.live() == []
    world.ask(c.Answer(waiting_id=next(iter(world.run.waiting)), answer="retry"))
    assert world.live() == ["a", "b"]
    assert not goes_without(world.run, SPACE)


@pytest.mark.parametrize("subject", [INCLUDE, SETUP, SPACE])
def test_without_holds_for_what_it_was_said_of(world, subject):
    unprepared(world, "a", subject)
    world.ask(c.Answer(waiting_id=next(iter(world.run.waiting)), answer="without"))
    assert [goes_without(world.run, each) for each in (INCLUDE, SETUP, SPACE)] == [
        each == subject for each in (INCLUDE, SETUP, SPACE)
    ]
    assert world.live() == ["a", "b"]


def test_stop_ends_the_run(world):
    unprepared(world, "a")
    world.ask(c.Answer(waiting_id=next(iter(world.run.waiting)), answer="stop"))
    assert world.run.outcome is Outcome.CANCELLED


def test_what_an_attempt_says_that_is_over_leads_to_nothing(world):
    late = o.Unprepared(**world.who("a"), subject=SETUP, reason="x")
    world.ask(c.CancelTask(task_id="a"))
    world.see(late)
    assert world.run.waiting == {}


def test_a_question_of_another_kind_holds_nothing_up(world):
    world.see(o.Asked(**world.who("a"), request_id="r", question="may I?", options=("allow", "deny")))
    world.complete("b")
    assert not preparation.asks(world.run)


def test_without_that_rule_starts_would_follow_each_other_for_ever(world, monkeypatch):
    monkeypatch.setattr(decide.preparation, "allow", lambda run, events: events)
    for _ in range(20):
        unprepared(world, "a")
    assert sum(isinstance(event.data, e.WorkerSpawned) for event in world.events) > 20
