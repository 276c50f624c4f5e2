"""A merge that doesn't come to its end by itself, told to those who bring it there: both sides' changes to
the files in conflict, and the tasks whose work they came with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bigtask.workspaces.git import Git
from bigtask.workspaces.merging_queue import MergeQueue

_PATCH_BYTES = 2 * 2**20


@dataclass(frozen=True, kw_only=True)
class Sides:
    """`ours` and `theirs` are patches since the two parted, `others` the ids of tasks, the oldest first."""

    ours: str
    theirs: str
    others: tuple[str, ...]


async def sides(git: Git, queue: MergeQueue, onto: str, work: str, paths: Sequence[str]) -> Sides:
    """Of what is merged by now, at the commit `onto`, and of the commit `work`."""
    common = await git.call("merge-base", "--", onto, work, statuses=(0, 1))
    base = common.stdout.decode().strip() or await git.empty_tree()
    others = await queue.merged_since(base, onto) if await git.commit(base) else ()
    touching = [task for task, _, tip in others if await _touches(git, base, tip, paths)]
    return Sides(
        ours=await _patch(git, base, onto, paths),
        theirs=await _patch(git, base, work, paths),
        others=tuple(dict.fromkeys(touching)),
    )


async def _touches(git: Git, old: str, new: str, paths: Sequence[str]) -> bool:
    arguments = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new, "--", *paths)
    return bool((await git.call(*arguments)).stdout)


async def _patch(git: Git, old: str, new: str, paths: Sequence[str]) -> str:
    if not paths:
        return ""
    arguments = ("diff-tree", "-r", "-p", "--no-color", "--no-renames", old, new, "--", *paths)
    printed = await git.peek(*arguments, limit_bytes=2 * _PATCH_BYTES)
    return printed.stdout.decode(errors="replace")
