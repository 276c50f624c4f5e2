"""The three versions of the files of a task whose conflict waits for a person: what there was before, what is
merged by now, and what the task made of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bigtask.core.run import Run
from bigtask.errors import NotFound

_SIDES = ("base", "ours", "theirs")
_MOST_BYTES = 2**20


@dataclass(frozen=True, kw_only=True)
class Versions:
    """Each version is its text; None where the file isn't there, isn't a text or is longer than 1 MiB."""

    path: str
    base: str | None
    ours: str | None
    theirs: str | None


def folder_of_versions(run: Run, task_id: str) -> Path:
    """Raises NotFound where nothing of the task waits for somebody to settle it."""
    record = run.record(task_id)
    versions = record.places.get("versions") if record is not None else None
    if versions is None or not Path(versions).is_dir():
        raise NotFound(f"no conflict of {task_id!r} waits for an answer: `bigtask inbox` lists what does")
    return Path(versions)


def versions_in(folder: Path) -> list[Versions]:
    """In the order of their paths, which are relative to the folder that the run works in."""
    files = sorted(
        {
            file.relative_to(folder / side)
            for side in _SIDES
            for file in (folder / side).rglob("*")
            if file.is_file() and not file.is_symlink()
        }
    )
    return [
        Versions(path=str(file), **{side: _text(folder / side / file) for side in _SIDES}) for file in files
    ]


def _text(file: Path) -> str | None:
    try:
        if file.is_symlink() or file.stat().st_size > _MOST_BYTES:
            return None
        content = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    return None if b"\0" in content else content.decode(errors="replace")
