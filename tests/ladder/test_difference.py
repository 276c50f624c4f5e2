from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigtask.core.difference import difference, rebased, redirected
from bigtask.core.edits import AddTask, DropTask, Edit, MergeTasks, ReorderTasks, SetTask, apply
from bigtask.core.values import Plan, Task
from bigtask.errors import InvalidPlan

from .plans import IDS, some_plans, some_tasks


def task(id: str, *needs: str, **fields: object) -> Task:
    return Task(id=id, title=id.upper(), dependencies=needs, **fields)


def plan(*tasks: Task) -> Plan:
    return Plan(revision=1, tasks=tasks)


@given(before=some_plans, tasks=some_tasks)
def test_the_edits_between_two_plans_make_one_of_the_other(before: Plan, tasks: tuple[Task, ...]) -> None:
    edits = difference(before, tasks)
    assert apply(before, edits).tasks == tasks
    assert bool(edits) == (before.tasks != tasks)


@given(before=some_plans, tasks=some_tasks, data=st.data())
def test_so_do_those_with_merges(before: Plan, tasks: tuple[Task, ...], data: st.DataObject) -> None:
    kept = {each.id for each in tasks}
    free = [each.id for each in before.tasks if each.id not in kept]
    into = data.draw(st.sampled_from(sorted(kept))) if kept else None
    if into is not None and into in {each.id for each in before.tasks}:
        free.append(into)
    if into is None or len(free) < 2:
        return
    merged = {into: tuple(data.draw(st.lists(st.sampled_from(free), unique=True, min_size=2)))}
    # One that stays beside the new one can't be the new one.
    if into in {each.id for each in before.tasks} and into not in merged[into]:
        return
    edits = difference(before, tasks, merged)
    assert apply(before, edits).tasks == tasks
    assert any(isinstance(edit, MergeTasks) for edit in edits)


@given(before=some_plans, tasks=some_tasks)
def test_edits_say_the_same_after_they_were_written_down(before: Plan, tasks: tuple[Task, ...]) -> None:
    edits = difference(before, tasks)
    again = msgspec.json.decode(msgspec.json.encode(edits), type=tuple[Edit, ...])
    assert apply(before, again).tasks == tasks


def test_what_did_not_change_is_in_no_edit() -> None:
    before = plan(task("a"), task("b", "a", priority=3), task("c"))
    after = (task("a"), task("b", "a", priority=1), task("c"), task("d"))
    assert difference(before, after) == (
        AddTask(task=task("d")),
        SetTask(id="b", fields={"priority": 1}),
    )
    assert difference(before, (before.tasks[1], before.tasks[0], before.tasks[2])) == (
        ReorderTasks(ids=("b", "a", "c")),
    )
    assert difference(before, before.tasks[:2]) == (DropTask(id="c"),)
    assert difference(before, before.tasks) == ()


def test_a_field_that_is_taken_away_goes_back_to_what_it_is_without_one() -> None:
    before = plan(task("a", agent="claude", priority=1, estimated_minutes=3.0))
    (edit,) = difference(before, (task("a"),))
    assert edit == SetTask(id="a", fields={"priority": 5, "estimatedMinutes": None, "agent": None})


@pytest.mark.parametrize(
    ("tasks", "merged", "said"),
    [
        ((task("a"), task("a")), {}, "the id a is used twice"),
        ((task("a"), task("b"), task("ab")), {"ab": ("a", "b")}, "a is merged into ab and stands beside it"),
        ((task("ab"),), {"ab": ("a", "x")}, "there is no task x"),
        ((task("ab"),), {"ab": ("a",)}, "two or more"),
    ],
)
def test_what_no_edits_lead_to_is_refused(
    tasks: tuple[Task, ...], merged: dict[str, tuple[str, ...]], said: str
) -> None:
    with pytest.raises(InvalidPlan, match=said):
        difference(plan(task("a"), task("b")), tasks, merged)


def test_what_depended_on_a_task_that_is_gone_depends_on_what_that_one_did() -> None:
    before = plan(task("a"), task("b", "a"), task("c", "b"), task("d", "c", "a"))
    assert redirected(before, (task("a"), task("d", "c", "a"))) == (task("a"), task("d", "a"))
    assert redirected(before, (task("d", "c"),)) == (task("d"),)


def test_what_depended_on_merged_tasks_depends_on_the_new_one() -> None:
    before = plan(task("a"), task("b", "a"), task("c", "b"), task("d", "a", "b"))
    after = redirected(before, (task("ab", "b"), task("c", "b"), task("d", "a", "b")), {"ab": ("a", "b")})
    assert after == (task("ab"), task("c", "ab"), task("d", "ab"))


def test_what_never_was_and_what_goes_in_a_circle_is_left_for_others_to_find() -> None:
    before = plan(task("a", "b"), task("b", "a"), task("c", "a"))
    assert redirected(before, (task("c", "a", "typo", "c"),)) == (task("c", "typo", "c"),)


@given(before=some_plans, tasks=some_tasks)
def test_redirecting_asks_for_nothing_that_is_gone(before: Plan, tasks: tuple[Task, ...]) -> None:
    kept = {each.id for each in tasks}
    gone = {each.id for each in before.tasks} - kept
    for after in redirected(before, tasks):
        assert not gone & set(after.dependencies)
        assert len(set(after.dependencies)) == len(after.dependencies)


@given(before=some_plans, mine=some_tasks, theirs=some_tasks)
def test_edits_can_be_put_on_top_of_any_later_plan(
    before: Plan, mine: tuple[Task, ...], theirs: tuple[Task, ...]
) -> None:
    later = Plan(revision=before.revision + 1, tasks=theirs)
    result, left = rebased(later, difference(before, mine))
    assert result.revision == later.revision
    assert {each.id for each in result.tasks} <= set(IDS)
    if theirs == before.tasks:
        assert (result.tasks, left) == (mine, ())


def test_edits_that_cannot_be_made_any_more_are_left_over() -> None:
    later = plan(task("a", priority=2), task("c"))
    edits = (SetTask(id="a", fields={"title": "mine"}), DropTask(id="b"), ReorderTasks(ids=("c", "b", "a")))
    result, left = rebased(later, edits)
    assert [each.id for each in result.tasks] == ["c", "a"]
    assert (result.tasks[1].title, result.tasks[1].priority) == ("mine", 2)
    assert left == (DropTask(id="b"),)
