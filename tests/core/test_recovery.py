from __future__ import annotations

from bigtask.core import commands as c
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.decide import wakes_at
from bigtask.core.recovery import recover, to_integrate
from bigtask.core.values import Usage
from core.world import RESUMABLE, World, refolded, started, task


def again(world: World) -> tuple[e.Happened, ...]:
    """Another process takes the run up from its log."""
    world.run = refolded(world.events)
    happened = world.record(*recover(world.run, resumable=RESUMABLE))
    world.settle()
    return happened


def test_what_was_under_way_comes_again_under_a_new_number():
    world = started(task("a"), task("b")).open("a")
    assert [each.type for each in again(world)] == ["worker:lost", "worker:lost", "orchestrator:recovered"]
    assert world.last(e.Recovered).lost == 2
    assert world.run.live == {"a": 2, "b": 2}
    assert world.run.tasks["a"].attempts[0].reason == "the process that ran it ended"


def test_a_session_that_can_go_on_does():
    world = started(task("a"), task("b"), agent="patient").open("a")
    types = [each.type for each in again(world)]
    assert types == ["worker:paused", "worker:resumed", "worker:lost", "orchestrator:recovered"]
    assert world.run.live == {"a": 1, "b": 2}
    assert world.run.tasks["a"].attempt.session_id == "a-1"


def test_while_the_run_is_pausing_its_sessions_rest():
    world = started(task("a"), agent="patient").open("a")
    world.ask(c.Pause())
    again(world)
    assert world.run.paused
    assert world.run.tasks["a"].attempt.state.value == "paused"
    world.ask(c.Resume())
    assert world.run.live == {"a": 1}


def test_a_late_answer_from_before_is_refused():
    world = started(task("a")).open("a")
    seen = o.Failed(**world.who("a"), reason="late", usage=Usage())
    again(world)
    assert world.see(seen) == ()


def test_reported_work_goes_on_into_the_merge():
    world = started(task("a"), task("b")).report("a")
    again(world)
    assert to_integrate(world.run) == {"a": 1}
    world.merge("a")
    assert world.states()["a"] == "completed"


def test_nothing_is_held_back_by_the_clock_of_the_old_holder():
    world = started(task("a")).fall("a")
    assert wakes_at(world.run) is not None
    assert again(world) == (e.Recovered(lost=0),)
    assert world.run.live == {"a": 2}


def test_a_phase_is_not_held_back_either():
    world = World()
    world.ask(c.Start())
    world.fall("@analysis")
    again(world)
    assert world.run.live == {"@analysis": 2}


def test_a_run_that_had_nothing_under_way_needs_no_recovery():
    assert again(World()) == ()
    assert again(started(task("a")).complete("a")) == ()
