from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigtask.core import plan
from bigtask.core.values import Check, Plan, Settings, Task
from core.world import task

SETTINGS = Settings(agent="plain")


def chain(length: int) -> list[Task]:
    return [task(f"t{i}", *([f"t{i - 1}"] if i else [])) for i in range(length)]


def problems(*tasks: Task, agents=None, inside=None, **settings):
    more = {} if inside is None else {"inside": inside}
    return plan.problems(tasks, Settings(agent="plain", **settings), agents=agents, **more)


def test_a_sound_plan_has_no_problems():
    checks = (Check(command=("make",)), Check(claim="it works"))
    tasks = task("a", scope=("src/a",), agent="plain"), task("b", "a", scope=("src/*.py",), checks=checks)
    assert problems(*tasks, agents=["plain"], require_scope=True, require_dependencies=True) == ()


@pytest.mark.parametrize(
    ("tasks", "settings", "said"),
    [
        ([], {}, "there are 0 tasks: at least 1 needed"),
        (chain(3), {"max_tasks": 2}, "there are 3 tasks: at most 2 allowed, merge some"),
        ([task("a"), task("a")], {}, "the id a is used twice"),
        ([task("A b")], {}, "the id 'A b' isn't usable"),
        ([task("../etc")], {}, "the id '../etc' isn't usable"),
        ([task("@planning")], {}, "the id '@planning' isn't usable"),
        ([task("-a")], {}, "the id '-a' isn't usable"),
        ([task("a\n")], {}, r"the id 'a\n' isn't usable"),
        ([task("x" * 49)], {}, "isn't usable: 1 to 48 of a-z"),
        ([task("")], {}, "the id '' isn't usable"),
        ([task("main")], {}, "the id main is reserved: choose another"),
        ([Task(id="a", title="  ")], {}, "task a has no title"),
        ([task("a", priority=0)], {}, "task a has priority 0: 1 (most urgent) to 10 is possible"),
        ([task("a", priority=11)], {}, "task a has priority 11"),
        ([task("a")], {"require_scope": True}, "task a has no scope, and this template requires one"),
        ([task("a", "b")], {}, "task a depends on b, which doesn't exist"),
        ([task("a", scope=("/etc",))], {}, "task a has '/etc' in its scope, which lies outside"),
        ([task("a", scope=("src/../..",))], {}, "task a has 'src/../..' in its scope"),
        ([task("a", scope=("a\0b",))], {}, "in its scope, which lies outside the run's directory"),
        ([task("a", checks=(Check(),))], {}, "task a has a check that is neither one command nor one claim"),
        ([task("a", checks=(Check(command=(), claim=None),))], {}, "neither one command nor one claim"),
        ([task("a", checks=(Check(command=("x",), claim="y"),))], {}, "neither one command nor one claim"),
        ([task("a"), task("b")], {"require_dependencies": True}, "no task has dependencies, and this"),
        ([task("a", "b"), task("b", "a")], {}, "the dependencies go in a circle: a -> b -> a"),
    ],
)
def test_each_problem_has_its_sentence(tasks, settings, said):
    found = problems(*tasks, **settings)
    assert any(said in sentence for sentence in found), found


def test_all_problems_are_told_at_once():
    assert len(problems(task("A"), task("main", "x"), Task(id="c", title=""))) == 4


def test_an_agent_that_does_not_exist_is_named():
    wants = task("a", agent="nobody")
    assert problems(wants, agents=["plain"]) == ("task a wants the agent nobody, which doesn't exist",)
    assert problems(wants) == ()


def test_who_knows_the_directory_says_what_lies_inside():
    assert problems(task("a", scope=("link",)), inside=lambda path: False) != ()
    assert problems(task("a", scope=("/x",)), inside=lambda path: True) == ()


def test_one_task_needs_no_dependencies():
    assert problems(task("a"), require_dependencies=True) == ()


@pytest.mark.parametrize(
    ("tasks", "circle"),
    [
        ([], ()),
        (chain(4), ()),
        ([task("a", "a")], ("a", "a")),
        ([task("a", "c"), task("b", "a"), task("c", "b")], ("a", "c", "b", "a")),
        ([task("x"), task("lead", "a"), task("a", "x", "b"), task("b", "a")], ("a", "b", "a")),
        ([task("a", "gone"), task("b", "a")], ()),
        ([task("a"), task("b", "a"), task("c", "a"), task("d", "b", "c")], ()),
    ],
)
def test_a_cycle_is_named_with_its_first_task_again_at_the_end(tasks, circle):
    assert plan.cycle(tasks) == circle


def test_a_cycle_is_found_in_a_plan_deeper_than_the_stack():
    tasks = chain(5_000)
    assert plan.cycle(tasks) == ()
    around = plan.cycle([task("t0", "t4999"), *tasks[1:]])
    assert len(around) == 5_001
    assert around[0] == around[-1]


@given(st.lists(st.sets(st.integers(0, 8)), max_size=9))
def test_a_plan_can_be_ordered_exactly_when_it_has_no_cycle(needs):
    ids = range(len(needs))
    tasks = [task(f"t{i}", *(f"t{n}" for n in sorted(needs[i]) if n in ids)) for i in ids]
    ordered = [t.id for t in plan.order(tasks)]
    assert (len(ordered) == len(tasks)) == (plan.cycle(tasks) == ())
    for place, id in enumerate(ordered):
        assert set(tasks[int(id[1:])].dependencies) <= set(ordered[:place])


def test_the_order_keeps_the_plan_order_where_it_can():
    tasks = [task("c", "a"), task("b"), task("a")]
    assert [t.id for t in plan.order(tasks)] == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("fields", "weight"),
    [
        ({}, 1.0),
        ({"estimated_minutes": 3.5}, 3.5),
        ({"estimated_minutes": -1.0}, 0.0),
        ({"estimated_tokens": 25_000}, 2.5),
        ({"estimated_tokens": -1}, 0.0),
        ({"estimated_tokens": 1, "estimated_minutes": 2.0}, 2.0),
    ],
)
def test_minutes_outweigh_tokens_and_nothing_weighs_one(fields, weight):
    assert plan.weight(task("a", **fields)) == weight


def test_the_remaining_path_is_the_heaviest_chain_to_an_end():
    tasks = [
        task("a", estimated_minutes=1.0),
        task("b", "a", estimated_minutes=2.0),
        task("c", "a", estimated_minutes=10.0),
        task("d", "b", "c", estimated_minutes=3.0),
    ]
    assert plan.remaining_paths(tasks) == {"a": 14.0, "b": 5.0, "c": 13.0, "d": 3.0}


@pytest.mark.parametrize(
    ("scope", "areas"),
    [
        ((), ()),
        (("src/a.py",), (("src", "a.py"),)),
        (("./src//a/",), (("src", "a"),)),
        (("src/**/*.py", "src/*.md"), (("src",),)),
        (("*.md",), ((),)),
        (("docs/[ab]/x", "docs/a?c"), (("docs",),)),
    ],
)
def test_an_area_is_the_fixed_part_of_a_scope(scope, areas):
    assert plan.areas(task("a", scope=scope)) == areas


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((("src",),), (("src", "a"),), True),
        ((("src", "a"),), (("src",),), True),
        ((("src", "a"),), (("src", "b"),), False),
        ((("src",),), (("srcs",),), False),
        (((),), (("x",),), True),
        ((), (("x",),), False),
        ((("a",), ("b",)), (("c",), ("b", "x")), True),
    ],
)
def test_areas_overlap_when_one_lies_in_the_other(one, other, same):
    assert plan.overlap(one, other) is same
    assert plan.overlap(other, one) is same


def test_overlapping_pairs_are_those_that_no_dependency_puts_in_order():
    tasks = [
        task("a", scope=("src",)),
        task("b", scope=("src/b",)),
        task("c", "a", scope=("src/c",)),
        task("d", scope=("docs", "docs/x")),
        task("free"),
    ]
    assert plan.overlapping_pairs(tasks, limit=20) == [("a", "b")]


@given(st.lists(st.sets(st.sampled_from(["", "a", "a/b", "a/b/c", "a/d", "e"]), max_size=2), max_size=6))
def test_overlapping_pairs_are_all_that_overlap_whichever_comes_first(scopes):
    tasks = [task(f"t{i}", scope=tuple(sorted(scope))) for i, scope in enumerate(scopes)]
    assert set(plan.overlapping_pairs(tasks, limit=99)) == {
        (one.id, other.id)
        for place, one in enumerate(tasks)
        for other in tasks[place + 1 :]
        if plan.overlap(plan.areas(one), plan.areas(other))
    }


def test_a_dependency_on_a_later_task_puts_two_in_order_too():
    tasks = [task("a", "b", scope=("src",)), task("b", scope=("src",))]
    assert plan.overlapping_pairs(tasks, limit=20) == []


def test_overlapping_pairs_stop_at_the_limit():
    tasks = [task(f"t{i}", scope=("src",)) for i in range(10)]
    assert len(plan.overlapping_pairs(tasks, limit=5)) == 5


def test_a_person_is_warned_of_overlaps():
    two = Plan(revision=1, tasks=(task("a", scope=("x",)), task("b", scope=("x",))))
    assert plan.warnings(two) == ("a and b may change the same files: they run one after the other",)


def test_a_task_is_read_as_an_agent_writes_it():
    data = {
        "id": "a",
        "title": "A",
        "description": "What to do",
        "scope": ["src"],
        "priority": 2,
        "dependencies": ["b", "b"],
        "estimated_tokens": 100,
        "estimated_minutes": 1.5,
        "checks": [{"command": ["make", "test"]}, {"claim": "all pages exist"}],
        "agent": "other",
        "model": "small",
    }
    assert plan.task_from_answer(data) == Task(
        id="a",
        title="A",
        description="What to do",
        scope=("src",),
        priority=2,
        dependencies=("b",),
        estimated_tokens=100,
        estimated_minutes=1.5,
        checks=(Check(command=("make", "test")), Check(claim="all pages exist")),
        agent="other",
        model="small",
    )
    least = plan.task_from_answer({"id": "a", "title": "A", "description": ""})
    assert least == Task(id="a", title="A")
