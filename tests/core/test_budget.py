"""The cap of a run: what may begin beside what is used and reserved, and what is asked when nothing may."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigtask.core import budget
from bigtask.core import commands as c
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.budget import Amount, Cap
from bigtask.core.decide import wakes_at
from bigtask.core.evolve import begin, evolve
from bigtask.core.states import Outcome, WaitingKind
from bigtask.core.values import Report, Task, Usage
from core.world import RUN_ID, World, started, task

MILLION = 1_000_000
"""Tokens: by the assumed price they cost $5."""


def paid(*tasks: Task, cap: float | None = 20.01, **settings: Any) -> World:
    return started(*tasks, **{"costs_money": True, "max_budget_usd": cap, **settings})


def big(id: str, *needs: str, millions: float = 1) -> Task:
    return task(id, *needs, estimated_tokens=int(millions * MILLION))


def used(world: World, id: str, cost: float, tokens: int = 100) -> World:
    world.see(o.Used(**world.who(id), usage=Usage(input_tokens=tokens, cost_usd=cost)))
    return world


def done(world: World, id: str, cost: float, tokens: int = MILLION) -> World:
    report = Report(data={"task_id": id, "status": "completed"})
    world.see(o.Reported(**world.who(id), report=report, usage=Usage(input_tokens=tokens, cost_usd=cost)))
    return world.merge(id)


def only_question(world: World) -> Any:
    (waiting,) = world.run.waiting.values()
    assert waiting.kind is WaitingKind.BUDGET
    return waiting


def test_only_as_many_begin_as_fit_with_what_they_reserve():
    world = paid(*(big(id) for id in "abcdef"), max_workers=6)
    assert world.live() == list("abcd")
    assert not world.run.waiting


def test_what_is_not_used_of_a_reservation_is_free_when_the_attempt_ends():
    world = paid(*(big(id) for id in "abcde"), cap=10.01)
    assert world.live() == ["a", "b"]
    done(world, "a", 1.0)
    assert world.live() == list("bcde"), "by the price that is known by now"


def test_what_is_used_takes_the_place_of_what_is_reserved():
    world = used(paid(*(big(id) for id in "ab"), cap=11.0), "a", 4.0, 100_000)
    assert world.run.used.cost_usd == 4.0
    left = budget.outstanding(world.run)
    assert left.tokens == 1_900_000
    assert left.cost_usd == pytest.approx(2 * 40.0 - 4.0, rel=1e-3), "by the price that is known by now"


def test_a_task_without_an_estimate_reserves_what_others_took():
    world = paid(task("a"), task("b", "a"), task("c", "a"), cap=9.0, max_workers=2)
    assert budget.reservation(world.run, "a") == Amount()
    done(world, "a", 4.0)
    with_the_plan = MILLION + 10
    assert budget.reservation(world.run, "b") == Amount(cost_usd=pytest.approx(4.0), tokens=with_the_plan)
    assert world.live() == ["b"]
    assert budget.reservation(world.run, "@planning") == Amount()
    assert budget.reservation(world.run, "nobody") == Amount()


def test_an_agent_that_costs_nothing_reserves_tokens_only():
    world = started(big("a"), big("b"), max_tokens=MILLION + 10, max_budget_usd=1.0)
    assert world.live() == ["a"]
    assert budget.reservation(world.run, "a") == Amount(tokens=MILLION)
    assert budget.left_usd(world.run, "a") == 1.0


def test_a_plan_over_its_cap_never_starts_and_says_what_it_takes():
    world = paid(big("a", millions=3), cap=10.0)
    assert world.live() == []
    waiting = only_question(world)
    assert waiting.options == ("raise", "stop")
    assert waiting.question == (
        "a may take $15.00 (at an assumed price), and $0.00 of $10.00 are used: "
        "raise the cap to $20.00, or stop?"
    )
    assert wakes_at(world.run) is None
    world.ask(c.Answer(waiting_id=waiting.id, answer="raise"))
    assert budget.cap_of(world.run) == Cap(cost_usd=20.0)
    assert world.live() == ["a"]


def test_the_cap_is_raised_so_far_that_what_is_wanted_fits():
    world = paid(big("a", millions=10), cap=10.0, max_tokens=100)
    waiting = only_question(world)
    assert "raise the cap to $62.50 and 12,500,012 tokens" in waiting.question
    world.ask(c.Answer(waiting_id=waiting.id, answer="raise"))
    assert world.live() == ["a"]


def test_what_is_known_of_the_price_is_not_called_assumed():
    world = done(paid(task("a"), big("b", "a"), cap=10.0), "a", 6.0)
    assert "b may take $6.00, and $6.00 of $10.00 are used" in only_question(world).question


def test_nobody_is_asked_while_something_under_way_may_leave_room():
    world = paid(big("a"), big("b"), cap=9.0)
    assert world.live() == ["a"]
    assert not world.run.waiting


def test_at_four_fifths_it_is_said_once():
    world = used(paid(task("a"), cap=10.0), "a", 7.9)
    assert e.BudgetWarning not in map(type, (event.data for event in world.events))
    used(used(world, "a", 8.0), "a", 9.0)
    assert world.types().count("orchestrator:budgetWarning") == 1
    assert world.last(e.BudgetWarning).said == "$8.00 of $10.00"


def at_its_cap(**settings: Any) -> World:
    world = (
        paid(task("a"), task("b"), task("d", "a"), cap=10.0, max_workers=2, **settings).open("a").open("b")
    )
    return used(world, "a", 10.0)


def test_at_the_cap_what_is_under_way_rests_and_a_person_is_asked():
    world = at_its_cap()
    assert world.run.pausing
    waiting = only_question(world)
    assert waiting.options == ("raise", "finish", "stop")
    assert waiting.question.startswith("The run has used $10.00 of $10.00, and its attempts under way rest: ")
    for id in "ab":
        world.see(o.Interrupted(**world.who(id)))
    assert world.run.paused
    assert world.live() == []


@pytest.mark.parametrize("agent", ["patient", "plain"])
@pytest.mark.parametrize("answer", ["raise", "finish"])
@pytest.mark.parametrize("drained", [True, False])
def test_those_under_way_go_on_when_a_person_says_so(agent, answer, drained):
    world = at_its_cap(agent=agent)
    waiting = only_question(world)
    if drained:
        for id in "ab":
            world.see(o.Interrupted(**world.who(id)))
    world.ask(c.Answer(waiting_id=waiting.id, answer=answer))
    assert not world.run.waiting
    assert not world.run.paused
    if agent == "patient" or not drained:
        assert world.live() == ["a", "b"]
        assert budget.left_usd(world.run, "b") == (10.0 if answer == "raise" else None)


def test_those_under_way_finish_and_nothing_more_begins():
    world = at_its_cap(agent="patient")
    world.ask(c.Answer(waiting_id=only_question(world).id, answer="finish"))
    done(world, "a", 11.0)
    assert world.live() == ["b"]
    assert world.run.outcome is None
    done(world, "b", 12.0)
    assert world.run.outcome is Outcome.INCOMPLETE
    assert world.run.reason == "ended at its cap: $23.00 of $10.00 are used"
    assert world.states() == {"a": "completed", "b": "completed", "d": "skipped"}
    world.ask(c.Retry(task_id="d"))
    assert only_question(world).options == ("raise", "stop")


def test_where_nothing_came_of_those_under_way_the_run_has_failed():
    world = at_its_cap(agent="patient", max_retries=0)
    world.ask(c.Answer(waiting_id=only_question(world).id, answer="finish"))
    world.see(o.Failed(**world.who("b"), reason="no"))
    world.ask(c.SkipTask(task_id="a", by="me"))
    assert world.run.outcome is Outcome.FAILED


def test_at_the_cap_a_run_can_be_stopped():
    world = at_its_cap()
    world.ask(c.Answer(waiting_id=only_question(world).id, answer="stop"))
    assert world.run.outcome is Outcome.CANCELLED


def test_an_older_run_was_asked_whether_it_goes_on_without_a_cap():
    world = paid(task("a"), cap=10.0)
    asked = e.WaitingRaised(
        waiting=e.Waiting(
            id="w1",
            kind=WaitingKind.BUDGET,
            question="?",
            options=("continue", "stop"),
            details={"subject": "budget"},
        )
    )
    world.record(asked, e.Answered(waiting_id="w1", answer="continue"))
    used(world, "a", 50.0)
    assert world.live() == ["a"]
    assert not world.run.waiting
    assert budget.left_usd(world.run, "a") is None


def test_what_is_left_is_handed_on():
    world = used(paid(big("a"), big("b"), cap=12.0), "a", 1.0, MILLION // 5)
    assert budget.left_usd(world.run, "a") == pytest.approx(12 - 1 - 5, rel=1e-3)
    assert budget.left_usd(world.run, "b") == pytest.approx(12 - 1 - 4, rel=1e-3)
    assert budget.left_usd(paid(big("a"), cap=None).run, "a") is None


def test_a_run_without_a_cap_is_asked_nothing():
    world = used(paid(big("a", millions=100), cap=None), "a", 1e6)
    assert world.live() == ["a"]
    assert not world.run.waiting


@given(
    estimates=st.lists(st.none() | st.integers(0, 4), min_size=1, max_size=8),
    cap=st.sampled_from([3.0, 10.0, 21.0]),
    slots=st.integers(1, 4),
    data=st.data(),
)
def test_nothing_ever_begins_past_what_is_reserved(estimates, cap, slots, data):
    tasks = [
        task(f"t{i}", estimated_tokens=None if n is None else n * MILLION) for i, n in enumerate(estimates)
    ]
    world = paid(
        *tasks,
        cap=cap,
        max_workers=slots,
        check=False,
    )
    run = world.run
    for step in range(100):
        if run.outcome is not None:
            break
        if run.waiting:
            waiting = only_question(world)
            answer = data.draw(st.sampled_from([each for each in waiting.options if each != "stop"]))
            world.ask(c.Answer(waiting_id=waiting.id, answer=answer))
        else:
            id = data.draw(st.sampled_from(sorted(run.live)))
            cost = data.draw(st.sampled_from([0.5, 2.0, 6.0]))
            ways = [used, done] if step < 40 else [done]
            data.draw(st.sampled_from(ways))(world, id, cost, tokens=int(cost * 200_000))
    else:
        raise AssertionError("it never ends")
    again = begin(RUN_ID, world.events[0])
    for event in world.events[1:]:
        evolve(again, event)
        if isinstance(event.data, e.WorkerSpawned):
            taken = budget.spent(again.used) + budget.outstanding(again)
            assert taken.cost_usd <= budget.cap_of(again).cost_usd + 1e-9


def test_an_agent_that_tells_no_prices_is_bound_by_an_assumed_one_and_it_is_told():
    world = used(paid(big("a", millions=1), cap=10.0), "a", 0.0, tokens=1_700_000)
    (warning,) = [event.data for event in world.events if isinstance(event.data, e.BudgetWarning)]
    assert warning.said == "$8.50 of $10.00 (at an assumed price)"
    assert budget.used(world.run).cost_usd == pytest.approx(8.5, rel=1e-3)
    assert budget.left_usd(world.run, "a") == pytest.approx(1.5, rel=1e-3)
    assert budget.outstanding(world.run) == Amount()
    used(world, "a", 0.0, tokens=2_000_000)
    assert only_question(world).question.startswith(
        "The run has used $10.00 of $10.00 (at an assumed price), and its attempts under way rest"
    )
    assert world.run.pausing


def test_of_a_task_that_does_not_fit_it_is_told_too():
    world = paid(big("a"), big("b", "a"), cap=10.0)
    done(world, "a", 0.0, tokens=1_500_000)
    assert only_question(world).question.startswith(
        "b may take $5.00 (at an assumed price), and $7.50 of $10.00 (at an assumed price) are used"
    )
