"""What was written in a workspace, as commits on its branch, and what these changed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bigtask.errors import Conflict
from bigtask.workspaces import merging_begun, names
from bigtask.workspaces.changes import path_from, seen_from
from bigtask.workspaces.git import NOTHING, Git
from bigtask.workspaces.moments import part_of
from bigtask.workspaces.moving import named
from bigtask.workspaces.run_repository import RunRepository, require_there
from bigtask.workspaces.staging import difference, stage
from bigtask.workspaces.values import Commit
from bigtask.workspaces.worktree import Worktree


@dataclass(frozen=True, kw_only=True)
class _Begun:
    """A merge that is begun in the workspace: `work` is to come together with `onto`."""

    onto: str
    work: str


@dataclass(frozen=True)
class Recording:
    run: RunRepository

    @part_of("commit")
    async def attempt(self, task_id: str, n: int, message: str, *, resolves: bool) -> Commit:
        """Record what an attempt wrote on its branch, and tell the whole of its work.

        Its own commits count, wherever it made them; repositories that it cloned into the workspace don't.

        Where a merge is begun in the workspace, what lies there is recorded only for one who `resolves` it,
        as that merge; raises `Conflict` while files hold conflict markers.
        """
        tree = self.run.attempt_tree(task_id, n)
        require_there(tree)
        tree.free_index()
        start_ref = names.start_ref(self.run.run_id, task_id, n)
        merge_refs = self.run.merge_refs(task_id, n)
        refs = await tree.git.refs(names.ref(tree.branch), start_ref, *merge_refs)
        start = refs[start_ref]
        onto, work = map(refs.get, merge_refs)
        begun = _Begun(onto=onto, work=work) if onto is not None and work is not None else None
        if begun is not None and not resolves:
            # It was recorded before the merge was begun.
            return await self.told(tree.git, start, begun.work)
        return await self._record(tree, refs, start, message, begun)

    @part_of("commit")
    async def phase(self, n: int, message: str) -> Commit:
        """The same for `@aggregation`, whose work is recorded on the integration branch."""
        tree = self.run.integration_tree().tree
        require_there(tree)
        tree.free_index()
        own, start_ref = names.ref(tree.branch), names.phase_ref(self.run.run_id, n)
        refs = await tree.git.refs(own, start_ref)
        return await self._record(tree, refs, refs.get(start_ref, refs[own]), message, None)

    async def _record(
        self, tree: Worktree, refs: dict[str, str], start: str, message: str, begun: _Begun | None
    ) -> Commit:
        git, own = tree.git, names.ref(tree.branch)
        seen = await tree.seen(start=start)
        if tree.private:
            # What the agent committed may have been cleared of them.
            refs |= await git.refs(own)
        tip = refs.get(own, start)
        content = await stage(git, tuple(path for _, path in seen.dirty))
        parents = [tip]
        if seen.head is not None and seen.head != tip and not await git.is_ancestor(seen.head, tip):
            parents.append(seen.head)
        if begun is not None:
            await _require_resolved(git, content, begun)
            if not await git.is_ancestor(begun.onto, tip):
                parents.append(begun.onto)
        if len(parents) > 1 or content != await git.word("rev-parse", "--verify", f"{tip}^{{tree}}"):
            made = await git.write_commit(content, parents, message)
            await git.move_ref(own, to=made, of=refs.get(own, NOTHING), why="bigtask: commit")
            tip = made
        if seen.branch != tree.branch:
            await git.call("symbolic-ref", "HEAD", own)
        if begun is not None:
            merging_begun.forget(git)
        told = await self.told(git, begun.onto if begun is not None else start, tip)
        changed = await self.run.submodules.changed(git)
        prefix = self.run.source.prefix
        return replace(told, in_submodules=tuple(path_from(prefix, path) for path in changed))

    async def told(self, git: Git, start: str, tip: str) -> Commit:
        """What changed between the two."""
        changes = await difference(git, start, tip)
        return Commit(commit=tip if tip != start else None, files=seen_from(self.run.source.prefix, changes))


async def _require_resolved(git: Git, content: str, begun: _Begun) -> None:
    left = await merging_begun.still_marked(git, content, onto=begun.onto, work=begun.work)
    if left:
        raise Conflict(
            f"{named(left)} still {'holds' if len(left) == 1 else 'hold'} conflict markers: "
            "choose what stays, and take the markers out"
        )
