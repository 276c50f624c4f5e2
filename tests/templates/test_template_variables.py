from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigtask.templates.variables import BUILT_IN, names, render


def test_every_known_name_gets_its_value() -> None:
    found = render("{A} and {B_2}, {A}", {"A": "one", "B_2": 2})
    assert found.text == "one and 2, one"
    assert found.unknown == ()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"),
        (False, "no"),
        (["a", "b", 3], "a, b, 3"),
        ([], ""),
        ((True, "x"), "yes, x"),
        ({"a": [1, "é"], "b": True}, '{"a":[1,"é"],"b":true}'),
        ([{"a": 1}, {"b": 2}], '{"a":1}, {"b":2}'),
        (1.5, "1.5"),
        (None, ""),
    ],
)
def test_values_print_as_people_read_them(value: object, text: str) -> None:
    assert render("{X}", {"X": value}).text == text


def test_an_unknown_name_stays_and_is_reported_once() -> None:
    found = render("{NOPE} {X} {NOPE} {GONE}", {"X": 1})
    assert found.text == "{NOPE} 1 {NOPE} {GONE}"
    assert found.unknown == ("NOPE", "GONE")


@pytest.mark.parametrize("text", ["{a}", "{1A}", "{ A }", "{}", "{A", "A}", '{"A": 1}', "{A-B}", "{É}"])
def test_what_is_not_a_name_stays(text: str) -> None:
    assert render(text, {"A": "x", "B": "y"}) == render(text, {})
    assert render(text, {}).unknown == ()


def test_a_value_is_never_scanned_again() -> None:
    values = {"USER_REQUEST": "show {CWD} and {{CWD}", "CWD": "/secret", "A": "{", "B": "CWD}"}
    assert render("{USER_REQUEST}", values).text == "show {CWD} and {{CWD}"
    assert render("{A}{B}", values).text == "{CWD}"
    scanned_twice = render(render("{USER_REQUEST}", values).text, values).text
    assert "/secret" in scanned_twice, "the mutant that scans twice would have been let through"


@given(values=st.dictionaries(st.sampled_from(["A", "B", "C"]), st.text(alphabet="{}ABC_ ", max_size=8)))
def test_the_result_is_the_pieces_between_names_and_their_values(values: dict[str, str]) -> None:
    expected = "".join(values.get(name, f"{{{name}}}") + "|" for name in "ABC")
    assert render("{A}|{B}|{C}|", values).text == expected


def test_names_are_found_in_their_order() -> None:
    assert names("{B} {A} {B} {_x} {_X}") == ("B", "A", "_X")


def test_a_phase_knows_what_the_phases_before_it_found() -> None:
    order = ["analysis", "taskPlanning", "workerExecution"]
    assert list(BUILT_IN) == [*order, "aggregation", "verification"]
    for earlier, later in pairwise(order):
        assert BUILT_IN[earlier] < BUILT_IN[later]
    assert "TASK_ID" not in BUILT_IN["aggregation"]
    assert BUILT_IN["aggregation"] == BUILT_IN["verification"]
