"""A worktree beside the others, with what is merged by now: for programs whose files are nobody's work.

Hooks run in it, at any moment. In the integration worktree what they write would stand among the result that
`@aggregation` is writing there just then, and commands that judge the result would see it.
"""

from __future__ import annotations

from bigtask.errors import GitError
from bigtask.workspaces.git import NOTHING
from bigtask.workspaces.sparse import show_changed
from bigtask.workspaces.staging import reveal, stage, state
from bigtask.workspaces.worktree import Worktree


async def bring_up(tree: Worktree, to: str, rescue: str) -> None:
    """Make the worktree, or bring it to the commit `to`; no branch is checked out. What programs left in it
    stays, and goes to the ref `rescue` where it is in the way."""
    if tree.exists and not tree.sound:
        await tree.discard()
    if not tree.exists:
        tree.path.parent.mkdir(parents=True, exist_ok=True)
        await tree.repository.call("worktree", "add", "-q", "--detach", "--", str(tree.path), to)
        await show_changed(tree.git, tree.base)
        await tree.submodules.fill(tree.git)
        return
    git = tree.git
    head = await git.commit("HEAD")
    if head is None or head == to:
        return
    tree.free_index()
    try:
        await git.call("read-tree", "-m", "-u", head, to)
    except GitError:
        await _put_aside(tree, head, rescue)
        await git.call("read-tree", "-m", "-u", head, to)
    await show_changed(git, tree.base)
    await git.call("update-ref", "-m", "bigtask: beside", "--no-deref", "--", "HEAD", to, head)


async def give_up(tree: Worktree, rescue: str) -> None:
    """Remove the worktree; what programs left in it goes to the ref `rescue`."""
    if tree.sound and (head := await tree.git.commit("HEAD")):
        tree.free_index()
        await _put_aside(tree, head, rescue)
    await tree.remove()


async def _put_aside(tree: Worktree, head: str, ref: str) -> None:
    git = tree.git
    await reveal(git)
    seen = await state(git)
    if not seen.dirty:
        return
    content = await stage(git, tuple(path for _, path in seen.dirty))
    earlier = (await git.refs(ref)).get(ref)
    parents = [head, *([earlier] if earlier else [])]
    kept = await git.write_commit(content, parents, "bigtask: left uncommitted by hooks")
    await git.move_ref(ref, to=kept, of=earlier or NOTHING, why="bigtask: rescue")
    await git.call("reset", "-q", "--hard", "--no-recurse-submodules")
