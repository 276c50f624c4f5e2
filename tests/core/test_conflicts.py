"""Work that can't be merged: who brings it together, and what becomes of it when nobody does."""

from __future__ import annotations

import pytest

from bigtask.core import commands as c
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.checks import commands_of_merge
from bigtask.core.joining import order
from bigtask.core.ledger import ledger, notices, output_files
from bigtask.core.recovery import to_integrate
from bigtask.core.states import AttemptState, Phase, TaskState, WaitingKind
from bigtask.core.values import AGGREGATION, Check, CheckResult, Evidence, InConflict, Report, Waiting
from core.world import World, phases, started, task

FILES = (InConflict(path="x.md", what="both changed it"), InConflict(path="y.md"))
PLACES = {"workspace": "/w", "versions": "/v"}


def in_conflict(**settings: object) -> World:
    """`b` has reported what can't be merged with `a`'s work; `c` depends on it."""
    world = started(task("a"), task("b"), task("c", "b"), retry_delay_ms=0, **settings).complete("a")
    world.report("b").see(o.Conflicted(**world.who("b"), conflicts=FILES, others=("a",), places=PLACES))
    return world


def asked(world: World) -> Waiting:
    (waiting,) = world.run.waiting.values()
    return waiting


def attempts(world: World, id: str = "b") -> list[str]:
    return [attempt.state.value for attempt in world.run.record(id).attempts]


def say(world: World, answer: str) -> World:
    world.ask(c.Answer(waiting_id=asked(world).id, answer=answer, by="Ada"))
    return world


def test_a_person_is_asked_with_all_that_they_need():
    waiting = asked(in_conflict())
    assert waiting.kind is WaitingKind.CONFLICT
    assert waiting.options == ("resolve", "done", "ours", "theirs", "retry", "skip")
    assert waiting.question.startswith(
        "b conflicts with what is merged by now (of a) in x.md (both changed it), y.md: let an agent resolve"
    )
    assert waiting.details["conflicts"] == (
        {"path": "x.md", "what": "both changed it"},
        {"path": "y.md", "what": ""},
    )
    assert waiting.details["files"] == ("x.md", "y.md")
    assert (waiting.details["workspace"], waiting.details["versions"]) == ("/w", "/v")


def test_many_files_are_counted():
    world = started(task("b")).report("b")
    world.see(o.Conflicted(**world.who("b"), conflicts=tuple(InConflict(path=f"{n}.md") for n in range(5))))
    assert "in 0.md, 1.md, 2.md, 2 more files: " in asked(world).question


@pytest.mark.parametrize("how", ["done", "ours", "theirs"])
def test_a_settled_conflict_goes_on_into_its_merge(how):
    world = say(in_conflict(), how)
    assert to_integrate(world.run) == {"b": 1}
    assert world.run.record("b").attempts[0].settling == how
    world.merge("b")
    assert world.states() == {"a": "completed", "b": "completed", "c": "running"}
    assert attempts(world) == ["completed"]


def test_a_resolution_by_hand_that_isn_t_one_is_asked_about_again():
    world = say(in_conflict(), "done")
    world.see(o.Refused(**world.who("b"), reason="x.md still holds markers", unresolved=True))
    assert asked(world).question.startswith(
        "the conflict of b in x.md (both changed it), y.md isn't resolved (x"
    )
    assert asked(world).details["workspace"] == "/w"
    assert attempts(world) == ["needs_review"]
    assert say(world, "ours").merge("b").state("b") is TaskState.COMPLETED


def test_what_a_person_settled_and_conflicts_again_is_theirs_again():
    world = say(in_conflict(), "done")
    world.see(o.Conflicted(**world.who("b"), conflicts=FILES[:1]))
    assert asked(world).details["files"] == ("x.md",)


@pytest.mark.parametrize("by", ["the rules", "a person"])
def test_the_next_attempt_resolves_it(by):
    world = in_conflict(on_conflict="resolve") if by == "the rules" else say(in_conflict(), "resolve")
    assert attempts(world) == ["superseded", "spawning"]
    assert [attempt.resolves for attempt in world.run.record("b").attempts] == [None, 1]
    assert world.run.record("b").failures == 0
    world.complete("b")
    assert world.states() == {"a": "completed", "b": "completed", "c": "running"}


def test_a_lost_resolver_is_followed_by_another_one():
    world = in_conflict(on_conflict="resolve")
    world.ask(c.Pause(now=True))
    world.ask(c.Resume())
    assert attempts(world) == ["superseded", "lost", "spawning"]
    assert world.run.record("b").attempts[2].resolves == 1


@pytest.mark.parametrize("end", ["falls", "says so", "is refused"])
def test_a_resolver_that_comes_to_nothing_is_tried_again_and_then_a_person_is_asked(end):
    world = in_conflict(on_conflict="resolve", max_retries=1)

    def falls() -> None:
        if end == "falls":
            world.fall("b")
        elif end == "says so":
            world.report("b", "failed", error="no idea")
        else:
            world.report("b")
            world.see(o.Refused(**world.who("b"), reason="markers", unresolved=True))

    falls()
    assert attempts(world) == ["superseded", "failed", "spawning"]
    assert world.run.record("b").attempts[2].resolves == 1
    falls()
    assert attempts(world) == ["superseded", "failed", "needs_review"]
    assert world.states()["c"] == "pending", "nobody is skipped: the work is still there"
    assert asked(world).kind is WaitingKind.CONFLICT
    say(world, "theirs")
    record = world.run.record("b")
    assert record.attempt.report.summary == "b is done", "what was reported before is what is merged"
    assert world.merge("b").state("b") is TaskState.COMPLETED


def test_work_that_conflicts_again_after_it_was_resolved_is_resolved_again():
    world = in_conflict(on_conflict="resolve").report("b")
    world.see(o.Conflicted(**world.who("b"), conflicts=FILES))
    assert [attempt.resolves for attempt in world.run.record("b").attempts] == [None, 1, 2]


def test_a_retry_begins_anew():
    world = say(in_conflict(), "retry")
    assert attempts(world) == ["superseded", "spawning"]
    record = world.run.record("b")
    assert (record.attempts[1].resolves, record.in_conflict, record.conflicts) == (None, None, ())


def test_a_skip_lets_the_others_go_on():
    world = say(in_conflict(), "skip")
    assert world.states() == {"a": "completed", "b": "skipped", "c": "running"}


def test_work_that_was_taken_out_again_is_done_anew():
    """Also of one who resolved a conflict: it was merged, so there is nothing to resolve any more."""
    world = in_conflict(on_conflict="resolve").report("b")
    world.see(o.Refused(**world.who("b"), reason="red together with a", taken_out="c0ffee"))
    assert attempts(world) == ["superseded", "failed", "spawning"]
    assert world.run.record("b").attempts[2].resolves is None
    out = [event.data.taken_out for event in world.events if event.type == "worker:failed"]
    assert out == ["c0ffee"]


def test_work_that_was_taken_out_too_often_fails():
    world = in_conflict(on_conflict="resolve", max_retries=0).report("b")
    world.see(o.Refused(**world.who("b"), reason="red together with a", taken_out="c0ffee"))
    assert world.states() == {"a": "completed", "b": "failed", "c": "skipped"}


def test_an_unresolved_work_that_nobody_settled_is_refused_like_any_other():
    world = started(task("b"), retry_delay_ms=0).report("b")
    world.see(o.Refused(**world.who("b"), reason="red", unresolved=True))
    assert attempts(world) == ["failed", "spawning"]


def test_a_log_of_before_has_only_the_names_of_the_files():
    world = started(task("b")).report("b")
    world.record(e.WorkerConflict(task_id="b", attempt=1, files=("x.md",)))
    assert world.run.record("b").conflicts == (InConflict(path="x.md"),)


# What is checked after a merge


def checking(*took: int) -> World:
    """Tasks t0, t1, … that are merged, each with a check of its own that took so long, and `new`."""
    commands = [(f"check{n}",) for n in range(len(took))]
    tasks = [task(f"t{n}", checks=(Check(command=commands[n]), Check(claim="c"))) for n in range(len(took))]
    new = task("new", checks=(Check(command=("own",)), Check(command=("check0",))))
    world = started(*tasks, new, allowed_commands=(*commands, ("own",)), max_workers=9)
    for n, ms in enumerate(took):
        world.report(f"t{n}")
        result = CheckResult(command=commands[n], exit_status=0, took_ms=ms)
        world.see(o.Checked(**world.who(f"t{n}"), results=(result,)))
        world.merge(f"t{n}")
    return world


def test_after_a_merge_its_own_checks_come_first_and_then_the_others_each_once():
    world = checking(5, 5)
    assert commands_of_merge(world.run, "new", alone=False) == (("own",), ("check0",), ("check1",))
    assert commands_of_merge(world.run, "new", alone=True) == (("check0",), ("check1",))


def test_what_takes_long_is_left_to_the_end():
    assert commands_of_merge(checking(60_001, 60_000).run, "new", alone=True) == (("check1",),)
    world = checking(60_000, 59_000, 58_000, 4_000, 3_000)
    assert commands_of_merge(world.run, "new", alone=True) == (
        ("check0",),
        ("check1",),
        ("check2",),
        ("check4",),
    )


def test_nobody_runs_what_nobody_agreed_to():
    world = started(task("a", checks=(Check(command=("x",)),)), task("b")).complete("a")
    assert commands_of_merge(world.run, "b", alone=False) == ()


# What the ledger says


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        (Evidence(settled=("x",), side="ours"), "in conflict, what was merged before is kept: x"),
        (Evidence(settled=("x",), side="theirs"), "in conflict, this task's version is kept: x"),
        (Evidence(resolved=("x",)), "in conflict, and resolved: x"),
        (Evidence(red_before=(("make", "it"),)), "failed after the merge, and without it too: make it"),
    ],
)
def test_how_a_conflict_ended_stands_in_the_ledger_and_among_the_warnings(evidence, said):
    world = started(task("a"), task("b")).report("a")
    world.see(o.Integrated(**world.who("a"), evidence=evidence))
    assert said in ledger(world.run)[0].remarks
    assert notices(world.run) == (f"a: {said}",)


# What @aggregation writes

AGGREGATED = phases(Phase.TASK_PLANNING, Phase.WORKER_EXECUTION, Phase.AGGREGATION)


def aggregating(**settings: object) -> World:
    world = started(task("a"), phases=AGGREGATED, **settings).complete("a").open(AGGREGATION)
    seen = o.Reported(**world.who(AGGREGATION), report=Report(data={"status": "success", "summary": "one"}))
    world.see(seen)
    return world


def test_what_aggregation_wrote_is_recorded_before_it_is_completed():
    world = aggregating()
    assert world.state(AGGREGATION) is TaskState.INTEGRATING
    assert to_integrate(world.run) == {AGGREGATION: 1}
    assert world.run.outcome is None
    world.ask(c.Pause())
    assert not world.run.paused, "a pause waits for it"
    evidence = Evidence(files=("RESULT.md",), commit="c")
    world.see(o.Integrated(**world.who(AGGREGATION), evidence=evidence))
    assert world.run.paused
    world.ask(c.Resume())
    assert world.run.aggregate.summary == "one"
    assert notices(world.run) == ("@aggregation itself changed RESULT.md",)
    assert output_files(world.run) == ("RESULT.md", "a.md")


def test_where_nothing_is_merged_aggregation_is_completed_at_once():
    world = started(task("a"), phases=AGGREGATED, isolation="none")
    world.report("a").report(AGGREGATION)
    assert world.state(AGGREGATION) is TaskState.COMPLETED
    assert to_integrate(world.run) == {}


def test_an_aggregation_that_is_being_recorded_is_outdated_by_a_retry():
    world = aggregating()
    world.ask(c.Retry(task_id="a"))
    assert attempts(world, AGGREGATION) == ["lost"]
    late = o.Integrated(task_id=AGGREGATION, attempt=1, evidence=Evidence())
    assert world.see(late) == ()
    world.complete("a").report(AGGREGATION)
    assert world.run.record(AGGREGATION).attempts[1].state is AttemptState.COMPLETED


# In which order parts of a document belong


def test_parts_come_in_plan_order_and_after_what_they_build_on():
    assert order([task("c", "a"), task("a"), task("b")]) == ("a", "c", "b")
    assert order([task("a"), task("b"), task("c")]) == ("a", "b", "c")
    assert order([task("d", "b", "c"), task("b", "a"), task("c"), task("a")]) == ("c", "a", "b", "d")
