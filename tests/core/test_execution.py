"""Which task starts when: order, slots, overlaps, retries, and what can't begin any more."""

from __future__ import annotations

import pytest

from bigtask.core import commands as c
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.decide import decide, wakes_at
from bigtask.core.edits import AddTask, SetTask
from bigtask.core.reactions import observe
from bigtask.core.states import AttemptState, Outcome, Phase, TaskState
from bigtask.core.values import Evidence
from core.world import phases, planned, queued, started, task


def test_no_more_tasks_run_than_there_are_slots():
    world = started(*map(task, "abcd"), max_workers=2)
    assert world.live() == ["a", "b"]
    world.report("a")
    assert world.live() == ["b", "c"], "work that is being merged holds no slot"
    assert started(*map(task, "ab"), parallel_execution=False).live() == ["a"]


def test_the_end_of_one_task_starts_the_next_in_the_same_step():
    world = started(task("a"), task("b", "a")).report("a")
    happened = world.record(
        *observe(world.run, o.Integrated(**world.who("a"), evidence=Evidence()), jitter=0.0)
    )
    assert [each.type for each in happened] == ["worker:merged", "worker:completed"]
    assert [each.type for each in decide(world.run, world.now)] == ["worker:spawned"]


def test_the_most_urgent_goes_first():
    tasks = (
        task("plain"),
        task("late", priority=9),
        task("head"),
        task("urgent", priority=1),
        task("tail", "head", estimated_minutes=9.0),
    )
    world = started(*tasks, max_workers=1, isolation="none")
    order = []
    while world.run.live:
        order += world.run.live
        world.report(order[-1])
    assert order == ["urgent", "head", "tail", "plain", "late"]


def test_a_task_that_may_write_in_the_same_place_stands_back_and_is_released():
    tasks = task("a", scope=("src",)), task("b", scope=("src/x",)), task("c", scope=("docs",)), task("d")
    world = started(*tasks)
    assert world.live() == ["a", "c", "d"]
    world.report("a")
    assert "b" not in world.live(), "it is being merged"
    world.merge("a")
    assert "b" in world.live()


@pytest.mark.parametrize("how", ["failed", "cancelled", "lost", "review", "paused"])
def test_whatever_ends_or_rests_an_attempt_releases_who_stood_back(how):
    world = started(task("a", scope=("src",)), task("b", scope=("src",)), max_retries=0).open("a")
    assert world.live() == ["a"]
    who = world.who("a")
    match how:
        case "failed":
            world.fall("a")
        case "cancelled":
            world.ask(c.CancelTask(task_id="a"))
        case "lost":
            world.ask(c.Pause(now=True))
            world.ask(c.Resume())
            assert world.live() == ["a"]
            return
        case "review":
            world.see(o.Unusable(**who, errors=("no block",), answer="?"))
        case "paused":
            world.see(o.Interrupted(**who))
    assert world.live() == ["b"]


def test_a_failed_task_is_held_until_its_retry_is_due():
    world = started(task("a"), task("b"), max_workers=1)
    happened = world.see(o.Failed(**world.who("a"), reason="broke"), jitter=0.5)
    assert happened[-1] == e.WorkerRetrying(task_id="a", attempt=2, delay_ms=1_250)
    assert world.live() == ["b"]
    assert wakes_at(world.run) is None, "no slot is free"
    world.complete("b")
    assert wakes_at(world.run) == world.now + 1_250
    world.pass_time(1_249)
    assert world.live() == []
    world.pass_time(1)
    assert world.live() == ["a"]
    assert world.who("a")["attempt"] == 2
    assert wakes_at(world.run) is None


def test_a_retry_without_delay_starts_at_once():
    world = started(task("a"), retry_delay_ms=0).fall("a")
    assert world.live() == ["a"]


def test_a_retry_that_is_due_but_cannot_begin_wakes_nobody():
    world = started(task("a"), task("b"), max_workers=1).fall("a")
    world.pass_time(60_000)
    assert wakes_at(world.run) is None, "or the holder would never sleep"
    world.ask(c.Pause(now=True))
    assert wakes_at(world.run) is None
    world.ask(c.Resume())
    assert world.live() == ["a"]


AGGREGATED = phases(Phase.TASK_PLANNING, Phase.WORKER_EXECUTION, Phase.AGGREGATION)


def test_a_phase_that_is_held_while_tasks_run_again_wakes_nobody():
    world = started(task("a"), phases=AGGREGATED).complete("a")
    world.fall("@aggregation")
    assert wakes_at(world.run) == world.now + 1_000
    world.ask(c.Retry(task_id="a"))
    world.pass_time(5_000)
    assert wakes_at(world.run) is None
    world.complete("a")
    assert world.live() == ["@aggregation"]


def test_retries_end_and_take_those_that_depend_on_the_task_with_them():
    world = started(task("a"), task("b", "a"), task("c", "b"), task("free"), max_retries=1)
    world.fall("a").pass_time(1_000)
    happened = world.see(o.TimedOut(**world.who("a"), reason="no result within 300 s"))
    assert happened[1:] == (
        e.WorkerSkipped(task_id="b", reason="a failed"),
        e.WorkerSkipped(task_id="c", reason="a failed"),
    )
    assert world.states() == {"a": "timeout", "b": "skipped", "c": "skipped", "free": "running"}


def test_a_task_that_depends_on_two_is_skipped_once():
    world = started(task("a"), task("b", "a"), task("c", "a"), task("d", "b", "c"), max_retries=0)
    happened = world.see(o.Failed(**world.who("a"), reason="broke"))
    assert [each.task_id for each in happened[1:]] == ["b", "c", "d"]


@pytest.mark.parametrize(
    ("fate", "state", "reason"),
    [
        ("failed", "failed", "a failed"),
        ("timeout", "timeout", "a ran out of time"),
        ("cancelled", "cancelled", "a was cancelled"),
    ],
)
def test_a_task_added_behind_one_that_is_over_is_skipped_with_the_reason(fate, state, reason):
    world = started(task("a"), task("b"), max_retries=0)
    match fate:
        case "failed":
            world.fall("a")
        case "timeout":
            world.see(o.TimedOut(**world.who("a"), reason="slow"))
        case "cancelled":
            world.ask(c.CancelTask(task_id="a"))
    world.ask(c.EditPlan(revision=1, edits=(AddTask(task=task("c", "a")), AddTask(task=task("d", "c")))))
    assert world.states() == {"a": state, "b": "running", "c": "pending", "d": "pending"}
    world.complete("b")
    assert world.states() == {"a": state, "b": "completed", "c": "skipped", "d": "skipped"}
    assert world.run.tasks["c"].reason == reason
    assert world.run.outcome is Outcome.INCOMPLETE


def test_a_task_behind_one_that_the_rules_skipped_is_skipped_too():
    world = started(task("a"), task("b", "a"), task("z"), max_retries=0).fall("a")
    world.ask(c.EditPlan(revision=1, edits=(AddTask(task=task("c", "b")),)))
    world.complete("z")
    assert world.run.tasks["c"].reason == "b was skipped"


def test_a_task_added_behind_a_partial_one_asks_whether_it_may_build_on_it():
    world = started(task("a"), task("z")).report("a", "partial").merge("a")
    assert not world.run.waiting, "nobody wants to build on it"
    world.ask(c.EditPlan(revision=1, edits=(AddTask(task=task("c", "a")),)))
    world.complete("z")
    (waiting,) = world.run.waiting.values()
    assert waiting.question.startswith("a is only partly done: let the 1 that depend on it build on it")
    assert world.state("c") is TaskState.BLOCKED
    world.ask(c.Answer(waiting_id=waiting.id, answer="accept"))
    assert world.live() == ["c"]


def test_everything_that_stands_still_asks_and_nothing_is_asked_twice():
    world = started(task("a"), task("b"), task("c", "a", "b"))
    world.report("a", "partial").merge("a").report("b", "partial").merge("b")
    assert [waiting.task_id for waiting in world.run.waiting.values()] == ["a", "b"]
    assert decide(world.run, world.now) == ()


def test_a_plan_can_be_edited_while_tasks_run_and_the_order_follows():
    world = started(*map(task, "abc"), max_workers=1)
    assert queued(world.run) == ["b", "c"]
    world.ask(c.EditPlan(revision=1, edits=(SetTask(id="c", fields={"priority": 1}),)))
    assert queued(world.run) == ["c", "b"]
    world.complete("a")
    assert world.live() == ["c"]


def test_the_attempt_of_a_task_at_rest_is_replaced_by_the_next():
    world = started(task("a")).open("a")
    world.see(o.Unusable(**world.who("a"), errors=("no block",), answer="?"))
    world.ask(c.Retry(task_id="a"))
    assert [a.state for a in world.run.tasks["a"].attempts] == [
        AttemptState.SUPERSEDED,
        AttemptState.SPAWNING,
    ]


def test_nothing_starts_before_the_plan_is_confirmed():
    world = planned(task("a"))
    assert world.run.counts[TaskState.READY] == 1
    assert world.live() == []
