"""Bring somebody's files from one commit to another, or leave every one of them as it is.

Git alone would overwrite ignored files, would leave half of it done where the disk is full, and would refuse
to go on where a crash left it half-way. So what lies in the way is looked for first; a file and its entry in
the index may each be as before or as afterwards already; and files are exchanged whole (`exchanging`).
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bigtask.errors import Conflict
from bigtask.workspaces.changes import Change, Side, legible
from bigtask.workspaces.exchanging import Exchange
from bigtask.workspaces.git import Git
from bigtask.workspaces.staging import difference, entries

_NAMED = 5
_LINK, _PROGRAM, _PLAIN, _REPOSITORY = "120000", "100755", "100644", "160000"


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a move between the commits `old` and `new` comes to.

    `written` are the changes whose files have to be exchanged, `moved` those whose files are as they shall
    be, and of these `own` the paths that git didn't know of: somebody has put the same file there. `blocked`
    are the paths that stand in the way. A sparse checkout has no files of those that are `absent`.
    """

    old: str
    new: str
    changes: tuple[Change, ...]
    written: tuple[Change, ...] = ()
    moved: tuple[Change, ...] = ()
    own: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    absent: tuple[Change, ...] = ()


async def move(git: Git, seen: Outlook, place: Path) -> None:
    """Index and files end up at `new` where they differ from `old`.

    `place` is a folder of ours on the same disk, where files wait until all of them are there. Raises
    `Conflict` that names files which are neither as in `old` nor as in `new`, or that stand where a new one
    belongs, or can't be written; and `GitError`. Then every file is as it was.
    """
    require_free(seen)
    async with Exchange(git=git, new=seen.new, place=place, changes=seen.written):
        try:
            await _record(git, (*seen.moved, *seen.written), seen.absent, new=True)
        except BaseException:
            await _record(git, seen.written, seen.absent, new=False)
            raise
    # Whoever looks next needn't read every file again.
    await git.call("update-index", "-q", "--refresh", statuses=(0, 1))


def require_free(seen: Outlook) -> None:
    """Raises Conflict where something stands in the way."""
    if seen.blocked:
        raise Conflict(
            f"{named(seen.blocked)} changed since, or would be overwritten: move or commit that first"
        )


async def look_ahead(git: Git, old: str, new: str, *, keep: Iterable[str] = ()) -> Outlook:
    """What a move would find. The files of `keep` stay, whatever is in them, where they would be removed.

    Touches nothing but git's knowledge, in the index, of which files are unchanged."""
    tree = git.work_tree
    assert tree is not None
    changes = await difference(git, old, new)
    # A file that was only touched isn't a changed one.
    await git.call("update-index", "-q", "--refresh", statuses=(0, 1))
    edited = _paths((await git.call("diff-files", "-z", "--name-only")).stdout)
    index = await entries(git)
    written: list[Change] = []
    moved: list[Change] = []
    absent: list[Change] = []
    blocked: list[str] = []
    kept = frozenset(keep)
    for change in changes:
        entry = index.get(change.path)
        if entry is not None and entry.side not in (change.old, change.new):
            blocked.append(change.path)
            continue
        if change.new is None and change.path in kept:
            moved.append(change)
            continue
        behind = _behind(tree, change.path)
        there = not behind and os.path.lexists(tree / change.path)
        if entry is not None and entry.sparse and not there:
            absent.append(change)
            continue
        if behind:
            # What seems to lie there lies elsewhere.
            reached = change.new is None
            unread = change.old is None
        # Of what it was told not to look at git doesn't know whether it changed.
        elif entry is not None and change.path not in edited and not (there and entry.hidden):
            reached = entry.side == change.new
            unread = not reached
        else:
            reached = await _is(git, change.path, change.new)
            unread = not reached and (
                await _is(git, change.path, change.old)
                if change.old is not None
                else _free(tree, change, changes)
            )
        if reached:
            moved.append(change)
        elif unread:
            written.append(change)
            blocked += _blocked_parents(tree, change, changes)
        else:
            blocked.append(change.path)
    return Outlook(
        old=old,
        new=new,
        changes=changes,
        written=tuple(written),
        moved=tuple(moved),
        own=tuple(change.path for change in moved if change.new and change.path not in index),
        blocked=tuple(blocked),
        absent=tuple(absent),
    )


async def _record(git: Git, there: Sequence[Change], absent: Sequence[Change], *, new: bool) -> None:
    if listed := b"".join(_index_entry(change, new=new) for change in (*there, *absent)):
        await git.call("update-index", "-z", "--index-info", input=listed)
    left_out = [change.path for change in absent if (change.new if new else change.old)]
    if skipped := b"".join(os.fsencode(path) + b"\0" for path in left_out):
        await git.call("update-index", "--skip-worktree", "-z", "--stdin", input=skipped)


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
    if side is None:
        # A folder is there for what is in it.
        return stat.S_ISDIR(mode)
    if _mode(mode) != side.mode:
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


def _behind(tree: Path, path: str) -> bool:
    """Whether a link or a file stands where one of the folders on the way would be."""
    above = [tree / parent for parent in PurePosixPath(path).parents][:-1]
    return any(os.path.lexists(file) and (file.is_symlink() or not file.is_dir()) for file in above)


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


def _index_entry(change: Change, *, new: bool) -> bytes:
    side, other = (change.new, change.old) if new else (change.old, change.new)
    side = side or Side(mode="0", blob="0" * len(other.blob if other else ""))
    return f"{side.mode} {side.blob}\t".encode() + os.fsencode(change.path) + b"\0"


def _paths(printed: bytes) -> set[str]:
    return set(os.fsdecode(printed).split("\0")) - {""}
