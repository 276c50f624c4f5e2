"""Sparse checkouts: what a run has changed is in its workspaces, wherever it lies."""

from __future__ import annotations

import os

from bigtask.workspaces.git import Git


async def show_changed(git: Git, since: str) -> None:
    """Bring the files that differ from the commit `since` into a worktree whose patterns leave them out:
    whoever works there builds on them. What somebody has removed stays removed."""
    assert git.work_tree is not None
    if not (git.git_dir / "info" / "sparse-checkout").exists():
        return
    top = os.fsencode(git.work_tree) + b"/"
    listed = await git.call("diff-index", "--cached", "--name-only", "--diff-filter=d", "-z", since, "--")
    missing = {path for path in listed.stdout.split(b"\0") if path and not os.path.lexists(top + path)}
    if not missing:
        return
    tagged = (await git.call("ls-files", "-v", "-z")).stdout.split(b"\0")
    left_out = [entry[2:] for entry in tagged if entry[:1] in b"sS" and entry[2:] in missing]
    if left_out:
        paths = b"\0".join(left_out) + b"\0"
        await git.call("update-index", "--no-skip-worktree", "-z", "--stdin", input=paths)
        await git.call("checkout-index", "-q", "-z", "--stdin", input=paths)
