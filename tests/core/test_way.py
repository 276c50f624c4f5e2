"""The way of a run through its phases, and how it ends."""

from __future__ import annotations

import pytest

from bigtask.core import commands as c
from bigtask.core import events as e
from bigtask.core import ledger
from bigtask.core import observations as o
from bigtask.core.checks import runnable
from bigtask.core.decide import decide, wakes_at
from bigtask.core.phases.intake import includes_changes
from bigtask.core.states import Outcome, Phase, TaskState, WaitingKind
from bigtask.core.status import status
from bigtask.core.values import (
    AGGREGATION,
    ANALYSIS,
    PLANNING,
    VERIFICATION,
    Check,
    CheckResult,
    Report,
    Source,
    Usage,
)
from core.world import RUN_ID, World, phases, planned, started, task

ONE = [{"id": "a", "title": "A", "description": "All of it"}]
DIRTY = Source(kind="git", cwd="/p", root="/p", dirty=("M x",), dirty_count=7)


def the_way(world: World) -> list[str]:
    """The phases that were entered, in order."""
    return [event.data.phase.value for event in world.events if isinstance(event.data, e.PhaseChanged)]


def carried_out(world: World) -> World:
    """Answers whatever is asked of the agents until the run ends."""
    answers = {
        ANALYSIS: {"summary": "small", "recommended_splits": 1},
        PLANNING: {"tasks": ONE},
        VERIFICATION: {"status": "passed"},
    }
    world.ask(c.Start())
    while world.run.live:
        id = next(iter(world.run.live))
        if id in answers or id == AGGREGATION:
            world.report(id, **answers.get(id, {}))
        else:
            world.complete(id)
    return world


def test_a_run_goes_through_all_phases():
    world = carried_out(World(phases=phases(*Phase), yes=True))
    assert the_way(world) == [phase.value for phase in Phase]
    assert world.run.outcome is Outcome.COMPLETE
    assert world.run.analysis["summary"] == "small"
    assert world.run.aggregate.summary == "@aggregation is done"
    assert world.run.verdict.status == "passed"


@pytest.mark.parametrize("off", list(Phase))
def test_each_phase_can_be_left_out(off):
    world = carried_out(World(phases=phases(*(phase for phase in Phase if phase is not off)), yes=True))
    left = [phase.value for phase in Phase if phase is not off]
    if off is Phase.TASK_PLANNING:
        assert the_way(world) == [phase.value for phase in Phase]
        assert list(world.run.tasks) == ["whole-request"]
        assert world.run.tasks["whole-request"].task.title == "Do everything\nand well"
        assert world.run.outcome is Outcome.COMPLETE
    elif off is Phase.WORKER_EXECUTION:
        assert the_way(world) == ["analysis", "taskPlanning"]
        assert world.run.outcome is Outcome.INCOMPLETE
        assert world.run.reason == "planned only: worker execution is off"
        assert set(world.states().values()) == {"skipped"}
    else:
        assert the_way(world) == left
        assert world.run.outcome is Outcome.COMPLETE


def test_verification_is_off_and_the_others_on_unless_said_otherwise():
    world = carried_out(World(yes=True))
    assert the_way(world) == [phase.value for phase in Phase if phase is not Phase.VERIFICATION]


def test_nothing_happens_before_the_start_after_the_end_and_while_paused():
    world = World()
    assert decide(world.run, 0) == ()
    assert wakes_at(world.run) is None
    world.ask(c.Start())
    world.ask(c.Pause(now=True))
    assert world.run.paused
    assert decide(world.run, 10**15) == ()
    world.ask(c.Cancel())
    assert decide(world.run, 10**15) == ()


def test_sessions_have_the_names_of_the_brief():
    world = World()
    world.ask(c.Start())
    assert world.last(e.WorkerSpawned).session_name == f"local___orch_{RUN_ID}_worker_@analysis"
    world.fall(ANALYSIS).pass_time(2_000)
    assert world.last(e.WorkerSpawned).session_name == f"local___orch_{RUN_ID}_worker_@analysis_r1"


def test_a_task_can_name_its_own_agent():
    world = started(task("a", agent="other"), task("b"))
    agents = {
        event.data.task_id: event.data.agent
        for event in world.events
        if isinstance(event.data, e.WorkerSpawned)
    }
    assert agents == {PLANNING: "plain", "a": "other", "b": "plain"}


# Confirmation


@pytest.mark.parametrize(
    ("settings", "by"),
    [
        ({}, None),
        ({"costs_money": True}, None),
        ({"auto_spawn": True}, "autoSpawn"),
        ({"auto_spawn": True, "costs_money": True}, None),
        ({"yes": True}, "--yes"),
        ({"yes": True, "costs_money": True}, "--yes"),
    ],
)
def test_nothing_is_spawned_before_a_person_or_the_rules_confirm(settings, by):
    world = planned(task("a"), **settings)
    if by is None:
        (waiting,) = world.run.waiting.values()
        assert (waiting.kind, waiting.options) == (WaitingKind.PLAN, ("confirm", "cancel"))
        assert waiting.question == "Start 1 tasks as planned?"
        assert "worker:spawned" not in world.types()[-2:]
        assert not world.run.live
        assert decide(world.run, world.now) == ()
    else:
        assert world.last(e.Confirmed).by == by
        assert world.live() == ["a"]


# Intake


@pytest.mark.parametrize(("answer", "included"), [("include", True), ("without", False)])
def test_a_person_says_what_becomes_of_uncommitted_changes(answer, included):
    world = World(source=DIRTY)
    world.ask(c.Start())
    (waiting,) = world.run.waiting.values()
    assert "7 uncommitted changes in /p" in waiting.question
    assert decide(world.run, world.now) == ()
    world.ask(c.Answer(waiting_id=waiting.id, answer=answer))
    assert includes_changes(world.run) is included
    assert world.live() == [ANALYSIS]


def test_uncommitted_changes_may_stop_the_run():
    world = World(source=DIRTY)
    world.ask(c.Start())
    world.ask(c.Answer(waiting_id="w1", answer="stop", by="me"))
    assert world.run.outcome is Outcome.CANCELLED
    assert world.run.reason == "cancelled by me"


@pytest.mark.parametrize("included", [True, False])
def test_nobody_is_asked_what_the_settings_say(included):
    world = World(source=DIRTY, include_changes=included)
    world.ask(c.Start())
    assert includes_changes(world.run) is included
    assert world.live() == [ANALYSIS]


# Phases that fail


@pytest.mark.parametrize("id", [ANALYSIS, PLANNING, AGGREGATION, VERIFICATION])
def test_a_phase_that_fails_for_good_is_the_failure_of_the_run(id):
    world = World(phases=phases(*Phase), yes=True, max_retries=1)
    world.ask(c.Start())
    answers = {ANALYSIS: {}, PLANNING: {"tasks": ONE}}
    while id not in world.run.live:
        other = next(iter(world.run.live))
        world.report(other, **answers.get(other, {}))
        if other == "a":
            world.merge("a")
    world.fall(id)
    assert world.state(id) is TaskState.READY
    assert wakes_at(world.run) == world.now + 1_000
    world.pass_time(999)
    assert not world.run.live
    world.pass_time(1)
    world.fall(id, "no luck")
    assert world.run.outcome is Outcome.FAILED
    assert world.run.reason == f"{the_way(world)[-1]} failed: no luck"
    assert wakes_at(world.run) is None


def test_an_aggregation_that_says_it_failed_is_tried_again():
    world = started(task("a"), phases=phases(Phase.TASK_PLANNING, Phase.WORKER_EXECUTION, Phase.AGGREGATION))
    world.complete("a").report(AGGREGATION, "failed", summary="pages are missing")
    assert world.state(AGGREGATION) is TaskState.READY
    assert world.run.aggregate is None
    world.pass_time(2_000)
    world.report(AGGREGATION, "failed", summary="").pass_time(4_000)
    assert world.run.record(AGGREGATION).attempts[1].reason == "the agent could not aggregate"
    world.report(AGGREGATION)
    assert world.run.outcome is Outcome.COMPLETE


# How a run ends


def test_a_run_without_a_single_result_failed():
    world = started(task("a"), task("b", "a"), max_retries=0).fall("a", "no disk")
    assert world.states() == {"a": "failed", "b": "skipped"}
    assert world.run.outcome is Outcome.FAILED
    assert world.run.reason == "no task was completed; a: no disk"


def test_a_run_that_missed_something_is_incomplete_and_names_it():
    ids = [f"t{i}" for i in range(7)]
    world = started(task("ok"), *map(task, ids), max_retries=0, max_workers=9).complete("ok")
    for id in ids:
        world.fall(id)
    assert world.run.outcome is Outcome.INCOMPLETE
    assert world.run.reason == "7 of 8 tasks not completed: t0, t1, t2, t3, t4 …"
    assert ledger.summary(world.run).startswith("7 of 8 tasks not completed")


def test_a_task_that_a_person_skipped_is_not_missed():
    world = started(task("a"), task("b"), max_workers=1)
    world.ask(c.SkipTask(task_id="b", by="me"))
    world.complete("a")
    assert world.run.outcome is Outcome.COMPLETE
    assert world.run.reason == ""


@pytest.mark.parametrize("accept", [True, False])
def test_a_partial_result_is_merged_but_never_makes_a_complete_run(accept):
    world = started(task("a"), accept_partial=accept).report("a", "partial").merge("a")
    assert world.run.outcome is Outcome.INCOMPLETE
    assert world.run.reason == "1 of 1 tasks not completed: a"
    assert ledger.output_files(world.run) == ("a.md",)


# Verification

CHECKED = phases(Phase.TASK_PLANNING, Phase.WORKER_EXECUTION, Phase.VERIFICATION)
RED = (CheckResult(command=("make",), exit_status=1, output="no rule\n"),)
GREEN = (CheckResult(command=("make",), exit_status=0),)


@pytest.mark.parametrize(
    ("verdict", "results", "outcome"),
    [
        ("passed", (), Outcome.COMPLETE),
        ("passed_with_warnings", GREEN, Outcome.COMPLETE),
        ("failed", GREEN, Outcome.INCOMPLETE),
        ("passed", RED, Outcome.INCOMPLETE),
        ("passed", (CheckResult(command=("make",), exit_status=None),), Outcome.INCOMPLETE),
    ],
)
def test_commands_that_failed_outweigh_the_verdict(verdict, results, outcome):
    world = started(task("a"), phases=CHECKED).complete("a")
    if results:
        world.see(o.Checked(**world.who(VERIFICATION), results=results))
    world.report(VERIFICATION, verdict, summary="looked at all")
    assert world.run.outcome is outcome
    if outcome is Outcome.INCOMPLETE:
        why = (
            "looked at all"
            if verdict == "failed"
            else "`make` " + {1: "ended with 1", None: "didn't end in time"}[results[-1].exit_status]
        )
        assert world.run.reason == f"verification did not pass: {why}"


def test_a_verdict_without_words_is_told_without_them():
    world = started(task("a"), phases=CHECKED).complete("a")
    world.report(VERIFICATION, "failed", summary="")
    assert world.run.reason == "verification did not pass"


def test_a_verification_that_was_skipped_over_did_not_pass():
    world = started(task("a"), phases=CHECKED, max_retries=0).complete("a")
    world.ask(c.Cancel())
    assert world.run.verdict is None
    assert world.run.outcome is Outcome.CANCELLED


ISSUES = [
    {
        "severity": "error",
        "description": "page b is missing",
        "location": "docs/b.md",
        "suggested_fix": "write it",
    },
    {"severity": "warning", "description": "short"},
    {"description": "no title"},
]


def test_what_verification_found_is_repaired_in_a_round_of_its_own():
    world = started(task("a"), phases=CHECKED, auto_fix=True).complete("a")
    world.report(VERIFICATION, "failed", issues=ISSUES)
    assert list(world.run.tasks) == ["a", "fix-1-1", "fix-1-2"]
    first = world.run.tasks["fix-1-1"].task
    assert first.title == "Repair: page b is missing"
    assert first.description == "page b is missing\nWhere: docs/b.md\nSuggested: write it"
    assert world.run.tasks["fix-1-2"].task.description == "no title"
    assert world.live() == ["fix-1-1", "fix-1-2"]
    assert status(world.run).value == "running"
    world.complete("fix-1-1", "fix-1-2").report(VERIFICATION, "passed")
    assert world.run.outcome is Outcome.COMPLETE
    assert the_way(world)[-3:] == ["verification", "workerExecution", "verification"]


def test_aggregation_comes_again_after_a_repair_round():
    world = started(task("a"), phases=phases(*(set(Phase) - {Phase.ANALYSIS})), auto_fix=True).complete("a")
    world.report(AGGREGATION).report(VERIFICATION, "failed")
    world.complete("fix-1")
    assert world.live() == [AGGREGATION]
    world.report(AGGREGATION).report(VERIFICATION, "passed")
    assert world.run.outcome is Outcome.COMPLETE


def test_red_commands_alone_become_one_repair_task():
    world = started(task("a"), phases=CHECKED, auto_fix=True).complete("a")
    world.see(o.Checked(**world.who(VERIFICATION), results=RED))
    world.report(VERIFICATION, "passed", summary="")
    assert world.run.tasks["fix-1"].task.description == (
        "On everything that was merged so far, these commands failed.\n\n`make` ended with 1:\nno rule"
    )


def test_the_repair_of_red_commands_also_hears_the_verdict():
    world = started(task("a"), phases=CHECKED, auto_fix=True).complete("a")
    world.see(o.Checked(**world.who(VERIFICATION), results=RED))
    world.report(VERIFICATION, "failed", summary="the rule is missing")
    assert world.run.tasks["fix-1"].task.description.endswith("no rule\n\nThe verdict: the rule is missing")
    empty = started(task("a"), phases=CHECKED, auto_fix=True).complete("a")
    empty.report(VERIFICATION, "failed", summary="")
    assert "without a reason" in empty.run.tasks["fix-1"].task.description


def test_there_are_no_more_repair_rounds_than_allowed():
    world = started(task("a"), phases=CHECKED, auto_fix=True, max_fixes=2).complete("a")
    world.report(VERIFICATION, "failed").complete("fix-1").report(VERIFICATION, "failed").complete("fix-2")
    world.report(VERIFICATION, "failed")
    assert world.run.outcome is Outcome.INCOMPLETE
    assert world.run.fix_round == 2
    assert world.run.reason == "verification did not pass after 2 repair rounds: @verification is done"


def test_a_good_verdict_needs_no_repair():
    world = started(task("a"), phases=CHECKED, auto_fix=True).complete("a").report(VERIFICATION, "passed")
    assert world.run.outcome is Outcome.COMPLETE


def test_a_repair_task_never_takes_the_id_of_a_planned_one():
    world = started(task("fix-1"), task("fix-1-2"), phases=CHECKED, auto_fix=True)
    world.complete("fix-1", "fix-1-2").report(VERIFICATION, "failed")
    assert list(world.run.tasks) == ["fix-1", "fix-1-2", "fix-1-3"]


def test_nothing_is_verified_where_nothing_was_merged():
    world = started(task("a"), phases=CHECKED, max_retries=0).fall("a")
    assert VERIFICATION not in world.run.reserved


def capped(**caps) -> World:
    return started(task("a"), task("b", "a"), **caps)


@pytest.mark.parametrize(
    ("cap", "words"),
    [({"max_budget_usd": 2.0}, "$2.50 of $2.00"), ({"max_tokens": 1_500}, "1,610 of 1,500 tokens")],
)
def test_at_its_cap_a_run_starts_nothing_more_and_asks_once(cap, words):
    world = capped(**cap).open("a")
    usage = Usage(input_tokens=1_000, output_tokens=600, cost_usd=2.5)
    done = Report(data={"task_id": "a", "status": "success"})
    world.see(o.Reported(**world.who("a"), report=done, usage=usage))
    world.merge("a")
    (waiting,) = world.run.waiting.values()
    assert (waiting.kind, waiting.options) == (WaitingKind.BUDGET, ("raise", "stop"))
    assert words in waiting.question
    assert world.states()["b"] == "ready"
    world.settle()
    assert len(world.run.waiting) == 1
    assert wakes_at(world.run) is None
    world.ask(c.Answer(waiting_id=waiting.id, answer="raise"))
    assert world.states()["b"] == "running"


def test_a_run_at_its_cap_can_be_stopped():
    world = capped(max_tokens=12).open("a")
    done = Report(data={"task_id": "a", "status": "success"})
    world.see(o.Reported(**world.who("a"), report=done, usage=Usage(input_tokens=5)))
    world.merge("a")
    world.ask(c.Answer(waiting_id="w1", answer="stop"))
    assert world.run.outcome is Outcome.CANCELLED


def test_a_run_that_is_done_at_its_cap_ends_without_a_question():
    world = started(
        task("a"), max_tokens=12, phases=phases(Phase.TASK_PLANNING, Phase.WORKER_EXECUTION)
    ).open("a")
    done = Report(data={"task_id": "a", "status": "success"})
    world.see(o.Reported(**world.who("a"), report=done, usage=Usage(input_tokens=5)))
    world.merge("a")
    assert world.run.outcome is Outcome.COMPLETE


@pytest.mark.parametrize(
    ("settings", "confirm", "run"),
    [
        ({"yes": True}, None, ()),
        ({"auto_spawn": True}, None, ()),
        ({"yes": True, "allowed_commands": (("make",),)}, None, (("make",),)),
        ({}, c.Confirm(by="me"), (("make",), ("rm", "x"))),
        ({}, c.Answer(waiting_id="w1", answer="confirm"), (("make",), ("rm", "x"))),
    ],
)
def test_a_plan_s_commands_run_only_if_a_person_saw_or_allowed_them(settings, confirm, run):
    checks = (Check(command=("make",)), Check(claim="all is well"), Check(command=("rm", "x")))
    world = planned(task("a", checks=checks), **settings)
    if confirm is not None:
        world.ask(confirm)
    assert world.run.confirmed
    assert runnable(world.run, world.run.tasks["a"].task) == run
