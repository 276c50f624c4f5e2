"""An attempt's work merged into the integration branch, or prepared to be merged by somebody."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace

from bigtask.errors import NotFound
from bigtask.workspaces import merging_begun, merging_versions, names
from bigtask.workspaces.attempt_workspaces import AttemptWorkspaces
from bigtask.workspaces.changes import ConflictedFile
from bigtask.workspaces.merging import Labels, Merge, Rule, merged
from bigtask.workspaces.merging_queue import MergeQueue
from bigtask.workspaces.merging_told import sides
from bigtask.workspaces.moments import part_of
from bigtask.workspaces.run_repository import RunRepository
from bigtask.workspaces.values import Begun, Conflicted, Merged, Nothing, Strategy, TakenOut, Trial


@dataclass(frozen=True)
class MergingWork:
    """One merge at a time; what was done for it before is found, not done again."""

    run: RunRepository
    attempts: AttemptWorkspaces
    queue: MergeQueue

    @part_of("merge")
    async def merge(
        self, task_id: str, n: int, title: str, strategy: Strategy
    ) -> Merged | TakenOut | Conflicted | Nothing:
        """Bring an attempt's branch into the integration branch and its worktree."""
        git = self.run.git
        async with self.run.merging:
            ours, theirs = await self._sides(task_id, n, strategy)
            if await git.is_ancestor(theirs, ours):
                return await self.queue.earlier(theirs, ours)
            merge = await self._merge(task_id, n, ours, theirs, strategy)
            if merge.undecided:
                common = await git.call("merge-base", "--", ours, theirs, statuses=(0, 1))
                base = common.stdout.decode().strip() or None
                return Conflicted(files=merge.undecided, base=base, ours=ours, theirs=theirs)
            done = await self.queue.bring_in(task_id, n, title, merge, ours, theirs, strategy)
            await self.run.integration_tree().follow(ours, done.commit)
            return done

    @part_of("merge")
    async def begin(self, task_id: str, n: int, strategy: Strategy, *, work: int | None) -> Begun:
        """Begin to merge what is merged by now into the attempt's work, in its workspace, where somebody
        brings it to its end. The work is the attempt's own, or that of the earlier attempt `work`, on whose
        branch it goes on. A merge that is begun already stays as somebody has left it.
        """
        git = self.run.git
        async with self.run.merging:
            onto, begun = await self._ends(task_id, n, work)
            tree = self.run.attempt_tree(task_id, n)
            lies_there = tree.exists and tree.sound and merging_begun.is_begun(tree.git, onto)
            if lies_there:
                workspace = self.attempts.found(tree, task_id, n, begun)
            else:
                if not tree.sound:
                    self.attempts.lost(task_id, n)
                workspace = await self.attempts.acquire(task_id, n, begun)
            merge = await self._merge(task_id, n, onto, begun, strategy)
            if not lies_there:
                await merging_begun.begin(tree.git, onto=onto, work=begun, merge=merge, base=tree.base)
            versions = self.run.home / "conflicts" / f"{task_id}.{n}"
            await merging_versions.write(git, versions, merge.undecided)
            paths = [file.path for file in merge.undecided]
            told = await sides(git, self.queue, onto, begun, paths)
            return Begun(
                workspace=workspace,
                versions=versions,
                files=self.seen(merge.undecided),
                ours=told.ours,
                theirs=told.theirs,
                others=told.others,
            )

    async def _ends(self, task_id: str, n: int, work: int | None) -> tuple[str, str]:
        """What the work is merged with in its workspace, and the work: as decided before, or from now on."""
        git, main = self.run.git, names.ref(self.run.branch)
        own = names.ref(names.attempt_branch(self.run.run_id, task_id, n))
        onto_ref, work_ref = self.run.merge_refs(task_id, n)
        refs = await git.refs(own, main, onto_ref, work_ref)
        onto = refs.get(onto_ref)
        tip = refs.get(own) or await self._tip(task_id, work or n)
        if onto is not None and (work is not None or not await git.is_ancestor(onto, tip)):
            return onto, refs[work_ref]
        moves = [f"update {onto_ref} {refs[main]}", f"update {work_ref} {tip}"]
        await git.call("update-ref", "--stdin", input=("\n".join(moves) + "\n").encode())
        return refs[main], tip

    def seen(self, files: tuple[ConflictedFile, ...]) -> tuple[ConflictedFile, ...]:
        """The same, for those who work below the top of the repository."""
        prefix = self.run.source.prefix
        if not prefix:
            return files
        return tuple(replace(file, path=posixpath.relpath(file.path, prefix)) for file in files)

    async def trial(self) -> Trial | None:
        """The merge that isn't kept yet: of this process, or of one that ended while it was being checked."""
        return await self.queue.trial() if self.run.common_dir.exists() else None

    @part_of("keep")
    async def keep(self, trial: Trial) -> None:
        async with self.run.merging:
            await self.queue.keep(trial)

    @part_of("take-out")
    async def take_out(self, trial: Trial, reason: str) -> TakenOut:
        """Put the integration branch back to what it was before the merge, by a new commit."""
        async with self.run.merging:
            out = await self.queue.take_out(trial, reason)
            main = self.run.integration_tree()
            if main.tree.sound:
                await main.follow(trial.commit, out.commit)
            return out

    async def others_since(self, task_id: str, n: int) -> tuple[str, ...]:
        """The ids of the other tasks whose work came in since the attempt began, the oldest first."""
        start, main = names.start_ref(self.run.run_id, task_id, n), names.ref(self.run.branch)
        refs = await self.run.git.refs(start, main)
        found = await self.queue.merged_since(refs[start], refs[main])
        return tuple(dict.fromkeys(task for task, _, _ in found if task != task_id))

    async def _sides(self, task_id: str, n: int, strategy: Strategy) -> tuple[str, str]:
        """The tips of the integration branch and of the work that is merged into it."""
        main = names.ref(self.run.branch)
        refs = await self.run.git.refs(main)
        if main not in refs:
            raise NotFound(f"{self.run.branch} doesn't exist: prepare the run first")
        if strategy.favour is not None and strategy.whole:
            # A person's word about the work as it was, whatever somebody has tried since.
            _, work_ref = self.run.merge_refs(task_id, n)
            found = await self.run.git.refs(work_ref)
            if work_ref in found:
                return refs[main], found[work_ref]
        return refs[main], await self._tip(task_id, strategy.work or n)

    async def _tip(self, task_id: str, n: int) -> str:
        branch = names.attempt_branch(self.run.run_id, task_id, n)
        refs = await self.run.git.refs(names.ref(branch))
        if not refs:
            raise NotFound(f"{branch} doesn't exist: acquire a workspace and commit first")
        return refs[names.ref(branch)]

    async def _merge(self, task_id: str, n: int, ours: str, theirs: str, strategy: Strategy) -> Merge:
        join = None
        if strategy.concatenate:
            join = await self.queue.join_of(task_id, strategy.work or n, ours, theirs, strategy.order)
        rule = Rule(favour=strategy.favour, whole=strategy.whole, join=join)
        labels = Labels(theirs=f"{task_id}, attempt {strategy.work or n}")
        return await merged(self.run.git, ours, theirs, rule, labels)
