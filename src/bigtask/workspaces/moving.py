"""Bring somebody's files from one commit to another, or leave every one of them as it is.

Git alone would overwrite ignored files, and would refuse to go on where a crash left it half-way. So what
lies in the way is looked for first, and a file that is as it shall be counts as moved already.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterable
from pathlib import Path

from bigtask.errors import Conflict
from bigtask.workspaces.changes import Change, Side, legible
from bigtask.workspaces.git import Git
from bigtask.workspaces.staging import difference

_NAMED = 5
_LINK, _PROGRAM, _PLAIN, _REPOSITORY = "120000", "100755", "100644", "160000"


async def move(git: Git, old: str, new: str) -> tuple[Change, ...]:
    """The changes made. Index and files end up at `new` where they differ from `old`.

    Raises `Conflict`, before anything is touched, that names files which are neither as in `old` nor as in
    `new`, or that stand where a new one belongs.
    """
    changes, moved, blocked = await look_ahead(git, old, new)
    if blocked:
        raise Conflict(f"{named(blocked)} changed since, or would be overwritten: move or commit that first")
    if moved:
        await git.call("update-index", "-z", "--index-info", input=b"".join(map(_index_entry, moved)))
    await git.call("read-tree", "-m", "-u", old, new)
    return changes


async def look_ahead(git: Git, old: str, new: str) -> tuple[tuple[Change, ...], list[Change], list[str]]:
    """The changes of the move, those of them that are made already, and the paths that stand in its way.
    Touches nothing but git's knowledge, in the index, of which files are unchanged."""
    assert git.work_tree is not None
    changes = await difference(git, old, new)
    # A file that was only touched isn't a changed one.
    await git.call("update-index", "-q", "--refresh", statuses=(0, 1))
    edited = _paths((await git.call("diff-files", "-z", "--name-only")).stdout)
    edited |= _paths(
        (await git.call("diff-index", "-z", "--cached", "--name-only", "--no-renames", old)).stdout
    )
    moved: list[Change] = []
    blocked: list[str] = []
    for change in changes:
        if change.path not in edited and change.old is not None:
            blocked += _blocked_parents(git.work_tree, change, changes)
        elif await _is(git, change.path, change.new):
            moved.append(change)
        elif change.old is None and _free(git.work_tree, change, changes):
            blocked += _blocked_parents(git.work_tree, change, changes)
        else:
            blocked.append(change.path)
    return changes, moved, blocked


def named(paths: Iterable[str]) -> str:
    """The first few of the paths, for a sentence."""
    listed = sorted({legible(path) for path in paths})
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more


async def _is(git: Git, path: str, side: Side | None) -> bool:
    assert git.work_tree is not None
    file = git.work_tree / path
    try:
        mode = file.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return side is None
    if side is None or _mode(mode) != side.mode:
        return False
    if side.mode == _REPOSITORY:
        return True
    if side.mode == _LINK:
        return await git.word("hash-object", "--stdin", input=os.readlink(os.fsencode(file))) == side.blob
    return await git.word("hash-object", f"--path={path}", "--", str(file)) == side.blob


def _mode(mode: int) -> str | None:
    if stat.S_ISLNK(mode):
        return _LINK
    if stat.S_ISREG(mode):
        return _PROGRAM if mode & stat.S_IXUSR else _PLAIN
    return _REPOSITORY if stat.S_ISDIR(mode) else None


def _free(tree: Path, change: Change, changes: Iterable[Change]) -> bool:
    """Whether nothing stands where a new file belongs, but files that go away in the same move."""
    file = tree / change.path
    if not os.path.lexists(file):
        return True
    if file.is_symlink() or not file.is_dir():
        return False
    going = {str(tree / other.path) for other in changes if other.new is None}
    return all(os.path.join(at, name) in going for at, _, names in os.walk(file) for name in names)


def _blocked_parents(tree: Path, change: Change, changes: Iterable[Change]) -> list[str]:
    """A file or a link that stands where a folder on the way belongs: nothing is written through it."""
    if change.new is None:
        return []
    going = {other.path for other in changes if other.new is None}
    parent, found = posixpath.dirname(change.path), []
    while parent:
        file = tree / parent
        if os.path.lexists(file) and (file.is_symlink() or not file.is_dir()) and parent not in going:
            found.append(parent)
        parent = posixpath.dirname(parent)
    return found


def _index_entry(change: Change) -> bytes:
    side = change.new or Side(mode="0", blob="0" * len(change.old.blob if change.old else ""))
    return f"{side.mode} {side.blob}\t".encode() + os.fsencode(change.path) + b"\0"


def _paths(printed: bytes) -> set[str]:
    return set(os.fsdecode(printed).split("\0")) - {""}
