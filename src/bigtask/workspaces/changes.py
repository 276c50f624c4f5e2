"""What git says about the difference of two trees, and about a merge that it can't do alone."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass

_STATUSES = {"A": "added", "D": "deleted"}
_NO_MODE = "000000"


@dataclass(frozen=True, kw_only=True)
class Side:
    """One version of a file: its mode in git's octal and the id of its content."""

    mode: str
    blob: str


@dataclass(frozen=True, kw_only=True)
class Change:
    """`path` is below the top of the repository; `status` is `added`, `modified` or `deleted`."""

    path: str
    status: str
    old: Side | None
    new: Side | None
    insertions: int = 0
    deletions: int = 0


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """`path` is relative to where the run works, so a file outside of that begins with `../`.

    Binary files have no lines: 0 and 0.
    """

    path: str
    status: str
    insertions: int
    deletions: int


@dataclass(frozen=True, kw_only=True)
class ConflictedFile:
    """The three versions of a file as ids of their contents; None where there is no such version.

    `modes` are theirs in the same order, `what` says in words how the sides differ.
    """

    path: str
    base: str | None
    ours: str | None
    theirs: str | None
    modes: tuple[str | None, str | None, str | None] = (None, None, None)
    what: str = ""


def read_changes(printed: bytes) -> tuple[Change, ...]:
    """From `git diff-tree -r -z --raw --numstat --no-renames OLD NEW`."""
    fields = iter(os.fsdecode(printed).split("\0"))
    sides: dict[str, tuple[str, Side | None, Side | None]] = {}
    counts: dict[str, tuple[int, int]] = {}
    for field in fields:
        if field.startswith(":"):
            old_mode, new_mode, old, new, status = field[1:].split(" ")
            sides[next(fields)] = (
                _STATUSES.get(status[0], "modified"),
                _side(old_mode, old),
                _side(new_mode, new),
            )
        elif field:
            insertions, deletions, path = field.split("\t", 2)
            counts[path] = (_count(insertions), _count(deletions))
    return tuple(
        Change(
            path=path,
            status=status,
            old=old,
            new=new,
            insertions=counts.get(path, (0, 0))[0],
            deletions=counts.get(path, (0, 0))[1],
        )
        for path, (status, old, new) in sides.items()
    )


def seen_from(prefix: str, changes: Iterable[Change]) -> tuple[FileChange, ...]:
    """The same, for those who work below the top of the repository."""
    return tuple(
        FileChange(
            path=path_from(prefix, change.path),
            status=change.status,
            insertions=change.insertions,
            deletions=change.deletions,
        )
        for change in changes
    )


def path_from(prefix: str, path: str) -> str:
    """A path from the repository's top, for those who work below it."""
    return legible(posixpath.relpath(path, prefix) if prefix else path)


def legible(path: str) -> str:
    """For people and for the log, which holds text: bytes that aren't UTF-8 are written as `\\xff`."""
    return os.fsencode(path).decode(errors="backslashreplace")


def read_merge(printed: bytes) -> tuple[str, tuple[ConflictedFile, ...]]:
    """From `git merge-tree --write-tree -z --no-messages`: the merged tree and the files in conflict."""
    tree, *entries = os.fsdecode(printed).split("\0")
    stages: dict[str, dict[str, str]] = {}
    for entry in entries:
        if entry:
            about, _, path = entry.partition("\t")
            _mode, blob, stage = about.split(" ")
            stages.setdefault(path, {})[stage] = blob
    return tree.strip(), tuple(
        ConflictedFile(path=path, base=found.get("1"), ours=found.get("2"), theirs=found.get("3"))
        for path, found in stages.items()
    )


def _side(mode: str, blob: str) -> Side | None:
    return None if mode == _NO_MODE else Side(mode=mode, blob=blob)


def _count(printed: str) -> int:
    return 0 if printed == "-" else int(printed)
