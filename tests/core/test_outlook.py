"""What edits would make of a plan, told before they are made."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from bigtask.core import commands as c
from bigtask.core.edits import AddTask, DropTask, Edit, SetTask
from bigtask.core.outlook import Outlook, outlook
from bigtask.core.values import Check
from bigtask.errors import Conflict, InvalidPlan, NotFound, StaleRevision
from core.world import World, planned, started, task


def known(names: Iterable[str]) -> set[str]:
    return {name for name in names if name == "plain"}


def looked(world: World, *edits: Edit, revision: int = 1) -> Outlook:
    before = len(world.events)
    found = outlook(world.run, edits, revision=revision, known_agents=known)
    assert len(world.events) == before
    assert world.run.plan is not None
    assert world.run.plan.revision == revision
    return found


def places(found: Outlook) -> list[tuple[str, str]]:
    return [(one.task_id, one.field) for one in found.problems]


def test_each_problem_has_its_task_and_its_field():
    world = planned(task("a"), task("b", "a"))
    found = looked(
        world,
        SetTask(id="a", fields={"title": " ", "priority": 11, "scope": ["../x"], "agent": "nobody"}),
        SetTask(id="b", fields={"dependencies": ["gone"], "checks": [{}]}),
        AddTask(task=task("main")),
    )
    assert places(found) == [
        ("a", "title"),
        ("a", "priority"),
        ("a", "scope"),
        ("a", "agent"),
        ("b", "dependencies"),
        ("b", "checks"),
        ("main", "id"),
    ]
    assert found.estimate is None


def test_what_is_wrong_with_the_whole_has_no_field_and_a_circle_its_first_task():
    assert places(looked(planned(task("a"), min_tasks=1), DropTask(id="a"))) == [("", "")]
    world = planned(task("a"), task("b", "a"))
    assert places(looked(world, SetTask(id="a", fields={"dependencies": ["b"]}))) == [("a", "dependencies")]


def test_a_usable_plan_has_its_estimate_warnings_and_the_commands_that_need_no_word():
    world = planned(
        task("a", estimated_minutes=10, checks=(Check(command=("make",)), Check(command=("rm", "-r")))),
        task("b"),
        allowed_commands=(("make",),),
    )
    found = looked(
        world,
        SetTask(id="a", fields={"scope": ["src/"], "agent": "plain"}),
        SetTask(id="b", fields={"scope": ["src/x"], "checks": [{"claim": "It is so"}]}),
    )
    assert found.problems == ()
    assert found.warnings == ("a and b may change the same files: they run one after the other",)
    assert found.estimate is not None
    assert found.agreed_commands == (("make",),)
    assert looked(world).estimate is not None


def test_edits_that_can_t_be_made_are_a_problem_of_the_plan():
    found = looked(planned(task("a")), AddTask(task=task("a")))
    assert [one.sentence for one in found.problems] == ["there is a task a already"]


@pytest.mark.parametrize(
    ("edit", "revision", "kind"),
    [
        (DropTask(id="a"), 2, StaleRevision),
        (DropTask(id="z"), 1, NotFound),
    ],
)
def test_what_refuses_the_edit_refuses_the_look(edit: Edit, revision: int, kind: type[Exception]):
    world = planned(task("a"))
    with pytest.raises(kind):
        outlook(world.run, (edit,), revision=revision, known_agents=known)
    with pytest.raises(kind):
        world.ask(c.EditPlan(revision=revision, edits=(edit,)))


def test_a_task_at_work_and_a_run_without_a_plan_have_no_outlook():
    world = started(task("a")).open("a")
    with pytest.raises(Conflict, match="only tasks without a live or completed attempt"):
        outlook(world.run, (DropTask(id="a"),), revision=1, known_agents=known)
    with pytest.raises(Conflict, match="edit isn't possible now"):
        outlook(World().run, (), revision=1, known_agents=known)


def test_the_look_and_the_edit_say_the_same():
    world = planned(task("a"))
    edits = (SetTask(id="a", fields={"priority": 0, "title": ""}),)
    found = outlook(world.run, edits, revision=1, known_agents=known)
    with pytest.raises(InvalidPlan) as refused:
        world.ask(c.EditPlan(revision=1, edits=edits))
    assert tuple(one.sentence for one in found.problems) == refused.value.problems
