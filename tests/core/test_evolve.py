"""What each event means by itself; what leads to it is in the tests of commands, observations and phases."""

from __future__ import annotations

import pytest

from bigtask.core import commands as c
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.edits import AddTask
from bigtask.core.evolve import begin, evolve, fold
from bigtask.core.states import AttemptState, IllegalMove, Outcome, Phase, TaskState
from bigtask.core.values import CheckResult, Evidence, Report, Usage
from core.world import RUN_ID, World, planned, started, task


def attempt(world: World, id: str, number: int = -1):
    record = world.run.record(id)
    return record.attempts[number if number < 0 else number - 1]


def test_a_run_begins_with_its_creation():
    created = World().events[0]
    run = begin(RUN_ID, created)
    assert (run.id, run.seq, run.created_at, run.updated_at) == (RUN_ID, 1, created.at, created.at)
    with pytest.raises(IllegalMove, match="begins with orchestrator:created, not with orchestrator:started"):
        begin(RUN_ID, e.Event(1, 0, e.Started()))
    with pytest.raises(IllegalMove, match="an empty log is no run"):
        fold(RUN_ID, [])


@pytest.mark.parametrize("seq", [0, 1, 3])
def test_events_follow_one_another_without_gap_or_repeat(seq):
    world = World()
    with pytest.raises(IllegalMove, match=f"event {seq} can't follow event 1"):
        evolve(world.run, e.Event(seq, 0, e.Started()))
    assert not world.run.started


@pytest.mark.parametrize(
    ("happened", "said"),
    [
        (e.WorkerSpawned(task_id="x", attempt=1, agent="plain", session_name="s"), "attempt 1 at x can't be"),
        (e.WorkerSpawned(task_id="b", attempt=2, agent="plain", session_name="s"), "attempt 2 at b can't be"),
        (e.WorkerSpawned(task_id="a", attempt=2, agent="plain", session_name="s"), "running -> running"),
        (e.WorkerCompleted(task_id="x", attempt=1), "there is no attempt 1 at x"),
        (e.WorkerCompleted(task_id="a", attempt=0), "there is no attempt 0 at a"),
        (e.WorkerCompleted(task_id="a", attempt=2), "there is no attempt 2 at a"),
        (e.WorkerCompleted(task_id="a", attempt=1), "AttemptState: spawning -> completed"),
        (e.WorkerSkipped(task_id="done", reason="r", by="me"), "TaskState: completed -> skipped"),
    ],
)
def test_an_event_that_cannot_happen_here_is_a_bug(happened, said):
    world = started(task("done", priority=1), task("a"), task("b", "a"), max_workers=1).complete("done")
    with pytest.raises(IllegalMove, match=said):
        evolve(world.run, e.Event(world.run.seq + 1, 0, happened))


def test_a_started_attempt_has_its_session_and_branch():
    world = started(task("a"))
    assert attempt(world, "a").session_name == f"local___orch_{RUN_ID}_worker_a"
    world.open("a")
    assert attempt(world, "a").state is AttemptState.RUNNING
    assert (attempt(world, "a").session_id, attempt(world, "a").branch) == ("a-1", "b/a")


def test_progress_is_remembered_and_means_that_the_attempt_is_at_work_again():
    world = started(task("a")).open("a")
    for pause in (o.Limited(**world.who("a"), kind="rate"), o.Stalled(**world.who("a"), quiet_ms=5)):
        world.see(pause)
        assert attempt(world, "a").state in (AttemptState.LIMITED, AttemptState.STALLED)
        world.see(o.Progressed(**world.who("a"), percent=40.0, action="reads"))
        assert attempt(world, "a").state is AttemptState.RUNNING
    assert (attempt(world, "a").percent, attempt(world, "a").action) == (40.0, "reads")


def test_words_and_progress_for_watchers_change_nothing():
    world = started(task("a"))
    before = repr(world.run)
    world.record(
        e.Progress(counts={"total": 1}, percent=0.0),
        e.WorkerMessage(task_id="a", attempt=1, offset=0, length=9),
    )
    assert repr(world.run).replace(f"seq={world.run.seq}", "") == before.replace(
        f"seq={world.run.seq - 2}", ""
    )


def test_questions_checks_and_evidence_are_kept_with_the_attempt():
    world = started(task("a")).open("a")
    world.see(o.Reasked(**world.who("a"), number=2, errors=("no block",)))
    world.report("a")
    results = (CheckResult(command=("make",), exit_status=0),)
    world.see(o.Checked(**world.who("a"), results=results))
    world.merge("a", "a.md", "b.md")
    seen = attempt(world, "a")
    assert (seen.reasked, seen.checks, seen.evidence) == (2, results, Evidence(files=("a.md", "b.md")))


def test_what_was_used_is_the_sum_of_what_attempts_say_last():
    world = started(task("a"), task("b"), agent="patient").open("a").open("b")
    planning = world.run.used
    world.ask(c.Pause())
    world.see(o.Interrupted(**world.who("a"), usage=Usage(input_tokens=5, cost_usd=0.5), tools={"read": 1}))
    assert world.run.used - planning == Usage(input_tokens=5, cost_usd=0.5)
    world.see(o.Failed(**world.who("b"), reason="broke", usage=Usage(output_tokens=3, cost_usd=0.1)))
    world.ask(c.Resume())
    world.open("a")
    seen = o.Reported(
        **world.who("a"),
        report=Report(data={"status": "completed"}),
        usage=Usage(input_tokens=8, cost_usd=0.75),
        tools={"read": 2},
    )
    world.see(seen)
    used = world.run.used - planning
    assert (used.input_tokens, used.output_tokens) == (8, 3)
    assert used.cost_usd == pytest.approx(0.85)
    assert attempt(world, "a").tools == {"read": 2}


def test_an_end_that_says_nothing_of_use_leaves_what_was_said_before():
    world = started(task("a")).open("a")
    world.report("a")
    world.see(o.Refused(**world.who("a"), reason="its check failed"))
    assert attempt(world, "a", 1).state is AttemptState.FAILED
    assert attempt(world, "a", 1).usage == Usage(input_tokens=10)
    assert world.run.used == Usage(input_tokens=20), "@planning used the other ten"


def test_a_merge_into_the_branch_of_the_person_can_be_taken_back():
    world = started(task("a")).complete("a")
    world.record(e.Merged(commit="abc", files=("a.md",)))
    assert world.run.merged == "abc"
    world.record(e.Merged(undone=True))
    assert world.run.merged is None
    world.record(e.Merged())
    assert world.run.merged == "applied"


def test_the_end_settles_everything_that_was_open():
    world = planned(task("a"))
    assert world.run.waiting
    world.record(e.Errored(reason="it broke"))
    assert (world.run.outcome, world.run.reason, world.run.waiting) == (Outcome.FAILED, "it broke", {})


def test_an_edit_of_the_plan_keeps_what_was_done_and_reckons_anew():
    world = started(task("a"), task("b", "a", estimated_minutes=5.0), max_workers=1).complete("a")
    assert world.run.estimate.minutes_high == 12.0
    world.record(e.PlanChanged(revision=1, edits=(AddTask(task=task("c", "b", estimated_minutes=10.0)),)))
    assert world.states() == {"a": "completed", "b": "running", "c": "pending"}
    assert world.run.plan.revision == 2
    assert world.run.estimate.minutes_high == 32.0


def test_a_task_waits_pending_for_work_and_blocked_for_a_person():
    world = started(task("a"), task("b"), task("c", "a", "b"))
    assert world.states()["c"] == "pending"
    world.report("a", "partial").merge("a")
    assert world.states()["c"] == "blocked"
    world.ask(c.Answer(waiting_id="w1", answer="accept", by="me"))
    assert world.states() == {"a": "partial", "b": "running", "c": "pending"}
    world.complete("b")
    assert world.state("c") is TaskState.RUNNING


def test_the_phase_says_how_many_repair_rounds_there_were():
    world = started(task("a"))
    world.record(e.PhaseChanged(phase=Phase.WORKER_EXECUTION, round=3))
    assert world.run.fix_round == 3
