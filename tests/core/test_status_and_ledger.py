from __future__ import annotations

import msgspec
import pytest

from bigtask.core import commands as c
from bigtask.core import ledger
from bigtask.core import observations as o
from bigtask.core.decide import decide
from bigtask.core.states import Phase, Status, TaskState
from bigtask.core.status import ALLOWED, status
from bigtask.core.values import Check, CheckResult, Evidence, Report
from bigtask.core.view import view, worker
from core.world import World, phases, planned, started, task


def test_each_status_is_derived_from_where_the_run_stands():
    world = World(phases=phases(*Phase), max_retries=0)
    seen = [status(world.run)]
    world.ask(c.Start())
    seen.append(status(world.run))
    world.report("@analysis")
    seen.append(status(world.run))
    tasks = [{"id": id, "title": id, "description": ""} for id in "ab"]
    world.report("@planning", tasks=tasks)
    seen.append(status(world.run))
    world.ask(c.Pause())
    seen.append(status(world.run))
    world.ask(c.Resume())
    world.ask(c.Confirm())
    seen.append(status(world.run))
    world.complete("a").fall("b")
    seen.append(status(world.run))
    world.report("@aggregation")
    seen.append(status(world.run))
    world.report("@verification", "passed")
    seen.append(status(world.run))
    assert [each.value for each in seen] == [
        "created",
        "analyzing",
        "planning",
        "confirming",
        "paused",
        "running",
        "aggregating",
        "verifying",
        "completed",
    ]
    assert world.run.outcome.value == "incomplete"


def test_a_run_is_spawning_until_the_first_task_has_begun():
    world = planned(task("a"))
    world.record(*c.obey(world.run, c.Confirm()))
    world.record(*decide(world.run, world.now))
    assert status(world.run) is Status.SPAWNING
    world.settle()
    assert status(world.run) is Status.RUNNING


def test_a_failed_run_reads_as_error_and_a_question_before_analysis_as_analyzing():
    assert status(started(task("a"), max_retries=0).fall("a").run) is Status.ERROR
    world = World()
    world.record(*c.obey(world.run, c.Start()))
    assert status(world.run) is Status.ANALYZING


def test_every_status_says_what_is_possible():
    assert set(ALLOWED) == set(Status)


def test_counts_have_every_state_and_sum_to_the_total():
    world = started(task("a"), task("b"), task("c", "b"), max_retries=0).complete("a").fall("b")
    counts = ledger.counts(world.run)
    assert counts.pop("total") == 3 == sum(counts.values())
    assert set(counts) == set(TaskState)
    assert ledger.percent(world.run) == 100.0
    assert ledger.percent(World().run) == 0.0
    assert ledger.percent(started(task("a"), task("b")).complete("a").run) == 50.0


def test_the_ledger_says_what_became_of_each_task():
    world = started(task("a"), task("b", "a"), task("c"), max_retries=0).complete("a").fall("b", "no disk")
    a, b, waits = ledger.ledger(world.run)
    assert (a.state, a.files, a.summary, a.quality, a.remarks) == (
        "completed",
        ("a.md",),
        "a is done",
        "strict",
        (),
    )
    assert (b.state, b.reason, b.attempts, b.files, b.summary) == ("failed", "no disk", 1, (), "")
    assert (waits.task_id, waits.state) == ("c", "running")


def test_whatever_was_missed_mended_or_assumed_is_remarked():
    world = started(task("a", checks=(Check(command=("make", "red")),)), retry_delay_ms=0)
    world.see(o.Crashed(**world.who("a"), reason="exit 1"))
    world.see(o.Reasked(**world.who("a"), number=1, errors=("x",)))
    report = Report(data={"status": "completed", "warnings": ["not sure"]}, quality="repaired")
    world.see(o.Reported(**world.who("a"), report=report))
    results = tuple(CheckResult(command=("make", x), exit_status=s) for x, s in (("ok", 0), ("red", 1)))
    world.see(o.Checked(**world.who("a"), results=results))
    evidence = Evidence(
        files=("x", "y"),
        claimed_unchanged=("w",),
        changed_unclaimed=("x",),
        outside_scope=("y",),
        in_submodules=("lib/z",),
    )
    world.see(o.Integrated(**world.who("a"), evidence=evidence))
    remarks = ledger.ledger(world.run)[0].remarks
    assert remarks == (
        "the answer was repaired",
        "asked again once",
        "claimed but unchanged: w",
        "changed but not claimed: x",
        "outside its scope: y",
        "changed in a submodule, and so not part of the result: lib/z",
        "check failed: make red",
        "1 earlier attempt ended without an answer",
        "the agent warns: not sure",
    )


def test_a_task_without_an_attempt_has_nothing_to_remark():
    assert ledger.remarks(planned(task("a")).run.tasks["a"]) == ()


def test_the_files_of_a_run_are_those_that_were_merged():
    world = started(*map(task, "abc"), max_retries=0).report("a").merge("a", "z.md", "a.md")
    world.report("b", "partial").merge("b", "a.md").fall("c")
    assert ledger.output_files(world.run) == ("a.md", "z.md")


def test_the_summary_says_first_what_was_missed():
    assert ledger.summary(World().run) == "nothing was planned"
    on = phases(Phase.TASK_PLANNING, Phase.WORKER_EXECUTION, Phase.AGGREGATION)
    world = started(task("a"), task("b"), phases=on, max_retries=0).complete("a").fall("b")
    world.report("@aggregation", summary="Half of the pages")
    assert ledger.summary(world.run) == (
        "1 of 2 tasks not completed: b. 1 of 2 tasks completed. Half of the pages"
    )


@pytest.mark.parametrize("ended", [True, False])
def test_surfaces_show_one_shape(ended):
    world = started(task("a")).open("a")
    if ended:
        world.complete("a")
    shown = msgspec.to_builtins(view(world.run))
    assert shown["status"] == ("completed" if ended else "running")
    assert shown["tasks"]["total"] == 1
    assert shown["branch"] == f"bigtask/{world.run.id}/main"
    assert list(shown["allowed"]) == sorted(ALLOWED[status(world.run)])
    (attempt,) = msgspec.to_builtins(worker(world.run.tasks["a"]))["attempts"]
    assert (attempt["endedAt"] is not None, attempt["report"] is not None) == (ended, ended)


def test_a_report_lacks_nothing_that_an_answer_may_leave_out():
    empty = Report(data={})
    assert (empty.status, empty.summary, empty.output_files) == ("", "", ())
    assert Report(data={"output_files": ["a"]}).output_files == ("a",)
