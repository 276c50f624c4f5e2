"""What calls for a hook, what is due, and what the hook that looks at the plan decides."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bigtask.core import commands as c
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.decide import decide
from bigtask.core.hooks import REFUSED, Hook, HookEnded, called, conclude, due, occasion, troubles
from bigtask.core.states import Outcome, Phase, TaskState
from bigtask.core.status import status
from bigtask.core.values import ANALYSIS, PLANNING
from bigtask.core.view import view
from core.world import World, phases, planned, started, task, written

ALL = {hook.value: ("true",) for hook in Hook}
PLAN = {"onTasksGenerated": ("check-plan",)}


def calls(world: World, *hooks: Hook) -> list[tuple[str, str]]:
    """Everything that was ever called for: hook and type of the event; only of `hooks`, if there are any."""
    fold = World(source=world.run.created.source, check=False)
    fold.run.created = world.run.created
    found = []
    for event in world.events[1:]:
        found += [(hook.value, event.type) for hook in called(fold.run, event.data)]
        fold.record(event.data)
    return [pair for pair in found if not hooks or pair[0] in hooks]


def end(world: World, hook: str, status: int | None = 0, **seen: Any) -> tuple[e.Happened, ...]:
    """The oldest call of the hook has come to its end."""
    event = world.run.hooks[hook].due[0]
    happened = world.record(
        *conclude(world.run, HookEnded(hook=hook, event=event, exit_status=status, **seen))
    )
    world.settle()
    return happened


def types(happened: tuple[e.Happened, ...]) -> list[str]:
    return [data.type for data in happened]


# What calls for a hook


def test_each_hook_is_called_by_its_events():
    world = World(hooks=ALL, yes=True, phases=phases(*Phase), agent="patient")
    world.ask(c.Start())
    world.report(ANALYSIS, summary="small", recommended_splits=1)
    world.report(PLANNING, tasks=[written(task("a")), written(task("b"))])
    end(world, "onAnalysisComplete")
    end(world, "onTasksGenerated")
    world.open("a").complete("a").open("b").complete("b")
    world.report("@aggregation").report("@verification", status="passed")
    assert calls(world) == [
        ("onAnalysisComplete", "orchestrator:analysisComplete"),
        ("onTasksGenerated", "worker:reported"),
        ("onWorkerStart", "worker:started"),
        ("onWorkerComplete", "worker:completed"),
        ("onWorkerStart", "worker:started"),
        ("onWorkerComplete", "worker:completed"),
        ("onAllWorkersComplete", "orchestrator:phaseChanged"),
    ]


def test_a_template_without_hooks_calls_for_none():
    world = started(task("a")).open("a").complete("a")
    assert calls(world) == []
    assert world.run.hooks == {}


def test_only_hooks_of_the_template_are_called():
    world = started(task("a"), hooks={"onError": ("true",)}).complete("a")
    assert calls(world) == []


@pytest.mark.parametrize(
    ("seen", "type"),
    [
        (o.Failed, "worker:failed"),
        (o.TimedOut, "worker:timeout"),
        (o.Crashed, "worker:crashed"),
    ],
)
def test_each_attempt_that_ends_calls_for_the_hook_of_its_end(seen, type):
    world = started(task("a"), hooks={"onWorkerComplete": ("true",)}, max_retries=1)
    for _ in range(2):
        world.see(seen(**world.who("a"), reason="no"))
        world.pass_time(60_000)
    assert calls(world) == [("onWorkerComplete", type)] * 2


def test_a_partial_result_calls_for_it_once_also_where_a_person_accepts_it_later():
    world = started(task("a"), task("b", "a"), hooks={"onWorkerComplete": ("true",)})
    world.report("a", "partial").merge("a")
    (waiting,) = world.run.waiting.values()
    world.ask(c.Answer(waiting_id=waiting.id, answer="accept"))
    assert calls(world) == [("onWorkerComplete", "worker:partial")]


def test_an_attempt_that_goes_on_in_its_session_starts_once():
    world = started(task("a"), agent="patient", hooks={"onWorkerStart": ("true",)}).open("a")
    world.ask(c.Pause())
    world.see(o.Interrupted(**world.who("a")))
    world.ask(c.Resume())
    world.open("a")
    assert calls(world) == [("onWorkerStart", "worker:started")]


def test_a_task_that_never_began_ends_without_a_call():
    world = started(task("a"), task("b", "a"), hooks={"onWorkerComplete": ("true",)})
    world.ask(c.CancelTask(task_id="b"))
    assert calls(world) == []
    world.ask(c.CancelTask(task_id="a"))
    assert calls(world) == [("onWorkerComplete", "worker:cancelled")]


def test_work_is_over_only_when_nothing_more_is_tried():
    hooks = {"onAllWorkersComplete": ("true",)}
    world = started(task("a"), task("b"), hooks=hooks, max_workers=2, max_retries=1)
    world.complete("b").fall("a")
    assert calls(world) == []
    world.pass_time(60_000).complete("a")
    assert calls(world) == [("onAllWorkersComplete", "orchestrator:completed")]


def test_work_is_over_again_after_a_repair_round():
    world = World(
        hooks={"onAllWorkersComplete": ("true",)},
        yes=True,
        auto_fix=True,
        phases=phases(Phase.TASK_PLANNING, Phase.WORKER_EXECUTION, Phase.VERIFICATION),
    )
    world.ask(c.Start())
    world.report(PLANNING, tasks=[written(task("a"))]).complete("a")
    world.report("@verification", status="failed", issues=[{"severity": "error", "description": "x"}])
    world.complete("fix-1-1").report("@verification", status="passed")
    assert calls(world) == [("onAllWorkersComplete", "orchestrator:phaseChanged")] * 2


def test_a_run_that_fails_calls_for_the_hook_of_errors_after_that_of_the_work():
    world = proposed(hooks=ALL)
    end(world, "onTasksGenerated")
    world.fall("a", "broken").pass_time(60_000).fall("a").pass_time(60_000).fall("a")
    assert world.run.outcome is Outcome.FAILED
    assert calls(world, Hook.ON_ERROR, Hook.ON_ALL_WORKERS_COMPLETE) == [
        ("onAllWorkersComplete", "orchestrator:error"),
        ("onError", "orchestrator:error"),
    ]
    assert [hook for _, hook in due(world.run)][-2:] == [Hook.ON_ALL_WORKERS_COMPLETE, Hook.ON_ERROR]


def test_a_phase_that_fails_calls_for_the_hook_of_errors_alone():
    world = World(hooks=ALL, max_retries=0)
    world.ask(c.Start())
    world.fall(ANALYSIS)
    assert calls(world) == [("onError", "orchestrator:error")]


# What is due


def test_hooks_are_due_in_the_order_of_their_events_until_they_have_ended():
    world = started(task("a"), task("b"), hooks={"onWorkerComplete": ("true",)}, max_workers=2)
    world.complete("b", "a")
    first, second = (seq for seq, _ in due(world.run))
    assert first < second
    assert [world.events[seq - 1].data.task_id for seq in (first, second)] == ["b", "a"]
    end(world, "onWorkerComplete", 3, output="no", task_id="b")
    assert world.last(e.HookRan) == e.HookRan(
        hook="onWorkerComplete", event=first, task_id="b", exit_status=3, output="no", problem="ended with 3"
    )
    assert due(world.run) == [(second, Hook.ON_WORKER_COMPLETE)]
    end(world, "onWorkerComplete")
    assert due(world.run) == []
    shown = view(world.run).hooks["onWorkerComplete"]
    assert (shown.ran, shown.failed, shown.due, shown.problem) == (2, 1, 0, "ended with 3")
    assert troubles(world.run) == ("the hook onWorkerComplete ended with 3 (1 of 2 calls)",)


def test_a_hook_that_ends_a_second_time_changes_nothing():
    world = started(task("a"), hooks={"onWorkerComplete": ("true",)}).complete("a")
    seen = HookEnded(hook="onWorkerComplete", event=world.run.hooks["onWorkerComplete"].due[0], exit_status=0)
    assert types(world.record(*conclude(world.run, seen))) == ["orchestrator:hook"]
    assert conclude(world.run, seen) == ()
    assert conclude(world.run, HookEnded(hook="onError", event=1, exit_status=0)) == ()


def test_a_hook_holds_up_nothing_that_it_does_not_decide():
    world = proposed(hooks=ALL)
    end(world, "onTasksGenerated")
    world.open("a").complete("a")
    assert world.run.outcome is Outcome.COMPLETE
    assert len(due(world.run)) == 3


def test_cancelling_a_run_leaves_no_hook_due():
    world = started(task("a"), task("b", "a"), hooks={"onWorkerComplete": ("true",)}).complete("a")
    world.ask(c.Cancel())
    assert due(world.run) == []


@pytest.mark.parametrize(
    ("seen", "problem"),
    [
        ({"exit_status": 0}, ""),
        ({"exit_status": 2}, "ended with 2"),
        ({"exit_status": -9}, "was ended by signal 9"),
        ({"exit_status": None, "trouble": "didn't end within 60 s"}, "didn't end within 60 s"),
    ],
)
def test_whatever_does_not_end_with_0_is_a_problem(seen, problem):
    world = started(task("a"), hooks={"onWorkerComplete": ("true",)}).complete("a")
    ((seq, _),) = due(world.run)
    (ran,) = conclude(world.run, HookEnded(hook="onWorkerComplete", event=seq, **seen))
    assert ran.problem == problem


# The plan


def proposed(**settings: Any) -> World:
    return planned(task("a", scope=("src/**",)), **{"hooks": PLAN, "yes": True, **settings})


def test_a_plan_is_not_accepted_before_its_hook_has_ended():
    world = proposed()
    assert world.run.plan is None
    assert world.state(PLANNING) is TaskState.INTEGRATING
    assert decide(world.run, world.now) == ()
    assert types(end(world, "onTasksGenerated")) == [
        "orchestrator:hook",
        "worker:completed",
        "orchestrator:tasksReady",
    ]
    assert world.live() == ["a"]


def test_the_hook_reads_the_plan_as_it_would_be_accepted():
    world = proposed()
    ((seq, hook),) = due(world.run)
    told = occasion(world.run, hook, world.events[seq - 1])
    assert (told["hook"], told["seq"], told["type"]) == ("onTasksGenerated", seq, "worker:reported")
    assert told["orchestratorId"] == world.run.id
    end(world, "onTasksGenerated")
    ready = next(event for event in world.events if isinstance(event.data, e.TasksReady))
    assert {name: told[name] for name in ("plan", "warnings", "estimate") if name in told} == ready.public(
        ""
    )["data"]
    assert told["plan"]["tasks"][0]["scope"] == ("src/**",)


def test_every_hook_reads_the_event_as_every_surface_shows_it_and_what_it_is_about():
    hooks = {"onWorkerComplete": ("true",), "onAllWorkersComplete": ("true",)}
    world = started(task("a"), hooks=hooks).complete("a")
    told = [occasion(world.run, hook, world.events[seq - 1]) for seq, hook in due(world.run)]
    for (seq, hook), one in zip(due(world.run), told, strict=True):
        public = world.events[seq - 1].public(world.run.id)
        assert {name: one[name] for name in (*public, "hook")} == {"hook": hook.value, **public}
    of_worker, of_all = told
    assert of_worker["worker"]["taskId"] == "a"
    assert of_worker["worker"]["attempts"][0]["report"]["summary"] == "a is done"
    assert (of_all["tasks"]["total"], of_all["tasks"]["completed"]) == (1, 1)
    assert msgspec.json.decode(msgspec.json.encode(told))


def test_a_refused_plan_is_made_again_and_the_reason_is_kept():
    world = proposed()
    assert types(end(world, "onTasksGenerated", 1, said="too many tasks\n")) == [
        "orchestrator:hook",
        "worker:failed",
        "worker:retrying",
    ]
    first = world.run.reserved[PLANNING].attempts[0]
    assert first.reason == "the hook onTasksGenerated refused the plan: too many tasks"
    assert first.report is not None
    world.pass_time(60_000)
    world.report(PLANNING, tasks=[written(task("b"))])
    end(world, "onTasksGenerated")
    assert list(world.run.tasks) == ["b"]


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ({"output": "from stdout"}, "refused the plan: from stdout"),
        ({}, "refused the plan: it ended with 7 and said nothing"),
    ],
)
def test_a_refusal_without_a_word_on_standard_error_still_has_a_reason(seen, reason):
    world = proposed(max_retries=0)
    end(world, "onTasksGenerated", 7, **seen)
    assert world.run.reserved[PLANNING].reason.endswith(reason)
    assert world.last(e.HookRan).problem == REFUSED
    assert troubles(world.run) == ("the hook onTasksGenerated refused the plan",)


def test_a_plan_that_is_refused_too_often_fails_the_run_which_can_be_tried_again():
    world = proposed(max_retries=1)
    end(world, "onTasksGenerated", 1, said="no")
    world.pass_time(60_000)
    world.report(PLANNING, tasks=[written(task("a"))])
    end(world, "onTasksGenerated", 1, said="still no")
    assert world.run.outcome is Outcome.FAILED
    assert world.run.reason.endswith("the hook onTasksGenerated refused the plan: still no")
    world.ask(c.Retry())
    world.report(PLANNING, tasks=[written(task("a"))])
    end(world, "onTasksGenerated")
    assert world.live() == ["a"]


@pytest.mark.parametrize("status", [None, -9])
def test_a_hook_that_could_not_do_its_work_neither_accepts_the_plan_nor_has_another_one_made(status):
    world = proposed(max_retries=5)
    assert types(end(world, "onTasksGenerated", status, trouble="didn't end within 60 s")) == [
        "orchestrator:hook",
        "worker:failed",
    ]
    assert world.run.plan is None
    assert world.run.outcome is Outcome.FAILED
    assert "the plan can't be accepted: the hook onTasksGenerated" in world.run.reason


def test_an_answer_written_by_hand_is_looked_at_like_any_other():
    world = World(hooks=PLAN, phases=phases(Phase.TASK_PLANNING, Phase.WORKER_EXECUTION), yes=True)
    world.ask(c.Start())
    world.see(o.Unusable(**world.who(PLANNING), errors=("no block",), answer="?"))
    (waiting,) = world.run.waiting.values()
    data = {"tasks": [written(task("a"))]}
    world.ask(c.Answer(waiting_id=waiting.id, answer="edit", data=data))
    assert world.run.plan is None
    end(world, "onTasksGenerated")
    assert world.live() == ["a"]


def test_without_planning_no_tasks_were_generated():
    world = World(hooks=PLAN, phases=phases(Phase.WORKER_EXECUTION), yes=True)
    world.ask(c.Start())
    assert world.live() == ["whole-request"]


def test_a_run_pauses_while_its_plan_is_looked_at():
    world = proposed()
    world.ask(c.Pause())
    assert status(world.run) == "paused"
    assert world.run.paused
    end(world, "onTasksGenerated")
    assert world.run.plan is not None
    assert world.live() == []
    world.ask(c.Resume())
    assert world.live() == ["a"]


def test_a_run_does_not_pause_while_work_is_merged():
    world = proposed()
    end(world, "onTasksGenerated")
    world.report("a")
    world.ask(c.Pause())
    assert not world.run.paused
    world.merge("a")
    assert world.run.paused


def test_cancelling_a_run_whose_plan_is_looked_at_ends_it():
    world = proposed()
    seq, hook = due(world.run)[0]
    world.ask(c.Cancel())
    assert world.run.outcome is Outcome.CANCELLED
    assert conclude(world.run, HookEnded(hook=hook, event=seq, exit_status=0)) == ()
