"""A task's conflict, as two patches of each file: what came first made of it, and what the task did."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING

from bigtask.host.conflict_versions import folder_of_versions, versions_in

if TYPE_CHECKING:
    from bigtask.core.run import Run


def lines(run: Run, task_id: str) -> list[str]:
    """Raises NotFound where nothing of the task waits for somebody to settle it."""
    return list(_lines(folder_of_versions(run, task_id)))


def _lines(folder: Path) -> Iterator[str]:
    yield f"The three versions of each file lie in {folder}"
    for file in versions_in(folder):
        for now, whose in ((file.ours, "merged so far"), (file.theirs, "this task")):
            yield from _patch(file.path, file.base, now, whose)


def _patch(path: str, base: str | None, now: str | None, whose: str) -> Iterator[str]:
    if base is None and now is None:
        yield f"diff {path} ({whose}): it isn't there, or isn't a text"
        return
    yield f"diff {path} ({whose})"
    old = "/dev/null" if base is None else f"a/{path}"
    new = "/dev/null" if now is None else f"b/{path}"
    yield from unified_diff((base or "").splitlines(), (now or "").splitlines(), old, new, lineterm="")
