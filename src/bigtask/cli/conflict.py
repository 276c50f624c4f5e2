"""A task's conflict, as two patches of each file: what came first made of it, and what the task did."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING

from bigtask.errors import NotFound

if TYPE_CHECKING:
    from bigtask.core.run import Run

_SIDES = {"ours": "merged so far", "theirs": "this task"}
_MOST_BYTES = 2**20


def lines(run: Run, task_id: str) -> list[str]:
    """Raises NotFound where nothing of the task waits for somebody to settle it."""
    record = run.record(task_id)
    versions = record.places.get("versions") if record is not None else None
    if versions is None or not Path(versions).is_dir():
        raise NotFound(f"no conflict of {task_id!r} waits for an answer: `bigtask inbox` lists what does")
    return list(_lines(Path(versions)))


def _lines(versions: Path) -> Iterator[str]:
    yield f"The three versions of each file lie in {versions}"
    files = sorted(
        {
            file.relative_to(versions / side)
            for side in ("base", *_SIDES)
            for file in (versions / side).rglob("*")
            if file.is_file()
        }
    )
    for file in files:
        base = _text(versions / "base" / file)
        for side, whose in _SIDES.items():
            yield from _patch(file, base, _text(versions / side / file), whose)


def _patch(file: Path, base: list[str] | None, now: list[str] | None, whose: str) -> Iterator[str]:
    if base is None and now is None:
        yield f"diff {file} ({whose}): it isn't there, or isn't a text"
        return
    yield f"diff {file} ({whose})"
    old = "/dev/null" if base is None else f"a/{file}"
    new = "/dev/null" if now is None else f"b/{file}"
    yield from unified_diff(base or [], now or [], old, new, lineterm="")


def _text(file: Path) -> list[str] | None:
    """None for what isn't there, isn't a text or is too long to be looked at like this."""
    try:
        content = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    return (
        None
        if b"\0" in content or len(content) > _MOST_BYTES
        else content.decode(errors="replace").splitlines()
    )
