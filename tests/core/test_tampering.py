"""An attempt during which something changed in the repository that isn't a task's to change."""

from __future__ import annotations

import pytest

from bigtask.core import commands as c
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.ledger import ledger
from bigtask.core.states import Outcome, Phase, WaitingKind
from bigtask.core.values import ANALYSIS, PLANNING, Usage, Waiting
from core.world import World, started, task

CHANGED = ("the hook pre-commit",)


def the_question(world: World) -> Waiting:
    (waiting,) = world.run.waiting.values()
    assert waiting.kind is WaitingKind.TRUST
    return waiting


def attempts(world: World, id: str) -> list[str]:
    record = world.run.record(id)
    assert record is not None
    return [attempt.state.value for attempt in record.attempts]


def reported() -> World:
    """A task whose reported work is being held back, and one that depends on it."""
    world = started(task("a"), task("b", "a")).open("a").report("a")
    world.see(o.Tampered(**world.who("a"), changed=CHANGED))
    return world


def test_reported_work_is_held_back_and_a_person_asked():
    world = reported()
    waiting = the_question(world)
    assert waiting.options == ("accept", "retry", "skip")
    assert "While a worked, the hook pre-commit changed in the repository" in waiting.question
    assert waiting.question.endswith("take its work in, try it again, or go on without it?")
    assert waiting.details == {"changed": CHANGED, "branch": "b/a"}
    assert attempts(world, "a") == ["quarantined"]
    assert (world.live(), world.run.integrating) == ([], {})
    assert world.states() == {"a": "running", "b": "pending"}


def test_what_a_person_accepts_goes_into_its_merge():
    world = reported()
    world.ask(c.Answer(waiting_id=the_question(world).id, answer="accept"))
    assert attempts(world, "a") == ["reported"]
    assert world.run.integrating == {"a": 1}
    assert world.run.tasks["a"].reason == ""
    world.merge("a").complete("b")
    assert world.run.outcome is Outcome.COMPLETE
    assert (
        "while attempt 1 worked, the hook pre-commit changed in the repository"
        in ledger(world.run)[0].remarks
    )


def test_it_may_be_tried_again_left_out_or_cancelled():
    world = reported()
    world.ask(c.Answer(waiting_id=the_question(world).id, answer="retry"))
    assert attempts(world, "a") == ["superseded", "spawning"]
    world = reported()
    world.ask(c.Retry(task_id="a"))
    assert attempts(world, "a") == ["superseded", "spawning"]
    world = reported()
    world.ask(c.Answer(waiting_id=the_question(world).id, answer="skip"))
    assert world.states() == {"a": "skipped", "b": "running"}
    world = reported()
    world.ask(c.Cancel())
    assert attempts(world, "a") == ["cancelled"]


def test_an_attempt_that_came_to_nothing_has_no_work_to_accept():
    world = started(task("a")).open("a")
    world.see(o.Tampered(**world.who("a"), changed=CHANGED, usage=Usage(input_tokens=7)))
    waiting = the_question(world)
    assert waiting.options == ("retry", "skip")
    assert waiting.question.endswith("try it again, or go on without it?")
    assert world.run.tasks["a"].attempts[0].usage.input_tokens == 7
    assert world.run.tasks["a"].failures == 0


@pytest.mark.parametrize(
    ("id", "options"), [(ANALYSIS, ("retry", "skip", "fail")), (PLANNING, ("retry", "fail"))]
)
def test_a_phase_may_take_the_run_with_it(id, options):
    world = World()
    world.ask(c.Start())
    if id == PLANNING:
        world.report(ANALYSIS)
    world.see(o.Tampered(**world.who(id), changed=CHANGED))
    assert the_question(world).options == options
    world.ask(c.Answer(waiting_id=the_question(world).id, answer="fail"))
    assert attempts(world, id) == ["failed"]
    assert world.run.phase is (Phase.ANALYSIS if id == ANALYSIS else Phase.TASK_PLANNING)


def test_many_changes_are_counted():
    world = started(task("a")).open("a")
    world.see(o.Tampered(**world.who("a"), changed=tuple(f"the setting x.{i}" for i in range(8))))
    assert "the setting x.4 and 3 more changed" in the_question(world).question


def test_what_is_only_noted_or_found_too_late_is_told_once():
    world = started(task("a")).open("a")
    noted = o.Tampered(**world.who("a"), changed=CHANGED, held=False)
    assert world.see(noted) == (e.WorkerTampered(**world.who("a"), changed=CHANGED),)
    assert world.see(noted) == ()
    assert attempts(world, "a") == ["running"]
    world.ask(c.CancelTask(task_id="a"))
    late = o.Tampered(**world.who("a"), changed=("the setting core.editor",))
    assert world.see(late) == (e.WorkerTampered(**world.who("a"), changed=("the setting core.editor",)),)
    assert attempts(world, "a") == ["cancelled"]
    assert world.run.tasks["a"].attempts[0].tampered == (*CHANGED, "the setting core.editor")
