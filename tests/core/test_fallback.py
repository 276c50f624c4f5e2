"""Agents that can't work here: others stand in, and an agent has no more attempts at once than it may."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bigtask.core import commands as c
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.fallback import notices
from bigtask.core.states import Phase
from bigtask.core.values import ANALYSIS, PLANNING, Task, Usage
from bigtask.core.view import view
from bigtask.report.result import result_of
from core.world import World, phases, started, task

WHY = "it isn't installed"


def without(world: World, id: str, *others: str, number: int | None = None, **more: Any) -> World:
    """The agent of the task's attempt can't work here; `others` could."""
    who = world.who(id) if number is None else {"task_id": id, "attempt": number}
    world.see(o.Unavailable(**who, reason=WHY, others=others, **more))
    return world


def at_work(*tasks: Task, **settings: Any) -> World:
    return started(*(tasks or (task("a"), task("b"))), **{"max_retries": 1, **settings})


def agents(world: World, id: str) -> list[str]:
    record = world.run.record(id)
    assert record is not None
    return [attempt.agent for attempt in record.attempts]


def test_the_next_that_can_work_takes_over_and_no_retry_is_used_up() -> None:
    world = without(at_work(), "a", "second", usage=Usage(cost_usd=0.5))
    assert agents(world, "a") == ["plain", "second"]
    assert world.last(e.AgentReplaced) == e.AgentReplaced(agent="plain", instead="second", reason=WHY)
    record = world.run.tasks["a"]
    assert (record.failures, record.attempts[0].state.value) == (0, "lost")
    assert record.attempts[0].reason == "plain can't work here: begun anew with second"
    assert world.run.used.cost_usd == 0.5


def test_it_is_said_once_and_holds_for_the_rest_of_the_run() -> None:
    world = at_work(task("a"), task("b"), task("d", "a"))
    without(without(world, "a", "second"), "b", "third")
    assert agents(world, "b") == ["plain", "second"]
    assert world.types().count("orchestrator:agentReplaced") == 1
    world.open("a").complete("a")
    assert agents(world, "d") == ["second"]


def test_one_that_stands_in_can_be_replaced_and_none_comes_again() -> None:
    world = without(without(at_work(), "a", "second"), "a", "plain", "second", "third")
    assert agents(world, "a") == ["plain", "second", "third"]
    assert agents(without(world, "b", "second"), "b") == ["plain", "third"]


@pytest.mark.parametrize("others", [(), ("plain",)])
def test_without_anybody_the_attempt_has_failed(others: tuple[str, ...]) -> None:
    world = without(at_work(), "a", *others)
    assert world.run.tasks["a"].attempts[0].state.value == "failed"
    assert world.run.tasks["a"].failures == 1
    assert not world.run.replaced


def test_phases_and_tasks_with_an_agent_of_their_own_keep_it() -> None:
    world = at_work(task("a"), task("b", agent="other"))
    without(world, "a", "second")
    assert (agents(world, "a"), agents(world, "b")) == (["plain", "second"], ["other"])


def test_a_phase_is_done_by_who_stands_in() -> None:
    world = World(phases=phases(Phase.ANALYSIS, Phase.TASK_PLANNING, Phase.WORKER_EXECUTION), agent="plain")
    world.ask(c.Start())
    without(world, ANALYSIS, "second")
    assert agents(world, ANALYSIS) == ["plain", "second"]
    world.report(ANALYSIS, analysis={})
    assert agents(world, PLANNING) == ["second"]


def test_who_was_replaced_before_the_run_began_gets_no_attempt() -> None:
    world = World(phases=phases(Phase.TASK_PLANNING, Phase.WORKER_EXECUTION), agent="plain")
    world.record(e.AgentReplaced(agent="plain", instead="second", reason=WHY))
    world.ask(c.Start())
    assert agents(world, PLANNING) == ["second"]


def test_every_surface_says_who_was_replaced_and_why() -> None:
    world = without(at_work(), "a", "second")
    (said,) = notices(world.run)
    assert said == f"second does the work of plain, which can't work here: {WHY}"
    assert said in view(world.run).warnings
    assert said in result_of(world.run).warnings
    assert msgspec.to_builtins(result_of(world.run))["run"]["agent"] == "plain"


def test_an_agent_has_no_more_attempts_at_once_than_it_may_and_others_begin_meanwhile() -> None:
    tasks = (task("a"), task("b"), task("d", agent="other"), task("f"))
    world = at_work(*tasks, max_workers=3, slots_for={"plain": 1})
    assert world.live() == ["a", "d"]
    world.open("a").report("a")
    assert world.live() == ["b", "d"], "what is only being merged takes nobody's time"
    world.open("b").fall("b")
    assert world.live() == ["d", "f"]


def test_slots_are_those_of_the_agent_that_does_the_work() -> None:
    world = at_work(task("a"), task("b"), max_workers=2, slots_for={"second": 1})
    assert world.live() == ["a", "b"]
    without(without(world, "a", "second"), "b", "second")
    assert world.live() == ["a"]


def test_two_slots_are_two() -> None:
    world = at_work(task("a"), task("b"), task("d"), max_workers=5, slots_for={"plain": 2})
    assert world.live() == ["a", "b"]
