"""What a person may ask, and what follows."""

from __future__ import annotations

import msgspec
import pytest

from bigtask.core import commands as c
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.edits import AddTask, DropTask, MergeTasks, SetTask
from bigtask.core.states import AttemptState, Outcome, Phase, TaskState
from bigtask.core.status import status
from bigtask.core.values import AGGREGATION, ANALYSIS, PLANNING
from bigtask.errors import Conflict, InvalidInput, InvalidPlan, NotFound, StaleRevision
from core.world import World, phases, planned, started, task

SKIP = c.Modification(skip=True)


def reviewed(*tasks, **settings) -> World:
    """The first task's agent gave no usable answer, and w1 asks what to do."""
    world = started(*tasks or (task("a"),), **settings).open("a")
    world.see(o.Unusable(**world.who("a"), errors=("no block",), answer="?"))
    return world


def halves() -> World:
    """a is partly done, and w1 asks what becomes of b, c and d."""
    world = started(task("a"), task("b", "a"), task("c", "b"), task("d", "a"))
    return world.report("a", "partial", summary="half of it").merge("a")


def refuses(world: World, command: c.AnyCommand, kind: type[Exception], said: str) -> None:
    before = len(world.events)
    with pytest.raises(kind, match=said):
        world.ask(command)
    assert len(world.events) == before


# Named commands


def test_what_was_done_under_a_name_is_not_done_again_under_it():
    world = planned(task("a"))
    edit = c.EditPlan(revision=1, edits=(SetTask(id="a", fields={"title": "x"}),), id="n1")
    assert [type(each) for each in world.ask(edit)] == [e.Commanded, e.PlanChanged]
    assert world.ask(edit) == ()
    refuses(world, msgspec.structs.replace(edit, id="n2"), StaleRevision, "edited meanwhile")


def test_a_name_that_changed_nothing_is_not_recorded():
    world = started(task("a"))
    assert world.ask(c.Start(id="n1")) == ()
    refuses(world, c.Retry(task_id="b", id="n2"), NotFound, "no task 'b'")
    assert not world.run.commanded


def test_only_the_newest_names_are_known():
    world = World(check=False)
    for number in range(1_001):
        world.record(e.Commanded(id=f"n{number}"))
    assert list(world.run.commanded) == [f"n{number}" for number in range(1, 1_001)]


def test_a_name_has_at_most_64_characters():
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"verb": "start", "id": "' + b"x" * 65 + b'"}', type=c.AnyCommand)


# Repeating and refusing


def test_a_command_that_already_holds_changes_nothing():
    world = started(task("a"))
    for command in (
        c.Start(),
        c.Confirm(),
        c.Resume(),
        c.ResumeTask(task_id="a"),
        c.ResumeTask(task_id=PLANNING),
        c.Retry(task_id="a"),
    ):
        assert world.ask(command) == ()
    world.ask(c.Pause())
    assert world.ask(c.Pause()) == ()
    world.ask(c.Pause(now=True))
    assert world.ask(c.Pause(now=True)) == ()
    world.ask(c.CancelTask(task_id="a"))
    assert world.ask(c.CancelTask(task_id="a")) == ()
    world.ask(c.SkipTask(task_id="a"))
    assert world.ask(c.SkipTask(task_id="a")) == ()
    world.ask(c.Cancel())
    assert world.ask(c.Cancel()) == ()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (c.Confirm(), r"the run is created: confirm isn't possible now \(possible: cancel, delete, start\)"),
        (c.EditPlan(revision=1, edits=()), "edit isn't possible now"),
        (c.Pause(), "pause isn't possible now"),
        (c.Retry(), "retry isn't possible now"),
    ],
)
def test_what_is_not_possible_now_says_what_is(command, said):
    refuses(World(), command, Conflict, said)


def test_an_ended_run_is_not_started_paused_or_cancelled():
    world = started(task("a")).complete("a")
    refuses(world, c.Pause(), Conflict, "the run is completed")
    refuses(world, c.Cancel(), Conflict, "the run is completed")
    with pytest.raises(Conflict) as caught:
        world.ask(c.Pause())
    assert caught.value.status == "completed"
    cancelled = World()
    cancelled.ask(c.Cancel())
    refuses(cancelled, c.Start(), Conflict, "the run is cancelled")


@pytest.mark.parametrize(
    "command",
    [
        c.Retry(task_id="x"),
        c.CancelTask(task_id="x"),
        c.SkipTask(task_id="x"),
        c.ResumeTask(task_id="x"),
        c.EditPlan(revision=1, edits=(DropTask(id="x"),)),
    ],
)
def test_a_task_that_is_not_there_is_named_with_those_that_are(command):
    refuses(started(task("a"), task("b")), command, NotFound, r"no task 'x' \(its tasks: a, b\)")


def test_before_the_plan_there_is_no_task():
    refuses(World(), c.CancelTask(task_id="x"), NotFound, "its tasks: none yet")


@pytest.mark.parametrize("command", [c.CancelTask(task_id=PLANNING), c.SkipTask(task_id=PLANNING)])
def test_a_phase_is_no_task_of_the_plan(command):
    refuses(started(task("a")), command, Conflict, "@planning is a phase of the run")


# Confirming and editing


def test_a_confirmation_starts_the_workers():
    world = planned(task("a"))
    assert status(world.run).value == "confirming"
    assert world.ask(c.Confirm(revision=1, by="me")) == (e.Confirmed(revision=1, by="me", shown=True),)
    assert (world.live(), world.run.waiting) == (["a"], {})


def test_a_confirmation_of_another_revision_is_stale():
    world = planned(task("a"))
    world.ask(c.EditPlan(revision=1, edits=(SetTask(id="a", fields={"priority": 1}),)))
    refuses(world, c.Confirm(revision=1), StaleRevision, "revision 1 was edited meanwhile: read revision 2")
    world.ask(c.Confirm(revision=2))
    assert world.live() == ["a"]


def test_modifications_are_edits_and_skips():
    world = planned(task("a"), task("b"), task("c", "b"), max_workers=1)
    changes = {"a": c.Modification(priority=9), "b": SKIP, "c": c.Modification(priority=1)}
    happened = world.ask(c.Confirm(modifications=changes))
    assert [each.type for each in happened] == [
        "orchestrator:planChanged",
        "orchestrator:confirmed",
        "worker:skipped",
    ]
    assert happened[1].revision == 2
    assert world.states() == {"a": "ready", "b": "skipped", "c": "running"}
    assert world.run.tasks["b"].reason == "skipped at confirmation"


@pytest.mark.parametrize(
    ("id", "wanted", "kind", "said"),
    [
        ("x", SKIP, NotFound, "no task 'x'"),
        (PLANNING, SKIP, Conflict, "is a phase of the run"),
        ("a", c.Modification(priority=11), InvalidPlan, "priority 11"),
    ],
)
def test_modifications_that_cannot_be_made_confirm_nothing(id, wanted, kind, said):
    world = planned(task("a"))
    refuses(world, c.Confirm(modifications={id: wanted}), kind, said)
    assert not world.run.confirmed


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_tasks_that_were_cancelled_or_skipped_before_can_be_skipped_at_confirmation(order):
    world = planned(task("a"), task("b", "a"), task("c", "b"))
    world.ask(c.CancelTask(task_id="a"))
    assert world.states() == {"a": "cancelled", "b": "skipped", "c": "skipped"}
    world.ask(c.Confirm(modifications=dict.fromkeys(order, SKIP)))
    assert world.states() == {"a": "skipped", "b": "skipped", "c": "running"}
    again = planned(task("a"), task("b"))
    again.ask(c.SkipTask(task_id="a", by="me"))
    again.ask(c.Confirm(modifications={"a": SKIP}))
    assert again.run.tasks["a"].by == "me"


def test_a_paused_run_without_a_plan_has_nothing_to_confirm_or_edit():
    world = World()
    world.ask(c.Start())
    world.ask(c.Pause(now=True))
    refuses(world, c.Confirm(), Conflict, "there is no plan to confirm yet")
    refuses(world, c.EditPlan(revision=1, edits=()), Conflict, "there is no plan to edit yet")


def test_an_edit_names_the_revision_that_it_was_made_from():
    refuses(planned(task("a")), c.EditPlan(revision=4, edits=()), StaleRevision, "revision 4 was edited")


@pytest.mark.parametrize("state", ["running", "integrating", "completed", "partial"])
def test_a_task_with_a_live_or_finished_attempt_is_not_edited(state):
    world = started(task("a"), task("b"), max_workers=1)
    if state != "running":
        world.report("a", "partial" if state == "partial" else "completed")
    if state in ("completed", "partial"):
        world.merge("a")
    edit = c.EditPlan(revision=1, edits=(SetTask(id="a", fields={"title": "x"}),))
    refuses(world, edit, Conflict, f"task a is {state}: only tasks without")


@pytest.mark.parametrize(
    "edit", [DropTask(id="a"), MergeTasks(ids=("a", "b"), task=task("b"))], ids=["drop", "merge"]
)
def test_what_became_of_a_task_that_was_tried_is_kept(edit):
    world = started(task("a"), task("b"), max_workers=1).fall("a")
    refuses(
        world, c.EditPlan(revision=1, edits=(edit,)), Conflict, "task a has been tried, and the run keeps"
    )


def test_a_task_that_takes_the_id_of_a_skipped_one_is_a_new_task():
    world = planned(task("a"), task("b"), task("c"))
    world.ask(c.SkipTask(task_id="a"))
    world.ask(c.CancelTask(task_id="b"))
    edits = DropTask(id="a"), AddTask(task=task("a")), MergeTasks(ids=("b", "c"), task=task("b"))
    world.ask(c.EditPlan(revision=1, edits=edits))
    assert world.states() == {"b": "ready", "a": "ready"}


def test_an_edit_is_checked_as_a_whole():
    world = planned(task("a"), task("b", "a"))
    circle = c.EditPlan(revision=1, edits=(SetTask(id="a", fields={"dependencies": ["b"]}),))
    refuses(world, circle, InvalidPlan, "circle: a -> b -> a")
    outside = c.EditPlan(revision=1, edits=(SetTask(id="a", fields={"scope": ["../x"]}),))
    refuses(world, outside, InvalidPlan, "lies outside the run's directory")
    nothing = c.EditPlan(revision=1, edits=(DropTask(id="a"), DropTask(id="b")))
    refuses(world, nothing, InvalidPlan, "at least 1 needed")
    with pytest.raises(InvalidPlan) as caught:
        world.ask(c.EditPlan(revision=1, edits=(AddTask(task=task("main", "x")),)))
    assert len(caught.value.problems) == 2


# Answers


def test_an_answer_needs_a_question_and_one_of_its_options():
    world = planned(task("a"))
    refuses(world, c.Answer(waiting_id="w9", answer="x"), NotFound, r"'w9' waits .* \(waiting: w1\)")
    refuses(world, c.Answer(waiting_id="w1", answer="x"), InvalidInput, "choose one of confirm, cancel")
    running = started(task("a"))
    refuses(running, c.Answer(waiting_id="w1", answer="x"), NotFound, r"\(waiting: nothing\)")


def test_the_plan_is_confirmed_or_the_run_cancelled_by_an_answer():
    world = planned(task("a"))
    world.ask(c.Answer(waiting_id="w1", answer="confirm"))
    assert world.live() == ["a"]
    world = planned(task("a"))
    world.ask(c.Answer(waiting_id="w1", answer="cancel"))
    assert world.run.outcome is Outcome.CANCELLED
    assert world.states() == {"a": "cancelled"}


def test_a_question_about_no_task_changes_only_what_is_known():
    world = started(task("a"))
    waiting = e.Waiting(id="w7", kind="budget", question="More?", options=("raise",))
    world.record(e.WaitingRaised(waiting=waiting))
    assert world.ask(c.Answer(waiting_id="w7", answer="raise")) == (
        e.Answered(waiting_id="w7", answer="raise", by="person"),
    )


def test_a_partial_result_can_be_built_on():
    world = halves()
    assert world.states() == {"a": "partial", "b": "blocked", "c": "pending", "d": "blocked"}
    world.ask(c.Answer(waiting_id="w1", answer="accept", by="me"))
    assert world.states() == {"a": "partial", "b": "running", "c": "pending", "d": "running"}
    assert (world.run.tasks["a"].by, world.run.tasks["a"].reason) == ("me", "half of it")


def test_a_partial_result_can_be_tried_again():
    world = halves()
    world.ask(c.Answer(waiting_id="w1", answer="retry"))
    assert world.states() == {"a": "running", "b": "pending", "c": "pending", "d": "pending"}


def test_those_that_depend_on_a_partial_result_can_be_skipped():
    world = halves()
    world.ask(c.Answer(waiting_id="w1", answer="skip", by="me"))
    assert world.states() == {"a": "partial", "b": "skipped", "c": "skipped", "d": "skipped"}
    assert world.run.outcome is Outcome.INCOMPLETE


def test_an_answer_can_be_written_by_hand():
    world = reviewed(task("a"), task("b", "a"))
    refuses(world, c.Answer(waiting_id="w1", answer="edit"), InvalidInput, "needs its data")
    data = {"status": "completed", "summary": "by hand"}
    world.ask(c.Answer(waiting_id="w1", answer="edit", data=data))
    assert world.state("a") is TaskState.INTEGRATING
    assert world.run.tasks["a"].attempt.report.quality == "edited"
    world.merge("a")
    assert world.states() == {"a": "completed", "b": "running"}


def test_an_answer_by_hand_keeps_what_the_agent_had_used():
    world = started(task("a")).open("a")
    used = {"usage": e.Usage(input_tokens=9), "tools": {"read": 2}}
    world.see(o.Unusable(**world.who("a"), errors=("x",), answer="?", **used))
    world.ask(c.Answer(waiting_id="w1", answer="edit", data={"status": "completed"}))
    attempt = world.run.tasks["a"].attempt
    assert (attempt.usage, attempt.tools) == (used["usage"], used["tools"])


def test_a_plan_written_by_hand_is_checked_like_any_other():
    world = World(phases=phases(Phase.TASK_PLANNING, Phase.WORKER_EXECUTION))
    world.ask(c.Start())
    world.see(o.Unusable(**world.who(PLANNING), errors=("x",), answer="?"))
    one = {"id": "a", "title": "A", "description": ""}
    around = {"tasks": [{**one, "dependencies": ["a"]}]}
    refuses(world, c.Answer(waiting_id="w1", answer="edit", data=around), InvalidPlan, "circle: a -> a")
    world.ask(c.Answer(waiting_id="w1", answer="edit", data={"tasks": [one]}))
    assert world.states() == {"a": "ready"}


@pytest.mark.parametrize(
    ("answer", "states"), [("retry", ["superseded", "spawning"]), ("skip", ["superseded"])]
)
def test_a_task_in_review_is_tried_again_or_gone_on_without(answer, states):
    world = reviewed(task("a"), task("b", "a"))
    world.ask(c.Answer(waiting_id="w1", answer=answer, by="me"))
    assert [attempt.state.value for attempt in world.run.tasks["a"].attempts] == states
    assert world.live() == ["a" if answer == "retry" else "b"]


# Pause and resume


@pytest.mark.parametrize(
    ("agent", "opened", "states"),
    [
        ("patient", True, ["spawning"]),
        ("plain", True, ["lost", "spawning"]),
        ("patient", False, ["lost", "spawning"]),
    ],
)
def test_a_resumed_attempt_goes_on_in_its_session_where_it_can(agent, opened, states):
    world = started(task("a"), agent=agent)
    if opened:
        world.open("a")
    world.ask(c.Pause(by="me"))
    assert (status(world.run).value, world.run.paused) == ("paused", False)
    world.see(o.Interrupted(**world.who("a")))
    assert world.run.paused
    world.ask(c.Resume(by="me"))
    assert [attempt.state.value for attempt in world.run.tasks["a"].attempts] == states
    assert world.run.tasks["a"].failures == 0


def test_a_pause_drains_what_cannot_be_interrupted_and_starts_nothing():
    world = started(task("a"), task("b"), max_workers=1)
    world.ask(c.Pause())
    world.report("a")
    assert not world.run.paused, "it is being merged"
    world.merge("a")
    assert world.run.paused
    assert world.states() == {"a": "completed", "b": "ready"}
    world.ask(c.Resume())
    assert world.live() == ["b"]


def test_a_pause_now_ends_attempts_without_using_up_a_retry():
    world = started(task("a"), max_retries=0).open("a")
    world.ask(c.Pause())
    world.ask(c.Pause(now=True))
    assert world.run.paused
    assert world.run.tasks["a"].attempt.state is AttemptState.LOST
    world.ask(c.Resume())
    assert world.who("a")["attempt"] == 2


def test_a_run_that_waits_for_its_confirmation_can_be_paused_and_confirmed():
    world = planned(task("a"))
    world.ask(c.Pause())
    world.ask(c.Confirm())
    assert world.live() == []
    world.ask(c.Resume())
    assert world.live() == ["a"]


def test_a_single_task_is_resumed_by_itself():
    world = started(task("a"), agent="patient").open("a")
    world.see(o.Interrupted(**world.who("a")))
    assert world.ask(c.ResumeTask(task_id="a")) == (e.WorkerResumed(task_id="a", attempt=1),)


def test_a_task_that_was_paused_alone_waits_for_a_slot():
    world = started(task("a"), task("b"), agent="patient", max_workers=1).open("a")
    world.see(o.Interrupted(**world.who("a")))
    assert world.live() == ["b"]
    with pytest.raises(Conflict, match="a can't go on yet: every slot is taken"):
        world.ask(c.ResumeTask(task_id="a"))


def test_a_task_whose_slot_another_one_has_queues_when_the_run_goes_on():
    world = started(task("a"), task("b"), agent="patient", max_workers=1).open("a")
    world.see(o.Interrupted(**world.who("a")))
    world.open("b")
    world.ask(c.Pause())
    world.ask(c.Resume())
    assert world.live() == ["b"]
    assert world.run.tasks["a"].attempt.reason == "paused, and others have its slot or work in its place"


# Cancel


def test_a_cancelled_run_has_nothing_under_way():
    world = started(task("a"), task("b"), task("c", "a"), task("d"), max_workers=3)
    world.complete("d").report("a")
    world.ask(c.Cancel(by="me"))
    assert world.states() == {"a": "cancelled", "b": "cancelled", "c": "cancelled", "d": "completed"}
    assert world.run.outcome is Outcome.CANCELLED
    assert (world.run.reason, status(world.run).value) == ("cancelled by me", "cancelled")


@pytest.mark.parametrize("phase", [ANALYSIS, PLANNING])
def test_a_phase_is_cancelled_with_the_run_and_goes_on_after_a_retry(phase):
    world = World(phases=phases(*Phase) if phase is ANALYSIS else phases(Phase.TASK_PLANNING))
    world.ask(c.Start())
    world.ask(c.Cancel())
    assert world.state(phase) is TaskState.CANCELLED
    assert world.run.reason == "cancelled by request"
    world.ask(c.Retry())
    assert world.live() == [phase]
    assert world.run.outcome is None


def test_a_cancelled_task_takes_those_that_depend_on_it_with_it():
    world = started(task("a"), task("b", "a"), task("c"))
    world.ask(c.CancelTask(task_id="a", by="me"))
    assert world.states() == {"a": "cancelled", "b": "skipped", "c": "running"}
    assert world.run.tasks["a"].reason == "cancelled by me"
    assert world.run.tasks["b"].reason == "a was cancelled"


@pytest.mark.parametrize("what", ["ready", "review", "paused", "integrating"])
def test_a_task_can_be_cancelled_whatever_it_does(what):
    world = started(task("a"), task("z", priority=1), max_workers=1 if what == "ready" else 2)
    match what:
        case "review":
            world.see(o.Unusable(**world.who("a"), errors=("x",), answer=""))
        case "paused":
            world.see(o.Interrupted(**world.who("a")))
        case "integrating":
            world.report("a")
    world.ask(c.CancelTask(task_id="a"))
    assert world.state("a") is TaskState.CANCELLED
    assert not world.run.waiting
    assert [attempt.state.value for attempt in world.run.tasks["a"].attempts] == ["cancelled"] * (
        what != "ready"
    )


# Retry by hand and going on without


def test_a_retry_by_hand_reopens_what_was_skipped_because_of_it():
    world = started(task("a"), task("b", "a"), task("c", "b"), task("d", "b"), max_retries=0)
    world.ask(c.SkipTask(task_id="d", by="me"))
    world.fall("a")
    assert world.run.outcome is Outcome.FAILED
    world.ask(c.Retry(task_id="a", by="me"))
    assert world.states() == {"a": "running", "b": "pending", "c": "pending", "d": "skipped"}
    assert world.run.outcome is None
    world.complete("a", "b", "c")
    assert world.run.outcome is Outcome.COMPLETE


def test_a_retry_of_everything_takes_all_that_fell_once():
    world = started(*map(task, "abc"), task("d", "a", "b"), max_retries=0)
    world.fall("a").fall("b").complete("c")
    happened = world.ask(c.Retry(by="me"))
    assert [each.task_id for each in happened] == ["a", "d", "b"]
    assert world.ask(c.Retry()) == ()
    assert world.live() == ["a", "b"]


def test_a_retry_gives_back_the_automatic_ones():
    world = started(task("a"), task("z"), max_retries=1).fall("a").pass_time(1_000).fall("a")
    world.ask(c.Retry(task_id="a"))
    assert world.run.tasks["a"].failures == 0
    world.fall("a")
    assert world.state("a") is TaskState.READY


def test_a_task_whose_dependencies_are_met_is_retried_alone():
    world = started(task("a"), task("b", "a"), max_retries=0).complete("a").fall("b")
    world.ask(c.Retry(task_id="b"))
    assert world.states() == {"a": "completed", "b": "running"}


def test_the_phases_after_a_retried_task_have_their_retries_back():
    on = phases(Phase.TASK_PLANNING, Phase.WORKER_EXECUTION, Phase.AGGREGATION)
    world = started(task("a"), phases=on, max_retries=1).complete("a").fall(AGGREGATION)
    world.pass_time(1_000).fall(AGGREGATION)
    assert world.run.outcome is Outcome.FAILED
    world.ask(c.Retry(task_id="a"))
    world.complete("a").fall(AGGREGATION)
    assert world.run.outcome is None


def test_a_finished_run_runs_again_with_everything_after_it():
    world = started(task("a"), phases=phases(*(set(Phase) - {Phase.ANALYSIS})))
    world.complete("a").report(AGGREGATION).report("@verification", "passed")
    assert world.run.outcome is Outcome.COMPLETE
    world.ask(c.Retry(task_id="a"))
    assert world.states() == {"a": "running"}
    world.complete("a").report(AGGREGATION).report("@verification", "passed")
    assert world.run.outcome is Outcome.COMPLETE
    assert world.who(AGGREGATION)["attempt"] == 2
    world.ask(c.Retry(task_id=AGGREGATION))
    assert world.live() == [AGGREGATION]


@pytest.mark.parametrize("paused", [False, True])
def test_a_phase_that_is_looking_at_the_result_looks_again_when_a_task_runs_again(paused):
    on = phases(Phase.TASK_PLANNING, Phase.WORKER_EXECUTION, Phase.AGGREGATION)
    world = started(task("a"), phases=on, agent="patient").complete("a").open(AGGREGATION)
    outdated = o.Reported(**world.who(AGGREGATION), report=o.Report(data={"summary": "without the rest"}))
    if paused:
        world.ask(c.Pause())
        world.see(o.Interrupted(**world.who(AGGREGATION)))
    world.ask(c.Retry(task_id="a"))
    world.see(outdated)
    world.ask(c.Resume())
    assert world.live() == ["a"]
    world.complete("a").report(AGGREGATION, summary="all of it")
    assert world.run.aggregate.summary == "all of it"
    assert world.who(AGGREGATION)["attempt"] == 2


def test_a_cancelled_run_goes_on_with_what_is_retried():
    world = started(task("a"), task("b"))
    world.ask(c.Cancel())
    world.ask(c.Retry(task_id="b"))
    assert world.states() == {"a": "cancelled", "b": "running"}


def test_a_task_that_was_skipped_because_of_another_is_not_retried_alone():
    world = started(task("a"), task("b", "a"), max_retries=0).fall("a")
    refuses(world, c.Retry(task_id="b"), Conflict, "b depends on a, which is failed: retry that one, or skip")


@pytest.mark.parametrize("id", [ANALYSIS, PLANNING])
def test_what_the_run_is_built_on_is_not_done_again(id):
    world = World(yes=True)
    world.ask(c.Start())
    world.report(ANALYSIS).report(PLANNING, tasks=[{"id": "a", "title": "A", "description": ""}])
    refuses(world, c.Retry(task_id=id), Conflict, f"{id} is completed and the run is built on that")


@pytest.mark.parametrize(
    "what", ["ready", "running", "integrating", "failed", "review", "cancelled", "partial"]
)
def test_a_person_can_go_on_without_a_task_whatever_it_does(what):
    world = started(task("z", priority=1), task("a"), task("b", "a"), max_workers=1, max_retries=0)
    if what != "ready":
        world.complete("z")
    match what:
        case "integrating":
            world.report("a")
        case "failed":
            world.fall("a")
        case "review":
            world.see(o.Unusable(**world.who("a"), errors=("x",), answer=""))
        case "cancelled":
            world.ask(c.CancelTask(task_id="a"))
        case "partial":
            world.report("a", "partial").merge("a")
    world.ask(c.SkipTask(task_id="a", by="me"))
    assert (world.state("a"), world.run.tasks["a"].reason) == (TaskState.SKIPPED, "skipped by me")
    assert world.state("b") is (TaskState.READY if what == "ready" else TaskState.RUNNING)
    assert not world.run.waiting


def test_a_completed_task_cannot_be_skipped():
    world = started(task("a"), task("b")).complete("a")
    refuses(world, c.SkipTask(task_id="a"), Conflict, "a is completed: it can't be skipped")


def test_going_on_without_one_of_two_that_failed_leaves_the_other_in_the_way():
    world = started(task("a"), task("b"), task("c", "a", "b"), task("z"), max_retries=0).fall("a").fall("b")
    world.ask(c.SkipTask(task_id="a"))
    assert world.states() == {"a": "skipped", "b": "failed", "c": "pending", "z": "running"}
    world.complete("z")
    assert world.run.tasks["c"].reason == "b failed"


def test_a_phase_is_no_task_that_could_be_edited():
    edit = SetTask(id=PLANNING, fields={"title": "x"})
    refuses(started(task("a")), c.EditPlan(revision=1, edits=(edit,)), Conflict, "@planning is a phase")
