"""What the world reports, and the gate that it passes."""

from __future__ import annotations

import pytest

from bigtask.core import commands as c
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.reactions import observe
from bigtask.core.recovery import recover
from bigtask.core.states import AttemptState, Phase, TaskState, WaitingKind
from bigtask.core.values import (
    AGGREGATION,
    PLANNING,
    VERIFICATION,
    CheckResult,
    Evidence,
    InConflict,
    Report,
    Usage,
)
from core.world import World, phases, started, task

DONE = Report(data={"status": "completed"})


def attempts(world: World, id: str) -> list[str]:
    return [attempt.state.value for attempt in world.run.record(id).attempts]


def test_each_notice_is_the_event_of_its_name():
    world = started(task("a"))
    who = world.who("a")
    for seen, said in (
        (o.Opened(**who, session_id="s", branch="b"), e.WorkerStarted(**who, session_id="s", branch="b")),
        (
            o.Progressed(**who, percent=5.0, action="x", files_done=1, files_total=2),
            e.WorkerProgress(**who, percent=5.0, action="x", files_done=1, files_total=2),
        ),
        (o.Spoke(**who, offset=3, length=4), e.WorkerMessage(**who, offset=3, length=4)),
        (o.Reasked(**who, number=1, errors=("x",)), e.WorkerReasked(**who, number=1, errors=("x",))),
        (o.Limited(**who, kind="rate", reset_ms=9), e.WorkerLimited(**who, kind="rate", reset_ms=9)),
        (o.Stalled(**who, quiet_ms=9), e.WorkerStalled(**who, quiet_ms=9)),
    ):
        assert world.see(seen) == (said,)


def test_an_observation_without_a_meaning_is_a_bug():
    class Dreamt(o.Observation):
        pass

    with pytest.raises(AssertionError, match="nothing says what Dreamt means"):
        started(task("a")).see(Dreamt(task_id="a", attempt=1))


@pytest.mark.parametrize(("id", "number"), [("x", 1), ("a", 0), ("a", 2), ("@analysis", 1)])
def test_what_is_said_of_attempts_that_never_were_means_nothing(id, number):
    world = started(task("a"))
    assert world.see(o.Reported(task_id=id, attempt=number, report=DONE)) == ()


# The gate


def late() -> tuple[World, o.Reported]:
    """A report of an attempt that was lost, while the next one is at work."""
    world = started(task("a")).open("a")
    seen = o.Reported(**world.who("a"), report=DONE, usage=Usage(input_tokens=7))
    world.ask(c.Pause(now=True))
    world.ask(c.Resume())
    world.open("a")
    return world, seen


def refused(world: World, seen: o.Reported) -> bool:
    said = observe(world.run, seen, jitter=0.0)
    return said == (e.WorkerSuperseded(task_id="a", attempt=1, reason="reported after it was lost"),)


def test_a_late_result_is_refused_and_the_live_attempt_goes_on():
    world, seen = late()
    assert refused(world, seen)
    world.see(seen)
    assert attempts(world, "a") == ["superseded", "running"]
    assert world.live() == ["a"]
    assert world.see(seen) == (), "it is refused once"
    world.complete("a")
    assert world.state("a") is TaskState.COMPLETED


@pytest.mark.parametrize("gate", ["reactions.may_report", "run.Run.is_live"])
def test_without_the_gate_the_late_result_would_be_accepted(monkeypatch, gate):
    """The mutant of the test above: it has to notice."""
    world, seen = late()
    monkeypatch.setattr(f"bigtask.core.{gate}", lambda *_: True)
    assert not refused(world, seen)
    assert observe(world.run, seen, jitter=0.0)[0].type == "worker:reported"


@pytest.mark.parametrize(
    "seen",
    [
        o.Integrated(task_id="a", attempt=1, evidence=Evidence()),
        o.Conflicted(task_id="a", attempt=1, conflicts=(InConflict(path="x"),)),
        o.Refused(task_id="a", attempt=1, reason="red"),
    ],
)
def test_only_what_was_reported_can_be_merged(seen):
    world = started(task("a")).open("a")
    assert world.see(seen) == ()
    world.report("a").ask(c.CancelTask(task_id="a"))
    assert world.see(seen) == ()
    assert world.state("a") is TaskState.CANCELLED


def test_late_words_that_are_no_result_are_dropped():
    world, _ = late()
    assert world.see(o.Failed(task_id="a", attempt=1, reason="late")) == ()
    assert world.see(o.Progressed(task_id="a", attempt=1, percent=1.0)) == ()


@pytest.mark.parametrize("rest", ["review", "pause"])
def test_a_result_of_an_attempt_at_rest_does_not_end_its_rest(rest):
    world = started(task("a")).open("a")
    who = world.who("a")
    world.see(o.Unusable(**who, errors=("x",), answer="") if rest == "review" else o.Interrupted(**who))
    assert world.see(o.Reported(**who, report=DONE)) == ()
    world.ask(c.Retry(task_id="a") if rest == "review" else c.ResumeTask(task_id="a"))
    assert world.live() == ["a"]


# Results


@pytest.mark.parametrize(
    ("status", "data", "state", "reason"),
    [
        ("failed", {"error": "no disk"}, "failed", "no disk"),
        ("failed", {"summary": "gave up"}, "failed", "gave up"),
        ("timeout", {"summary": ""}, "timeout", "the agent gave no reason"),
    ],
)
def test_an_agent_that_says_it_failed_has_failed(status, data, state, reason):
    world = started(task("a"), max_retries=0)
    world.report("a", status, **data)
    assert (world.states()["a"], world.run.tasks["a"].reason) == (state, reason)


def test_a_crash_is_a_failure_of_the_task():
    world = started(task("a"), max_retries=0)
    world.see(o.Crashed(**world.who("a"), reason="exit 9", usage=Usage(output_tokens=4), tools={"bash": 1}))
    assert attempts(world, "a") == ["crashed"]
    assert world.states() == {"a": "failed"}
    assert world.run.tasks["a"].attempt.tools == {"bash": 1}


def test_read_only_work_has_nothing_to_merge():
    world = started(task("a"), task("b", "a"), isolation="none").report("a")
    assert world.states() == {"a": "completed", "b": "running"}
    world.report("b", "partial")
    assert world.states()["b"] == "partial"


def test_reported_work_is_not_done_before_it_is_merged():
    world = started(task("a"), task("b", "a")).report("a")
    assert world.states() == {"a": "integrating", "b": "pending"}
    assert world.run.integrating == {"a": 1}


def test_a_red_check_is_a_failure():
    world = started(task("a"), max_retries=0).report("a")
    red = (CheckResult(command=("make",), exit_status=2),)
    world.see(o.Checked(**world.who("a"), results=red))
    world.see(o.Refused(**world.who("a"), reason="its check 'make' failed"))
    assert world.states() == {"a": "failed"}
    assert world.run.tasks["a"].attempt.checks == red


def test_the_template_may_accept_partial_results():
    world = started(task("a"), task("b", "a"), accept_partial=True).report("a", "partial").merge("a")
    assert world.states() == {"a": "partial", "b": "running"}
    assert world.run.tasks["a"].by == "template"


def test_the_commands_of_verification_run_before_its_session():
    on = phases(Phase.TASK_PLANNING, Phase.WORKER_EXECUTION, Phase.VERIFICATION)
    world = started(task("a"), phases=on).complete("a")
    results = (CheckResult(command=("make",), exit_status=0),)
    assert world.see(o.Checked(**world.who(VERIFICATION), results=results))[0].results == results


# What a person has to settle


def test_a_permission_waits_and_its_answer_lets_the_attempt_go_on():
    world = started(task("a")).open("a")
    who = world.who("a")
    asked = o.Asked(**who, request_id="r1", question="May I?", options=("allow", "deny"))
    waiting = world.see(asked)[0].waiting
    assert (waiting.kind, waiting.request_id, waiting.attempt) == (WaitingKind.PERMISSION, "r1", 1)
    assert attempts(world, "a") == ["waiting"]
    assert [each.type for each in world.see(asked)] == ["orchestrator:waiting"]
    assert world.ask(c.Answer(waiting_id="w1", answer="allow", by="me"))[0].by == "me"
    assert attempts(world, "a") == ["waiting"], "the other question is open"
    world.ask(c.Answer(waiting_id="w2", answer="deny", scope="run"))
    assert attempts(world, "a") == ["running"]


def asks(world: World, id: str = "a") -> list[str]:
    question = o.Asked(**world.who(id), request_id="r", question="May I?", options=("allow", "deny"))
    return [each.type for each in world.see(question)]


ASKED = ["orchestrator:waiting", "worker:waiting"]
KNOWN = ["orchestrator:waiting", "orchestrator:answered"]


def test_the_same_question_is_asked_again_when_the_answer_was_for_once():
    world = started(task("a")).open("a")
    assert asks(world) == ASKED
    world.ask(c.Answer(waiting_id="w1", answer="allow"))
    assert asks(world) == ASKED
    assert attempts(world, "a") == ["waiting"]


def test_an_answer_that_a_lost_session_may_not_have_heard_holds_for_the_next_attempt_once():
    world = started(task("a")).open("a")
    asks(world)
    world.ask(c.Answer(waiting_id="w1", answer="allow", by="me"))
    world.record(*recover(world.run))
    world.settle()
    world.open("a")
    assert asks(world) == KNOWN
    assert world.last(e.Answered).by == "me"
    assert attempts(world, "a") == ["lost", "running"]
    assert asks(world) == ASKED


@pytest.mark.parametrize(("scope", "other"), [("task", ASKED), ("run", KNOWN)])
def test_an_answer_holds_for_as_much_as_it_was_given_for(scope: str, other: list[str]):
    world = started(task("a"), task("b")).open("a").open("b")
    asks(world)
    world.ask(c.Answer(waiting_id="w1", answer="deny", scope=scope))
    assert asks(world) == KNOWN
    assert asks(world, "b") == other


def test_what_one_task_may_have_missed_is_no_other_s():
    world = started(task("a"), task("b")).open("a").open("b")
    asks(world, "b")
    world.ask(c.Answer(waiting_id="w1", answer="allow"))
    world.record(e.WorkerLost(**world.who("a")))
    assert asks(world, "b") == ASKED


def test_an_answer_that_the_agent_doesn_t_offer_this_time_is_asked_for():
    world = started(task("a")).open("a")
    asks(world)
    world.ask(c.Answer(waiting_id="w1", answer="deny", scope="run"))
    again = o.Asked(**world.who("a"), request_id="r", question="May I?", options=("allow",))
    assert [each.type for each in world.see(again)] == ASKED


def test_an_answer_to_an_attempt_that_is_limited_leaves_it_limited():
    world = started(task("a")).open("a")
    world.see(o.Asked(**world.who("a"), request_id="r", question="?", options=("allow",)))
    world.see(o.Limited(**world.who("a"), kind="rate"))
    world.see(o.Limited(**world.who("a"), kind="rate"))
    world.ask(c.Answer(waiting_id="w1", answer="allow"))
    assert attempts(world, "a") == ["limited"]
    world.report("a")
    assert attempts(world, "a") == ["reported"]


def test_nothing_is_asked_any_more_of_an_attempt_that_ended():
    world = started(task("a")).open("a")
    world.see(o.Asked(**world.who("a"), request_id="r", question="?", options=("allow",)))
    world.fall("a")
    assert world.run.waiting == {}


def test_an_agent_that_answers_nonsense_is_reviewed_by_a_person():
    world = started(task("a")).open("a")
    world.see(o.Unusable(**world.who("a"), errors=("no block", "no id"), answer="la la"))
    (waiting,) = world.run.waiting.values()
    assert (waiting.kind, waiting.options) == (WaitingKind.ANSWER, ("edit", "retry", "skip"))
    assert waiting.question.endswith("try it again, or go on without it?")
    assert waiting.details["answer"] == "la la"
    assert world.states() == {"a": "running"}
    assert world.run.tasks["a"].reason.endswith("no block; no id")


def test_without_a_plan_nothing_can_be_gone_on_with():
    world = World()
    world.ask(c.Start())
    world.report("@analysis")
    world.see(o.Unusable(**world.who("@planning"), errors=("x",), answer=""))
    (waiting,) = world.run.waiting.values()
    assert waiting.options == ("edit", "retry", "fail")
    assert waiting.question.endswith("by hand, try it again, or let the run fail?")


# Interruptions


def test_an_interrupted_attempt_rests():
    world = started(task("a"), task("b")).open("a")
    world.see(o.Interrupted(**world.who("a"), usage=Usage(input_tokens=3)))
    assert attempts(world, "a") == ["paused"]
    assert world.live() == ["b"]


@pytest.mark.parametrize(("agent", "states"), [("patient", ["spawning"]), ("plain", ["lost", "spawning"])])
def test_an_interruption_that_arrives_after_the_resume_does_not_strand_the_task(agent, states):
    world = started(task("a"), agent=agent).open("a")
    world.ask(c.Pause())
    world.ask(c.Resume())
    world.see(o.Interrupted(**world.who("a")))
    assert attempts(world, "a") == states
    world.open("a").see(o.Interrupted(**world.who("a")))
    assert attempts(world, "a")[-1] == "paused", "the next interruption is meant"


def test_an_interruption_that_a_second_pause_wanted_rests():
    world = started(task("a"), agent="patient").open("a")
    for command in (c.Pause(), c.Resume(), c.Pause()):
        world.ask(command)
    world.see(o.Interrupted(**world.who("a")))
    assert attempts(world, "a") == ["paused"]
    assert world.run.paused


def test_planning_reads_its_answer_into_the_first_revision():
    world = started(task("a", scope=("x",), estimated_minutes=3.0), task("b", scope=("x",)))
    ready = world.last(e.TasksReady)
    assert ready.plan.revision == 1
    assert ready.warnings == world.run.warnings != ()
    assert ready.estimate == world.run.estimate
    assert attempts(world, PLANNING) == ["completed"]
    assert AGGREGATION not in world.run.reserved
    assert world.run.live_attempt(AGGREGATION) is None
    assert world.run.live_attempt("a").state is AttemptState.SPAWNING
