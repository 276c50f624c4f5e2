from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigtask.errors import InvalidTemplate, NotFound
from bigtask.templates.inheritance import lineage, merge, resolve

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


def merge_patch(target: object, patch: object) -> object:
    """RFC 7396, section 2, word for word."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = merge_patch(target.get(name), value)
    return target


@given(parent=OBJECTS, child=OBJECTS)
def test_a_child_is_a_merge_patch_of_its_parent(parent: dict, child: dict) -> None:
    parent = merge({}, parent)
    assert merge(parent, child) == merge_patch(parent, child)


def test_objects_merge_deeply_arrays_are_replaced_and_null_removes() -> None:
    raw = {
        "a": {
            "id": "a",
            "config": {"maxWorkers": 5, "agent": "claude", "setup": [["x"], ["y"]]},
            "tags": ["one", "two"],
            "ui": {"color": "#000000"},
        },
        "b": {"id": "b", "extends": "a", "config": {"maxWorkers": 8}, "tags": ["three"]},
        "c": {"id": "c", "extends": "b", "config": {"agent": None, "setup": [["z"]]}, "ui": None},
    }
    assert lineage("c", raw) == ("c", "b", "a")
    assert resolve("c", raw) == {
        "id": "c",
        "config": {"maxWorkers": 8, "setup": [["z"]]},
        "tags": ["three"],
    }


def test_resolving_changes_no_template() -> None:
    raw = {
        "a": {"id": "a", "config": {"x": {"y": 1}}},
        "b": {"id": "b", "extends": "a", "config": {"x": {"z": 2}}},
    }
    resolve("b", raw)["config"]["x"]["y"] = 7
    resolve("a", raw)["config"]["x"]["y"] = 7
    assert raw["a"] == {"id": "a", "config": {"x": {"y": 1}}}


def test_a_cycle_names_the_chain() -> None:
    raw = {"a": {"id": "a", "extends": "b"}, "b": {"id": "b", "extends": "a"}}
    with pytest.raises(InvalidTemplate, match="a -> b -> a") as caught:
        resolve("a", raw)
    assert caught.value.problems[0][0] == "/extends"


def test_a_missing_parent_names_the_chain() -> None:
    raw = {"a": {"id": "a", "extends": "b"}, "b": {"id": "b", "extends": "gone"}}
    with pytest.raises(InvalidTemplate, match=r"called gone.*\(a -> b -> gone\)"):
        resolve("a", raw)


def test_a_missing_template_is_not_found() -> None:
    with pytest.raises(NotFound, match="no template is called a"):
        resolve("a", {})


def test_a_chain_may_be_of_any_depth() -> None:
    raw = {f"t{n}": {"id": f"t{n}", "extends": f"t{n + 1}", "config": {f"k{n}": n}} for n in range(3_000)}
    raw["t3000"] = {"id": "t3000"}
    assert len(resolve("t0", raw)["config"]) == 3_000
