"""Where crash tests cut in: a wrong word is refused before anything runs."""

from __future__ import annotations

import pytest

from bigtask.errors import InvalidInput
from bigtask.host.faults import VARIABLE, steps_from, watch_from
from bigtask.workspaces.moments import WORKS, part_of, step, unwatched


@pytest.mark.parametrize("point", ["during append", "after nothing:ever 1", "before merge:update-ref x"])
def test_a_point_that_is_none_is_refused(point: str) -> None:
    for read in (watch_from, steps_from):
        with pytest.raises(InvalidInput, match="must be like 'after worker:completed 3'"):
            read({VARIABLE: point})


def test_a_point_is_for_the_log_or_for_the_repository() -> None:
    assert watch_from({}) is None
    assert steps_from({}) is unwatched
    assert watch_from({VARIABLE: "after append 2"}) is not None
    assert steps_from({VARIABLE: "after append 2"}) is unwatched
    for point in ("before merge:update-ref", "after any 7"):
        assert watch_from({VARIABLE: point}) is None
        assert steps_from({VARIABLE: point}) is not unwatched


async def test_a_step_belongs_to_the_work_that_was_asked_for() -> None:
    @part_of("branch")
    async def inner() -> str:
        return step("update-ref")

    @part_of("merge")
    async def outer() -> tuple[str, str]:
        return step("read-tree"), await inner()

    assert await outer() == ("merge:read-tree", "merge:update-ref")
    assert await inner() == "branch:update-ref"
    assert step("status") == "look:status"
    assert {"branch", "merge"} <= WORKS
