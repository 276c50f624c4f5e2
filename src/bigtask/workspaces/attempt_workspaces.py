"""The workspaces of attempts: made, filled with what git ignores, and given up."""

from __future__ import annotations

import asyncio

from msgspec import structs

from bigtask.errors import NotFound
from bigtask.workspaces import merging_begun, names, prepared
from bigtask.workspaces.git import NOTHING
from bigtask.workspaces.including import Rules, chosen, copy, require_small, tracked
from bigtask.workspaces.moments import part_of
from bigtask.workspaces.run_repository import RunRepository, require_there
from bigtask.workspaces.values import Workspace
from bigtask.workspaces.worktree import Rescue, Worktree


class AttemptWorkspaces:
    """By task and number of the attempt."""

    def __init__(self, run: RunRepository) -> None:
        self._run = run
        self._held: dict[tuple[str, int], Workspace] = {}

    @part_of("branch")
    async def acquire(self, task_id: str, n: int, start: str | None = None) -> Workspace:
        """A workspace on a branch of its own, from `start` or else from the integration branch.

        A branch that is there keeps its commits. What a dead process left uncommitted in a worktree goes to
        the rescue ref; to ask again for one that this object gave out changes nothing.
        """
        async with self._run.adding:
            if (task_id, n) not in self._held:
                tree = self._run.attempt_tree(task_id, n)
                begin = await self._begun(task_id, n, start)
                if tree.exists and tree.sound:
                    await tree.rescue(names.rescue_ref(self._run.run_id, task_id, n), start=begin)
                    await self._run.submodules.fill(tree.git)
                else:
                    if tree.exists:
                        await tree.discard()
                    await tree.add()
                self._held[task_id, n] = self._run.workspace(tree, task_id, n, begin)
            return self._held[task_id, n]

    async def _begun(self, task_id: str, n: int, start: str | None) -> str:
        """Where the attempt's branch begins, which is made if it isn't there."""
        git, run_id = self._run.git, self._run.run_id
        main, own = names.ref(self._run.branch), names.ref(names.attempt_branch(run_id, task_id, n))
        start_ref, trial = names.start_ref(run_id, task_id, n), names.trial_ref(run_id)
        refs = await git.refs(main, own, start_ref, trial)
        begin = refs.get(start_ref)
        if begin is None:
            # What is on trial may be taken out again: nobody builds on it yet.
            begin = await git.commit(start) if start else refs.get(trial, refs.get(main))
            if begin is None:
                raise NotFound(
                    f"{start or self._run.branch} is no commit of this repository: prepare the run first"
                )
            create = [f"create {start_ref} {begin}\n"]
            create += [] if own in refs else [f"create {own} {begin}\n"]
            await git.call("update-ref", "--stdin", input="".join(create).encode())
        elif own not in refs:
            await git.move_ref(own, to=begin, of=NOTHING, why="bigtask: acquire")
        return begin

    def found(self, tree: Worktree, task_id: str, n: int, start: str) -> Workspace:
        """The workspace of a worktree that is there already, with whatever lies in it."""
        if (task_id, n) not in self._held:
            self._held[task_id, n] = self._run.workspace(tree, task_id, n, start)
        return self._held[task_id, n]

    def lost(self, task_id: str, n: int) -> None:
        """Somebody has thrown it away: `acquire` makes it anew."""
        self._held.pop((task_id, n), None)

    async def include(self, task_id: str, n: int, rules: Rules) -> tuple[str, ...]:
        """Copy what the rules name, and git ignores, into the attempt's worktree, once; `task_id` may be
        `main`. Returns the paths that weren't copied because a link leads out of the project, or something is
        in the way. Raises InvalidInput where it would be too much."""
        if task_id == names.INTEGRATION:
            tree = self._run.integration_tree().tree
        else:
            tree = self._run.attempt_tree(task_id, n)
        require_there(tree)
        home, root = self._run.home, self._run.source.root
        known = prepared.of(home, tree.path)
        if known.copied:
            return ()
        paths = await chosen(self._run.files, rules)
        require_small(root, paths, place=rules.place)
        if paths:
            # What the branch has of its own comes with it.
            recorded = await tracked(tree.git)
            known = structs.replace(known, files=tuple(path for path in paths if path not in recorded))
            # First: whoever finds half of them after a crash knows that they aren't anybody's work.
            prepared.keep(home, tree.path, known)
        left_out = await asyncio.to_thread(copy, root, tree.path, known.files) if known.files else ()
        prepared.keep(home, tree.path, structs.replace(known, copied=True))
        return left_out

    def present(self, task_id: str, n: int) -> bool:
        """Whether the attempt has a worktree."""
        return self._run.folder(task_id, n).exists()

    @part_of("release")
    async def release(self, task_id: str, n: int) -> Rescue | None:
        """Give the worktree up; its branch stays. Uncommitted work goes to the rescue ref.

        Returns where that is, or None when nothing was uncommitted.
        """
        run = self._run
        tree = run.attempt_tree(task_id, n)
        self._held.pop((task_id, n), None)
        rescued = None
        async with run.adding:
            if tree.exists:
                if tree.sound:
                    refs = await run.git.refs(names.start_ref(run.run_id, task_id, n))
                    start = next(iter(refs.values()), run.branch)
                    if await merging_begun.is_untouched(tree.git):
                        await tree.git.call("reset", "-q", "--hard", "--no-recurse-submodules")
                    rescued = await tree.rescue(names.rescue_ref(run.run_id, task_id, n), start=start)
                await tree.remove()
        run.forget(task_id, n)
        return rescued
