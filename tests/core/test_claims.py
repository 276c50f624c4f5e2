from __future__ import annotations

import pytest

from bigtask.core import claims, ledger
from bigtask.core import commands as c
from bigtask.core import observations as o
from bigtask.core.checks import commands_of_whole, programs, runnable, wanted_by
from bigtask.core.states import Outcome, Phase
from bigtask.core.values import VERIFICATION, Check, Evidence
from core.world import phases, planned, started, task

VERIFIED = phases(Phase.TASK_PLANNING, Phase.WORKER_EXECUTION, Phase.VERIFICATION)
MAKE, LINT = ("make", "test"), ("make", "lint")


def claiming(id: str, *texts: str, **fields):
    return task(id, checks=tuple(Check(claim=text) for text in texts), **fields)


def answered(*answers: tuple[str, str, str]) -> list[dict[str, str]]:
    return [{"id": id, "verdict": verdict, "evidence": seen} for id, verdict, seen in answers]


def test_the_claims_of_merged_tasks_are_asked_by_name():
    world = started(
        claiming("a", "it is so", "and so"), claiming("b", "never"), phases=VERIFIED, max_retries=0
    )
    world.complete("a").fall("b")
    assert [(claim.id, claim.claim) for claim in claims.asked(world.run)] == [
        ("a.1", "it is so"),
        ("a.2", "and so"),
    ]


def test_an_answer_that_leaves_a_claim_out_names_it():
    world = started(claiming("a", "it is so", "and so"), phases=VERIFIED).complete("a")
    given = {"claims": answered(("a.2", "holds", "x"), ("z.9", "holds", ""))}
    assert claims.problems(world.run, given) == (
        "claims has nothing about a.1 (it is so): say whether it holds, fails or is unclear",
    )
    assert len(claims.problems(world.run, {})) == 2


def test_each_claim_is_reported_with_what_was_seen_of_it():
    world = started(claiming("a", "one", "two", "three", "four", "five"), phases=VERIFIED).complete("a")
    assert claims.remarks(world.run, world.run.tasks["a"].task) == ()
    given = answered(
        ("a.1", "holds", "a.md:3"), ("a.2", "fails", "a.md:9"), ("a.3", "unclear", ""), ("a.4", "holds", "")
    )
    world.report(VERIFICATION, "passed", claims=given)
    (entry,) = ledger.ledger(world.run)
    assert [claim.verdict for claim in entry.claims] == ["holds", "fails", "unclear", "holds", ""]
    assert entry.claims[0].evidence == "a.md:3"
    assert entry.remarks == (
        "claim fails: two (a.md:9)",
        "claim unclear: three",
        "claim said to hold, no evidence named: four",
        "claim not judged: five",
    )


def test_a_claim_that_fails_outweighs_the_verdict_and_is_repaired():
    world = started(claiming("a", "every page has an example"), phases=VERIFIED, auto_fix=True).complete("a")
    world.report(VERIFICATION, "passed", claims=answered(("a.1", "fails", "docs/a.md")))
    repair = world.run.tasks["fix-1-1"].task
    assert repair.description == (
        "It was claimed that every page has an example. It isn't so.\nWhere: docs/a.md"
    )
    world.complete("fix-1-1").report(VERIFICATION, "passed", claims=answered(("a.1", "fails", "docs/a.md")))
    assert world.run.outcome is Outcome.INCOMPLETE
    assert world.run.reason == (
        "verification did not pass after 1 repair round: not as claimed: every page has an example"
    )


def test_a_task_that_changed_nothing_is_told_with_what_it_says():
    world = started(task("a"), task("b")).report("a", summary="Wrote all pages.").report("b", summary="")
    for id in "ab":
        world.see(o.Integrated(**world.who(id), evidence=Evidence()))
    assert [entry.remarks for entry in ledger.ledger(world.run)] == [
        ('says "Wrote all pages."; nothing in the diff shows it',),
        ('says "completed"; nothing in the diff shows it',),
    ]


def test_on_the_merged_whole_the_template_and_every_merged_task_are_checked_once():
    both = (Check(command=MAKE), Check(command=LINT))
    tasks = task("a", checks=both), task("b", checks=both), task("c", checks=(Check(command=("no",)),))
    world = planned(*tasks, commands=(MAKE,), phases=VERIFIED, max_retries=0)
    world.ask(c.Confirm(by="ada"))
    assert commands_of_whole(world.run) == (MAKE,)
    world.complete("a", "b").fall("c")
    assert commands_of_whole(world.run) == (MAKE, LINT)
    assert wanted_by(world.run, MAKE) == ("template",)
    assert wanted_by(world.run, LINT) == ("a", "b")


def test_commands_that_nobody_has_seen_are_not_run_on_the_merged_whole():
    check = (Check(command=LINT),)
    world = started(task("a", checks=check), commands=(MAKE,), phases=VERIFIED).complete("a")
    assert runnable(world.run, world.run.tasks["a"].task) == ()
    assert commands_of_whole(world.run) == (MAKE,)
    allowed = started(task("a", checks=check), allowed_commands=(LINT,), phases=VERIFIED).complete("a")
    assert commands_of_whole(allowed.run) == (LINT,)


def test_a_run_in_the_project_itself_runs_only_what_the_template_wants():
    check = (Check(command=LINT),)
    world = started(task("a", checks=check), allowed_commands=(LINT,), isolation="none", phases=VERIFIED)
    assert commands_of_whole(world.report("a").run) == ()


@pytest.mark.parametrize("verified", [True, False])
def test_every_command_is_listed_with_who_wants_it_and_when(verified):
    on = VERIFIED if verified else phases(Phase.TASK_PLANNING, Phase.WORKER_EXECUTION)
    world = planned(
        task("a", checks=(Check(command=LINT), Check(claim="fine"))),
        task("b", checks=(Check(command=LINT),)),
        task("c", checks=(Check(command=("rm",)),)),
        commands=(MAKE,),
        hooks={"onComplete": ("notify",)},
        setup=(("npm", "ci"),),
        phases=on,
    )
    world.ask(c.Confirm(modifications={"c": c.Modification(skip=True)}))
    listed = [(one.command, one.origin, one.when, one.agreed) for one in programs(world.run)]
    whole = ", and on the merged whole" if verified else ""
    assert listed == [
        (("notify",), "template custom", "as the hook onComplete", True),
        (("npm", "ci"), "template custom", "in each workspace, before work begins there", True),
        (LINT, "a, b", f"before the work is merged{whole}", True),
        *([(MAKE, "template custom", "on the merged whole", True)] if verified else []),
    ]
    unseen = planned(task("a", checks=(Check(command=LINT),)), allowed_commands=(MAKE,))
    assert [one.agreed for one in programs(unseen.run)] == [False]


def test_nothing_is_set_up_where_the_work_is_done_in_the_project_itself():
    assert programs(planned(task("a"), setup=(("npm", "ci"),), isolation="none").run) == ()


def test_a_run_that_went_on_without_a_verdict_says_why_it_did_not_pass():
    world = started(task("a"), phases=VERIFIED).complete("a")
    world.see(o.Unusable(**world.who(VERIFICATION), errors=("status is missing",), answer="fine"))
    (waiting,) = world.run.waiting.values()
    world.ask(c.Answer(waiting_id=waiting.id, answer="skip", by="ada"))
    assert world.run.outcome is Outcome.INCOMPLETE
    assert world.run.reason.startswith("verification did not pass: ")
