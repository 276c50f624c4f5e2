"""What becomes of questions that nobody answers, in time and where nobody is asked."""

from __future__ import annotations

import pytest

from bigtask.core import commands as c
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core import unanswered
from bigtask.core.decide import wakes_at
from bigtask.core.states import Outcome, WaitingKind
from bigtask.core.unanswered import NoPolicy, Policy, parse, read
from bigtask.core.values import PLANNING, Usage

from .test_permissions import asked
from .world import World, planned, started, task

AFTER = {"permission": "deny after 60s"}


def working(**settings) -> World:
    return started(task("a"), task("b"), **settings).open("a").open("b")


def test_a_policy_is_a_word_and_a_time():
    table = {"permission": "deny after 30m", "plan": "wait", "conflict": "skip after 2 h"}
    table["limit"] = "stop after 1d"
    said = read(table)
    assert {kind: parse(text) for kind, text in said.items()} == {
        "permission": Policy("deny", 1_800_000),
        "conflict": Policy("skip", 7_200_000),
        "limit": Policy("stop", 86_400_000),
    }
    assert read(said) == said
    assert parse("none of these after 90s") == Policy("none of these", 90_000)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"permission": "allow after 1m"}, 'permission takes "wait" or "deny after 30m", not'),
        ({"plan": "confirm after 1m"}, "cancel after 30m"),
        ({"budget": "raise after 1m"}, "stop after 30m"),
        ({"trust": "approve after 1m"}, "without after 30m"),
        ({"permission": "deny"}, "not 'deny'"),
        ({"permission": "deny after 1w"}, "not 'deny after 1w'"),
        ({"permission": 3}, "not '3'"),
        ({"nonsense": "wait"}, "'nonsense' is none of the kinds plan"),
    ],
)
def test_no_policy_allows_anything(table, said):
    with pytest.raises(NoPolicy, match=said):
        read(table)


def test_a_question_that_nobody_answers_in_time_is_answered_by_its_policy():
    world = working(unanswered=AFTER)
    asked(world)
    (waiting,) = world.run.waiting.values()
    assert (waiting.asked_at, waiting.expires_at) == (world.now, world.now + 60_000)
    assert wakes_at(world.run) == waiting.expires_at
    world.pass_time(59_999)
    assert world.run.waiting
    world.pass_time(1)
    said = world.last(e.Answered)
    assert (said.answer, said.by, said.rule) == ("deny", "policy", "its time-out")
    assert wakes_at(world.run) is None
    assert world.run.tasks["a"].attempt.settled == ("deny to Bash(make test) (its time-out)",)


def test_what_has_waited_longest_is_answered_first():
    world = working(unanswered=AFTER)
    asked(world)
    world.pass_time(10)
    asked(world, "make install", id="b")
    world.pass_time(60_000)
    given = [event.data.waiting_id for event in world.events if isinstance(event.data, e.Answered)]
    assert given == ["w1", "w2"]


def test_without_a_policy_or_where_it_says_what_cannot_be_answered_it_waits():
    world = working(unanswered={"question": "without after 1s"})
    asked(world)
    asked(world, "", id="b", tool="", question="Which?", options=("one", "none of these"))
    world.pass_time(10**9)
    assert list(world.run.waiting) == ["w1", "w2"]


def test_nothing_is_answered_while_the_run_is_paused():
    world = working(unanswered=AFTER)
    asked(world, id="a")
    world.complete("b")
    world.ask(c.Pause())
    assert wakes_at(world.run) is None
    world.pass_time(10**6)
    assert not any(isinstance(event.data, e.Answered) for event in world.events)


def test_the_cap_s_question_is_answered_although_it_rests_the_run():
    world = started(
        task("a", agent="patient"),
        max_budget_usd=1.0,
        unanswered={"budget": "stop after 5s"},
    )
    world.open("a")
    world.see(o.Used(**world.who("a"), usage=Usage(input_tokens=1, cost_usd=2.0)))
    world.see(o.Interrupted(**world.who("a"), usage=Usage(input_tokens=1, cost_usd=2.0)))
    assert world.run.paused
    assert wakes_at(world.run) == world.now + 5_000
    world.pass_time(5_000)
    assert world.run.outcome is Outcome.CANCELLED


def test_a_run_that_asks_nobody_denies_at_once_and_waits_for_what_it_cannot_settle():
    world = working(ci=True)
    asked(world)
    said = world.last(e.Answered)
    assert (said.answer, said.by, said.rule) == ("deny", "policy", "--ci")
    asked(world, "", id="b", tool="", question="Which?", options=("one", "none of these"))
    assert world.last(e.Answered).answer == "none of these"
    what = ("out/b.txt: a conflict",)
    world.see(o.Unusable(**world.who("b"), errors=what, answer=""))
    world.pass_time(10**9)
    (waiting,) = world.run.waiting.values()
    assert (waiting.kind, waiting.expires_at) == (WaitingKind.ANSWER, None)


def test_only_what_a_policy_settles_waits_for_nobody():
    for settings, waits in (({"ci": True}, True), ({}, False), ({"unanswered": AFTER}, False)):
        world = working(**settings)
        asked(world)
        assert unanswered.settles_at_once(world.run, world.last(e.WaitingRaised).waiting) is waits


def test_a_run_that_asks_nobody_confirms_its_plan():
    world = planned(task("a"), yes=True, ci=True)
    assert world.last(e.Confirmed).by == "--ci"


def test_a_person_who_takes_it_up_is_asked_again():
    world = working(ci=True)
    world.ask(c.Resume(by="ada", ci=False))
    assert world.last(e.Resumed).asks_nobody is False
    asked(world)
    assert list(world.run.waiting) == ["w1"]
    assert world.ask(c.Resume(by="ada", ci=False)) == ()
    world.ask(c.Resume(by="ada", ci=True))
    asked(world, "make install", id="b")
    assert "w2" not in world.run.waiting


def test_what_waits_already_is_settled_when_nobody_is_asked_any_more():
    world = working()
    asked(world)
    world.ask(c.Resume(ci=True))
    assert world.last(e.Answered).rule == "--ci"
    assert not world.run.waiting


def test_an_ended_run_is_not_taken_up_by_that():
    world = working(ci=True).complete("a", "b")
    assert world.run.outcome is not None
    assert world.ask(c.Resume(ci=False)) == ()


def test_every_kind_has_careful_answers_only():
    assert set(unanswered.ANSWERS) == set(WaitingKind)
    careful = {"deny", "cancel", "skip", "fail", "stop", "without", "none of these"}
    assert {answer for answers in unanswered.ANSWERS.values() for answer in answers} <= careful


def test_the_plan_s_question_can_be_given_up():
    world = planned(task("a"), unanswered={"plan": "cancel after 1s"})
    assert PLANNING in world.run.reserved
    world.pass_time(1_000)
    assert world.run.outcome is Outcome.CANCELLED
