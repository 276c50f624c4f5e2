"""A merge that is begun in an attempt's worktree, for somebody to bring it to its end there.

What can be merged is, texts that can't hold markers, and git sees it as a merge in progress: `git status`
and `git diff` say what is left. `bigtask-merge` beside git's own record of the worktree says that it was
begun whole, with which commit, and what lay there then.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from bigtask.workspaces.changes import ConflictedFile, Side
from bigtask.workspaces.git import Git
from bigtask.workspaces.merging import Merge, content, marked
from bigtask.workspaces.sparse import show_changed
from bigtask.workspaces.staging import difference, reveal, stage, state

_RECORD = "bigtask-merge"


def is_begun(git: Git, onto: str) -> bool:
    """Whether the merge with `onto` lies there, however far somebody has come with it."""
    return _record(git)[:1] == [onto]


async def begin(git: Git, *, onto: str, work: str, merge: Merge, base: str) -> None:
    """In a clean worktree at `work`, of a run that began at `base`. A process that ends on the way leaves no
    record."""
    await git.call("read-tree", "-m", "-u", work, merge.tree)
    await show_changed(git, base)
    if merge.undecided:
        lines = b"".join(_stages(merge.undecided, "0" * len(merge.tree)))
        await git.call("update-index", "-z", "--index-info", input=lines)
    (git.git_dir / "MERGE_MSG").write_text("Merge what the other tasks have done\n")
    (git.git_dir / "MERGE_HEAD").write_text(f"{onto}\n")
    (git.git_dir / _RECORD).write_text(f"{onto} {merge.tree}\n")


def forget(git: Git) -> None:
    """It has come to its end, one way or another."""
    for name in (_RECORD, "MERGE_HEAD", "MERGE_MSG", "MERGE_MODE"):
        (git.git_dir / name).unlink(missing_ok=True)


async def is_untouched(git: Git) -> bool:
    """Whether everything is as it was when the merge was begun: then there is nothing of anybody's in it."""
    _, *told = _record(git) or [""]
    if not told:
        return False
    await reveal(git)
    seen = await state(git)
    return not seen.embedded and await stage(git, tuple(path for _, path in seen.dirty)) == told[0]


async def still_marked(git: Git, tree: str, *, onto: str, work: str) -> tuple[str, ...]:
    """Files of the tree with lines like conflict markers that neither side had there."""
    changed = {change.path: change.new for change in await difference(git, onto, tree)}
    suspects = [path for path, side in changed.items() if marked(await content(git, side) or b"")]
    if not suspects:
        return ()
    before: set[str] = set()
    for commit in (onto, work):
        known = {change.path: change.old for change in await difference(git, commit, tree)}
        for path in suspects:
            # A file that isn't among those that differ is the same there.
            if path not in known or marked(await content(git, known[path]) or b""):
                before.add(path)
    return tuple(path for path in suspects if path not in before)


def _stages(files: Iterable[ConflictedFile], nothing: str) -> Iterable[bytes]:
    for file in files:
        path = os.fsencode(file.path) + b"\0"
        yield f"0 {nothing}\t".encode() + path
        for stage_number, blob, mode in zip(
            (1, 2, 3), (file.base, file.ours, file.theirs), file.modes, strict=True
        ):
            if blob is not None and mode is not None:
                side = Side(mode=mode, blob=blob)
                yield f"{side.mode} {side.blob} {stage_number}\t".encode() + path


def _record(git: Git) -> list[str]:
    try:
        return (git.git_dir / _RECORD).read_text().split()
    except (FileNotFoundError, NotADirectoryError):
        return []
