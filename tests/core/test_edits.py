from __future__ import annotations

import pytest

from bigtask.core.edits import AddTask, DropTask, MergeTasks, ReorderTasks, SetTask, apply, touched
from bigtask.core.values import Check, Plan
from bigtask.errors import InvalidPlan
from core.world import task

PLAN = Plan(revision=3, tasks=(task("a"), task("b", "a"), task("c", "b"), task("d", "b", "a")))


def shape(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {task.id: task.dependencies for task in plan.tasks}


@pytest.mark.parametrize(
    ("edit", "becomes"),
    [
        (AddTask(task=task("e", "d")), {"a": (), "b": ("a",), "c": ("b",), "d": ("b", "a"), "e": ("d",)}),
        (DropTask(id="b"), {"a": (), "c": ("a",), "d": ("a",)}),
        (DropTask(id="a"), {"b": (), "c": ("b",), "d": ("b",)}),
        (SetTask(id="c", fields={"dependencies": []}), {"a": (), "b": ("a",), "c": (), "d": ("b", "a")}),
        (MergeTasks(ids=("b", "c"), task=task("bc", "a")), {"a": (), "bc": ("a",), "d": ("bc", "a")}),
        (MergeTasks(ids=("c", "d"), task=task("d", "b")), {"a": (), "b": ("a",), "d": ("b",)}),
        (MergeTasks(ids=("b", "a"), task=task("b")), {"b": (), "c": ("b",), "d": ("b",)}),
        (ReorderTasks(ids=("d", "b")), {"d": ("b", "a"), "b": ("a",), "a": (), "c": ("b",)}),
    ],
)
def test_each_edit_makes_the_next_revision(edit, becomes):
    edited = apply(PLAN, [edit])
    assert edited.revision == 4
    assert shape(edited) == becomes
    assert list(shape(edited)) == list(becomes)


def test_edits_follow_one_another():
    edited = apply(PLAN, [AddTask(task=task("e")), SetTask(id="e", fields={"priority": 1}), DropTask(id="c")])
    assert [t.id for t in edited.tasks] == ["a", "b", "d", "e"]
    assert edited.tasks[-1].priority == 1


def test_every_field_but_the_id_can_be_set_by_its_json_name():
    fields = {
        "title": "T",
        "description": "D",
        "scope": ["src"],
        "priority": 2,
        "dependencies": ["a"],
        "estimatedTokens": 5,
        "estimatedMinutes": 1.5,
        "checks": [{"command": ["true"]}],
        "agent": "x",
        "model": "m",
    }
    changed = apply(PLAN, [SetTask(id="c", fields=fields)]).tasks[2]
    assert (changed.title, changed.estimated_minutes, changed.scope) == ("T", 1.5, ("src",))
    assert changed.checks == (Check(command=("true",)),)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (AddTask(task=task("a")), "there is a task a already"),
        (DropTask(id="x"), "there is no task x"),
        (SetTask(id="x", fields={}), "there is no task x"),
        (SetTask(id="a", fields={"id": "z"}), "task a has no field id that can be set"),
        (SetTask(id="a", fields={"estimated_tokens": 1}), "no field estimated_tokens that can be set"),
        (SetTask(id="a", fields={"priority": "high"}), "task a: Expected `int`"),
        (MergeTasks(ids=("a",), task=task("m")), "merging takes two or more different tasks"),
        (MergeTasks(ids=("a", "a"), task=task("m")), "merging takes two or more different tasks"),
        (MergeTasks(ids=("a", "x"), task=task("m")), "there is no task x"),
        (MergeTasks(ids=("a", "b"), task=task("c")), "there is a task c already"),
        (ReorderTasks(ids=("x",)), "there is no task x"),
    ],
)
def test_an_edit_that_cannot_be_made_says_why(edit, said):
    with pytest.raises(InvalidPlan, match=said):
        apply(PLAN, [edit])


def test_only_the_tasks_whose_work_changes_are_touched():
    assert touched(DropTask(id="a")) == ("a",)
    assert touched(SetTask(id="a", fields={})) == ("a",)
    assert touched(MergeTasks(ids=("a", "b"), task=task("c"))) == ("a", "b")
    assert touched(AddTask(task=task("x"))) == touched(ReorderTasks(ids=("a",))) == ()
