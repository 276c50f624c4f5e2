"""From the files of a working tree to a tree object, and the difference of two trees."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bigtask.workspaces.changes import Change, Side, read_changes
from bigtask.workspaces.git import Git

_DIRTY = {"?": "untracked", "u": "conflicted"}


@dataclass(frozen=True, kw_only=True)
class State:
    """What `git status` sees; `dirty` as in `Source`, but whole.

    `branch` is None when none is checked out, `head` is None before the first commit. `embedded` are other
    repositories that lie here untracked: git can't record their content.
    """

    head: str | None
    branch: str | None
    dirty: tuple[tuple[str, str], ...]
    embedded: tuple[str, ...] = ()


async def state(git: Git, *, every_file: bool = True) -> State:
    """Without `every_file`, a new folder counts as one change and `embedded` stays empty."""
    untracked = "all" if every_file else "normal"
    arguments = (
        "status",
        "--porcelain=v2",
        "--branch",
        "-z",
        "--no-renames",
        f"--untracked-files={untracked}",
    )
    printed = (await git.call(*arguments)).stdout
    found = read_status(printed)
    if not every_file:
        return found
    # With every file listed by itself, a folder can only be one that git doesn't look into.
    embedded = {path for status, path in found.dirty if status == "untracked" and path.endswith("/")}
    return State(
        head=found.head,
        branch=found.branch,
        dirty=tuple(entry for entry in found.dirty if entry[1] not in embedded),
        embedded=tuple(sorted(embedded)),
    )


def read_status(printed: bytes) -> State:
    """From `git status --porcelain=v2 --branch -z --no-renames`."""
    head, branch, dirty = None, None, []
    for entry in os.fsdecode(printed).split("\0"):
        kind, _, rest = entry.partition(" ")
        if kind == "#":
            name, _, value = rest.partition(" ")
            if name == "branch.oid" and value != "(initial)":
                head = value
            if name == "branch.head" and value != "(detached)":
                branch = value
        elif kind in _DIRTY:
            dirty.append((_DIRTY[kind], rest if kind == "?" else rest.split(" ", 9)[9]))
        elif kind == "1":
            dirty.append((_changed(rest[:2]), rest.split(" ", 7)[7]))
    return State(head=head, branch=branch, dirty=tuple(dirty))


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the index says of a path. `side` is None while it is in conflict. Git doesn't look at the file of
    a `hidden` one; a sparse checkout has none of a `sparse` one."""

    side: Side | None
    hidden: bool
    sparse: bool


async def entries(git: Git) -> dict[str, Entry]:
    """The whole index, by path."""
    printed = await git.call("ls-files", "--stage", "-v", "-z")
    found = {}
    for line in os.fsdecode(printed.stdout).split("\0"):
        about, _, path = line.partition("\t")
        if path:
            tag, mode, blob, number = about.split(" ")
            found[path] = Entry(
                side=Side(mode=mode, blob=blob) if number == "0" else None,
                hidden=tag.islower() or tag == "S",
                sparse=tag in "sS",
            )
    return found


async def reveal(git: Git) -> None:
    """Have git look at every file again that somebody told it not to look at (`--assume-unchanged`,
    `--skip-worktree`): what changed there would be nobody's work. What a sparse checkout leaves out stays
    so."""
    assert git.work_tree is not None
    assumed, skipped = [], []
    for line in (await git.call("ls-files", "-v", "-z")).stdout.split(b"\0"):
        tag, path = line[:1], line[2:]
        if tag.islower():
            assumed.append(path)
        if tag in b"sS" and path and os.path.lexists(os.fsencode(git.work_tree) + b"/" + path):
            skipped.append(path)
    for option, paths in (("--no-assume-unchanged", assumed), ("--no-skip-worktree", skipped)):
        if paths:
            await git.call("update-index", option, "-z", "--stdin", input=b"\0".join(paths) + b"\0")


async def stage(git: Git, paths: tuple[str, ...]) -> str:
    """Put these files as they are into the index, and return its tree. A path without a file is removed."""
    gone = _gone(git.work_tree, paths)
    for options, some in (
        (("--force-remove",), [path for path in paths if path in gone]),
        (("--add", "--remove", "--replace"), [path for path in paths if path not in gone]),
    ):
        if some:
            listed = b"".join(os.fsencode(path) + b"\0" for path in some)
            await git.call("update-index", *options, "-z", "--stdin", input=listed)
    return await git.word("write-tree")


def _gone(tree: Path | None, paths: Iterable[str]) -> set[str]:
    """The paths where no file is that git would look for: a link stands where one of their folders was, or a
    folder stands there."""
    assert tree is not None
    linked: dict[str, bool] = {"": False}

    def behind(folder: str) -> bool:
        if folder not in linked:
            linked[folder] = behind(posixpath.dirname(folder)) or (tree / folder).is_symlink()
        return linked[folder]

    def is_folder(path: str) -> bool:
        file = tree / path
        # That of a submodule counts as one file.
        return file.is_dir() and not file.is_symlink() and not os.path.lexists(file / ".git")

    return {path for path in paths if behind(posixpath.dirname(path)) or is_folder(path)}


async def difference(git: Git, old: str, new: str) -> tuple[Change, ...]:
    """Between two commits or trees. A renamed file is one deleted and one added."""
    arguments = (
        "diff-tree",
        "-r",
        "-z",
        "--raw",
        "--numstat",
        "--no-renames",
        "--no-ext-diff",
        "--no-textconv",
    )
    return read_changes((await git.call(*arguments, old, new)).stdout)


def _changed(states: str) -> str:
    if "D" in states:
        return "deleted"
    return "added" if states[0] == "A" else "modified"
