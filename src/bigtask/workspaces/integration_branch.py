"""The branch that everything is merged into, and the workspaces that show it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from bigtask.errors import InvalidInput, NotFound
from bigtask.workspaces import beside, names
from bigtask.workspaces.basis import Basis, make_shadow
from bigtask.workspaces.git import NOTHING
from bigtask.workspaces.moments import part_of
from bigtask.workspaces.run_repository import RunRepository, require_there
from bigtask.workspaces.values import Trial, Workspace
from bigtask.workspaces.worktree import Rescue


class IntegrationBranch:
    """Everything but `prepare` needs a run that `prepare` was called for, now or before a crash."""

    def __init__(self, run: RunRepository) -> None:
        self._run = run
        self._workspace: Workspace | None = None

    @property
    def workspace(self) -> Workspace:
        """Needs `prepare` of this very object."""
        if self._workspace is None:
            raise NotFound(f"the run {self._run.run_id} has no workspace yet: its first session makes it")
        return self._workspace

    @part_of("prepare")
    async def prepare(self, base: str | None, *, include_changes: bool) -> str:
        """Make the branch and its worktree; returns the commit that the run starts from.

        That is `base`, or where the person is, with `include_changes` including what they didn't commit and
        don't ignore. Once decided it stays. Raises `InvalidInput` for a base that doesn't exist, for
        repositories inside the project that git can't record, and for submodules whose commit isn't here.
        """
        if base is not None and include_changes:
            raise InvalidInput("a chosen base has no uncommitted changes: leave one of the two out")
        async with self._run.adding:
            start = await self._start(base, include_changes=include_changes)
            main = self._run.integration_tree()
            if main.tree.exists and not main.tree.sound:
                await main.tree.discard()
            if main.tree.exists:
                await main.catch_up()
                await self._run.submodules.fill(main.tree.git)
            else:
                await main.tree.add()
            self._workspace = self._run.workspace(main.tree, names.INTEGRATION, 1, start)
        return start

    async def _start(self, base: str | None, *, include_changes: bool) -> str:
        """The commit that the run starts from, with the refs that remember it and begin the branch."""
        run, git = self._run, self._run.git
        base_ref, main_ref = names.base_ref(run.run_id), names.ref(run.branch)
        if run.source.kind == "folder":
            await make_shadow(run.common_dir)
        refs = await git.refs(base_ref, main_ref, "refs/heads/bigtask")
        if "refs/heads/bigtask" in refs:
            raise InvalidInput("the branch bigtask stands where bigtask's branches belong: rename it")
        if base_ref in refs:
            if main_ref not in refs:
                raise NotFound(f"the branch {run.branch} is gone: restore it, or start a new run")
            return refs[base_ref]
        basis = Basis(source=run.source, repository=git, files=run.files, submodules=run.submodules)
        commit = await basis.commit(base, include_changes=include_changes)
        create = f"create {base_ref} {commit}\ncreate {main_ref} {commit}\n"
        await git.call("update-ref", "--stdin", input=create.encode())
        return commit

    async def begin_phase(self, n: int) -> None:
        """`@aggregation` is about to write in the workspace, by its attempt `n`: what somebody else has left
        there goes to a rescue ref, and its work counts from here on."""
        ref, main = names.phase_ref(self._run.run_id, n), names.ref(self._run.branch)
        async with self._run.merging:
            refs = await self._run.git.refs(ref, main)
            if ref not in refs:
                await self._run.integration_tree().force_back()
                await self._run.git.move_ref(ref, to=refs[main], of=NOTHING, why="bigtask: phase")

    async def clear(self) -> Rescue | None:
        """Bring the worktree to what is committed on the branch, so that nothing that a session left lying in
        it counts as the result. Ignored files stay, the others go to a rescue ref."""
        main = self._run.integration_tree()
        require_there(main.tree)
        async with self._run.merging:
            return await main.force_back()

    async def beside(self) -> Workspace:
        """Where programs may run that have no part in the result, with what is merged by now."""
        run, main = self._run, names.ref(self._run.branch)
        tree = run.worktree(names.BESIDE, 1, run.branch)
        async with run.adding:
            commit = (await run.git.refs(main))[main]
            await beside.bring_up(tree, commit, names.rescue_ref(run.run_id, names.BESIDE, 1))
            return replace(run.workspace(tree, names.BESIDE, 1, commit), branch="")

    @asynccontextmanager
    async def looking_back(self, trial: Trial) -> AsyncIterator[None]:
        """Meanwhile the files of the workspace are those from before the merge."""
        main = self._run.integration_tree()
        await main.follow(trial.commit, trial.before)
        try:
            yield
        finally:
            await main.follow(trial.before, trial.commit)

    async def give_up(self) -> None:
        main = self._run.integration_tree()
        if main.tree.sound:
            await main.force_back()
        await main.tree.remove()
        self._run.forget(names.INTEGRATION, 1)

    async def give_up_beside(self, n: int) -> None:
        tree = self._run.worktree(names.BESIDE, n, self._run.branch)
        await beside.give_up(tree, names.rescue_ref(self._run.run_id, names.BESIDE, n))
        self._run.forget(names.BESIDE, n)
