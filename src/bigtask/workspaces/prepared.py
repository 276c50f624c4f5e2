"""What was done for a worktree before anybody worked in it: a small file for each, outside of all of them.

So after a crash nothing is done twice, and the files that were copied in are known by name: they are never
committed, whatever an agent does to the rules by which git ignores them.
"""

from __future__ import annotations

import posixpath
from pathlib import Path

import msgspec

from bigtask import durable_file


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """`place` is the device and inode of the worktree that it was done for: one that is made anew under the
    same name begins from nothing. `files` are paths from its top."""

    place: tuple[int, int]
    files: tuple[str, ...] = ()
    copied: bool = False
    set_up: bool = False


def of(home: Path, worktree: Path) -> Prepared:
    """`home` is the run's folder. Raises OSError without a worktree."""
    about = worktree.lstat()
    place = (about.st_dev, about.st_ino)
    found = _read(home, worktree.name)
    return found if found is not None and found.place == place else Prepared(place=place)


def keep(home: Path, worktree: Path, prepared: Prepared) -> None:
    file = _file(home, worktree.name)
    file.parent.mkdir(exist_ok=True)
    durable_file.replace(file, msgspec.json.encode(prepared))


def forget(home: Path, name: str) -> None:
    _file(home, name).unlink(missing_ok=True)


def private(home: Path, name: str) -> frozenset[str]:
    """What was copied into the worktree of that name, as paths from its top, half copied files included."""
    found = _read(home, name)
    files = found.files if found is not None else ()
    return frozenset((*files, *map(unfinished, files)))


def unfinished(path: str) -> str:
    """Under which name a file lies beside its own while it is being copied."""
    above, name = posixpath.split(path)
    return posixpath.join(above, f".{name[:100]}.bigtask-new")


def _read(home: Path, name: str) -> Prepared | None:
    try:
        return msgspec.json.decode(_file(home, name).read_bytes(), type=Prepared)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _file(home: Path, name: str) -> Path:
    return home / "prepared" / f"{name}.json"
