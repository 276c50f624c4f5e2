from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigtask.core.estimate import makespan, of
from bigtask.core.plan import remaining_paths, weight
from bigtask.core.values import Plan, Settings
from core.world import task


def test_a_plan_without_figures_has_no_estimate():
    assert of(Plan(revision=1, tasks=(task("a"),)), Settings(agent="plain")) is None


def test_an_estimate_is_a_range_and_says_what_it_was_reckoned_from():
    plan = Plan(revision=1, tasks=(task("a", estimated_minutes=10.0, estimated_tokens=1_000_000), task("b")))
    free = of(plan, Settings(agent="plain"))
    paid = of(plan, Settings(agent="plain", costs_money=True))
    assert (free.minutes_low, free.minutes_high, free.cost_high) == (6.0, 20.0, 0.0)
    assert (paid.cost_low, paid.cost_high) == (3.0, 10.0)
    assert paid.basis == "the plan's own figures"


def test_tokens_alone_are_figures_too():
    plan = Plan(revision=1, tasks=(task("a", estimated_tokens=20_000),))
    assert of(plan, Settings(agent="plain")).minutes_high == 4.0


def test_a_run_without_parallel_execution_takes_the_sum():
    plan = Plan(revision=1, tasks=tuple(task(id, estimated_minutes=10.0) for id in "abc"))
    assert of(plan, Settings(agent="plain", parallel_execution=False)).minutes_low == 18.0


@pytest.mark.parametrize(("slots", "minutes"), [(1, 8.0), (2, 4.0), (3, 4.0)])
def test_the_longest_remaining_path_goes_first(slots, minutes):
    tasks = (
        task("short", estimated_minutes=1.0),
        task("other", estimated_minutes=3.0),
        task("head", estimated_minutes=1.0),
        task("tail", "head", estimated_minutes=3.0),
    )
    assert makespan(tasks, slots) == minutes


@given(
    st.lists(
        st.tuples(st.floats(0, 20), st.sets(st.integers(0, 7)), st.integers(1, 10)), min_size=1, max_size=8
    ),
    st.integers(1, 5),
)
def test_a_plan_takes_at_least_its_longest_chain_and_at_most_everything_in_a_row(drawn, slots):
    tasks = tuple(
        task(
            f"t{i}", *(f"t{n}" for n in sorted(needs) if n < i), estimated_minutes=minutes, priority=priority
        )
        for i, (minutes, needs, priority) in enumerate(drawn)
    )
    took = makespan(tasks, slots)
    assert max(remaining_paths(tasks).values()) - 1e-6 <= took <= sum(map(weight, tasks)) + 1e-6
