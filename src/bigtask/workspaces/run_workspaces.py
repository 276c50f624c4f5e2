"""Everything that a run does in a repository, each step of it safe to repeat after a crash.

What is there is looked up before anything is done, and every name follows from ids, so that a second try
finds what the first one made. Until `apply_result` the person's branch, index and files stay untouched.
"""

from __future__ import annotations

import asyncio
import os
import posixpath
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from msgspec import structs

from bigtask.errors import Conflict, InvalidInput, NotFound
from bigtask.workspaces import beside, merging_begun, merging_versions, names, prepared
from bigtask.workspaces.applying import Application
from bigtask.workspaces.basis import Basis, make_shadow
from bigtask.workspaces.changes import ConflictedFile, FileChange, path_from, seen_from
from bigtask.workspaces.consent import Consent
from bigtask.workspaces.forecast import Forecast, foresee
from bigtask.workspaces.git import NOTHING, Git
from bigtask.workspaces.including import Rules, chosen, copy, require_small, tracked
from bigtask.workspaces.integration_tree import IntegrationTree
from bigtask.workspaces.integrity import Integrity
from bigtask.workspaces.merging import Labels, Merge, Rule, merged
from bigtask.workspaces.merging_queue import MergeQueue
from bigtask.workspaces.merging_told import sides
from bigtask.workspaces.moments import Watch, part_of, unwatched
from bigtask.workspaces.moving import named
from bigtask.workspaces.outcome import Outcome
from bigtask.workspaces.ports import PortBlocks
from bigtask.workspaces.source import Source
from bigtask.workspaces.staging import difference, stage
from bigtask.workspaces.submodules import Submodules
from bigtask.workspaces.values import (
    Applied,
    Begun,
    Commit,
    Conflicted,
    Leftover,
    Merged,
    Nothing,
    ResultDiff,
    Strategy,
    TakenOut,
    Trial,
    Workspace,
)
from bigtask.workspaces.worktree import Rescue, Worktree


class RunWorkspaces:
    """`home` is the run's folder, outside of the project; worktrees, trash and temporary files lie in it.

    Every method but `prepare` needs a run that `prepare` was called for, now or before a crash; else they
    raise `NotFound`. All of them raise `GitError` where git says no.
    """

    def __init__(
        self,
        run_id: str,
        source: Source,
        home: Path,
        *,
        ports: PortBlocks | None = None,
        watch: Watch = unwatched,
    ) -> None:
        self._run_id = run_id
        self._source = source
        self._home = home.resolve()
        if self._home.is_relative_to(source.root):
            raise InvalidInput(
                f"{home} lies inside the project: choose a folder for runs outside of {source.root}"
            )
        self._main = names.integration_branch(run_id)
        self._ports = ports
        if source.kind == "git":
            assert source.git_dir is not None
            assert source.common_dir is not None
            self._common_dir = source.common_dir
            self._repository = replace(source.git, watch=watch)
            self._files = self._repository
        else:
            self._common_dir = self._home / "shadow.git"
            # The folder's index is for the folder alone: a worktree would be made into it.
            guard = Consent(self._common_dir, frozenset()).require
            self._repository = Git(
                git_dir=self._common_dir, settings=source.settings, guard=guard, watch=watch
            )
            self._files = replace(self._repository, work_tree=source.root, index=self._home / "folder.index")
        self.integrity = Integrity(
            run_id=run_id, repository=self._repository, common_dir=self._common_dir, home=self._home
        )
        stores = {self._common_dir, *([source.git_dir] if source.git_dir is not None else [])}
        self._submodules = Submodules(folder=self._home / "submodules", stores=tuple(sorted(stores)))
        self._integration: Workspace | None = None
        self._held: dict[tuple[str, int], Workspace] = {}
        self._outcome = Outcome(run_id=run_id, repository=self._repository, prefix=source.prefix)
        self._queue = MergeQueue(run_id=run_id, git=self._repository)
        # Two of git's own additions at once are slower than one after the other, and race for locks.
        self._adding = asyncio.Lock()
        self._merging = asyncio.Lock()

    @property
    def repository(self) -> Git:
        """What the run's branches are in: the person's, or that of a folder's shadow."""
        return self._repository

    @property
    def integration(self) -> Workspace:
        """The workspace of the integration branch. Needs `prepare` of this very object."""
        if self._integration is None:
            raise NotFound(f"the run {self._run_id} has no workspace yet: prepare it first")
        return self._integration

    @part_of("prepare")
    async def prepare(self, base: str | None = None, include_changes: bool = False) -> str:
        """Make the integration branch and its worktree; returns the commit that the run starts from.

        That is `base`, or where the person is, with `include_changes` including what they didn't commit and
        don't ignore. Once decided it stays. Raises `InvalidInput` for a base that doesn't exist, for
        repositories inside the project that git can't record, and for submodules whose commit isn't here.
        """
        if base is not None and include_changes:
            raise InvalidInput("a chosen base has no uncommitted changes: leave one of the two out")
        base_ref, main_ref = names.base_ref(self._run_id), names.ref(self._main)
        async with self._adding:
            if self._source.kind == "folder":
                await make_shadow(self._common_dir)
            refs = await self._repository.refs(base_ref, main_ref, "refs/heads/bigtask")
            if "refs/heads/bigtask" in refs:
                raise InvalidInput("the branch bigtask stands where bigtask's branches belong: rename it")
            if base_ref not in refs:
                basis = Basis(
                    source=self._source,
                    repository=self._repository,
                    files=self._files,
                    submodules=self._submodules,
                )
                commit = await basis.commit(base, include_changes=include_changes)
                create = f"create {base_ref} {commit}\ncreate {main_ref} {commit}\n"
                await self._repository.call("update-ref", "--stdin", input=create.encode())
                refs = {base_ref: commit, main_ref: commit}
            elif main_ref not in refs:
                raise NotFound(f"the branch {self._main} is gone: restore it, or start a new run")
            main = self._main_tree()
            if main.tree.exists and not main.tree.sound:
                await main.tree.discard()
            if main.tree.exists:
                await main.catch_up()
                await self._submodules.fill(main.tree.git)
            else:
                await main.tree.add()
            self._integration = self._workspace(main.tree, names.INTEGRATION, 1, refs[base_ref])
        return refs[base_ref]

    @part_of("branch")
    async def acquire(self, task_id: str, n: int, start: str | None = None) -> Workspace:
        """An attempt's workspace on a branch of its own, from `start` or else from the integration branch.

        A branch that is there keeps its commits. What a dead process left uncommitted in a worktree goes to
        the rescue ref; to ask again for one that this object gave out changes nothing.
        """
        if (task_id, n) in self._held:
            return self._held[task_id, n]
        branch, start_ref = (
            names.attempt_branch(self._run_id, task_id, n),
            names.start_ref(self._run_id, task_id, n),
        )
        tree = self._worktree(task_id, n, branch)
        async with self._adding:
            if (task_id, n) in self._held:
                return self._held[task_id, n]
            main, own = names.ref(self._main), names.ref(branch)
            trial = names.trial_ref(self._run_id)
            refs = await self._repository.refs(main, own, start_ref, trial)
            begin = refs.get(start_ref)
            if begin is None:
                # What is on trial may be taken out again: nobody builds on it yet.
                begin = await self._repository.commit(start) if start else refs.get(trial, refs.get(main))
                if begin is None:
                    raise NotFound(
                        f"{start or self._main} is no commit of this repository: prepare the run first"
                    )
                create = [f"create {start_ref} {begin}\n"]
                create += [] if own in refs else [f"create {own} {begin}\n"]
                await self._repository.call("update-ref", "--stdin", input="".join(create).encode())
            elif own not in refs:
                await self._repository.move_ref(own, to=begin, of=NOTHING, why="bigtask: acquire")
            if tree.exists and tree.sound:
                await tree.rescue(names.rescue_ref(self._run_id, task_id, n), start=begin)
                await self._submodules.fill(tree.git)
            else:
                if tree.exists:
                    await tree.discard()
                await tree.add()
            self._held[task_id, n] = self._workspace(tree, task_id, n, begin)
            return self._held[task_id, n]

    async def include(self, task_id: str, n: int, rules: Rules) -> tuple[str, ...]:
        """Copy what the rules name, and git ignores, into the attempt's worktree, once; `task_id` may be
        `main`. Returns the paths that weren't copied because a link leads out of the project, or something is
        in the way. Raises InvalidInput where it would be too much."""
        main = task_id == names.INTEGRATION
        branch = self._main if main else names.attempt_branch(self._run_id, task_id, n)
        tree = self._worktree(task_id, n, branch)
        self._require(tree)
        known = prepared.of(self._home, tree.path)
        if known.copied:
            return ()
        root = self._source.root
        paths = await chosen(self._files, rules)
        require_small(root, paths, place=rules.place)
        if paths:
            # What the branch has of its own comes with it.
            recorded = await tracked(tree.git)
            known = structs.replace(known, files=tuple(path for path in paths if path not in recorded))
            # First: whoever finds half of them after a crash knows that they aren't anybody's work.
            prepared.keep(self._home, tree.path, known)
        left_out = await asyncio.to_thread(copy, root, tree.path, known.files) if known.files else ()
        prepared.keep(self._home, tree.path, structs.replace(known, copied=True))
        return left_out

    def present(self, task_id: str, n: int) -> bool:
        """Whether the attempt has a worktree."""
        return (self._home / "workspaces" / names.folder(self._run_id, task_id, n)).exists()

    @part_of("commit")
    async def commit(self, task_id: str, n: int, message: str, *, resolves: bool = False) -> Commit:
        """Record what an attempt wrote on its branch, and tell the whole of its work.

        Its own commits count, wherever it made them; repositories that it cloned into the workspace don't.
        `@aggregation` is recorded on the integration branch.

        Where a merge is begun in the workspace (`begin_merge`), what lies there is recorded only for one who
        `resolves` it, as that merge; raises `Conflict` while files hold conflict markers.
        """
        reserved = task_id.startswith("@")
        branch = self._main if reserved else names.attempt_branch(self._run_id, task_id, n)
        tree = (
            self._worktree(names.INTEGRATION, 1, branch) if reserved else self._worktree(task_id, n, branch)
        )
        self._require(tree)
        tree.free_index()
        git, own = tree.git, names.ref(branch)
        start_ref = (
            names.phase_ref(self._run_id, n) if reserved else names.start_ref(self._run_id, task_id, n)
        )
        refs = await git.refs(own, start_ref, *(() if reserved else self._merge_refs(task_id, n)))
        start = refs.get(start_ref, refs[own]) if reserved else refs[start_ref]
        onto, work = (None, None) if reserved else map(refs.get, self._merge_refs(task_id, n))
        if onto is not None and work is not None and not resolves:
            # It was recorded before the merge was begun.
            return await self._told(git, start, work)
        seen = await tree.seen(start=start)
        if tree.private:
            # What the agent committed may have been cleared of them.
            refs |= await git.refs(own)
        tip = refs.get(own, start)
        content = await stage(git, tuple(path for _, path in seen.dirty))
        strayed = seen.head is not None and seen.head != tip and not await git.is_ancestor(seen.head, tip)
        unmerged = onto is not None and not await git.is_ancestor(onto, tip)
        if onto is not None and work is not None:
            left = await merging_begun.still_marked(git, content, onto=onto, work=work)
            if left:
                raise Conflict(
                    f"{named(left)} still {'holds' if len(left) == 1 else 'hold'} conflict markers: "
                    "choose what stays, and take the markers out"
                )
        if strayed or unmerged or content != await git.word("rev-parse", "--verify", f"{tip}^{{tree}}"):
            parents = [tip, *([seen.head] if strayed and seen.head else [])]
            parents += [onto] if unmerged and onto is not None else []
            made = await git.write_commit(content, parents, message)
            await git.move_ref(own, to=made, of=refs.get(own, NOTHING), why="bigtask: commit")
            tip = made
        if seen.branch != branch:
            await git.call("symbolic-ref", "HEAD", own)
        if onto is not None:
            merging_begun.forget(git)
        told = await self._told(git, onto or start, tip)
        changed = await self._submodules.changed(git)
        return replace(told, in_submodules=tuple(path_from(self._source.prefix, path) for path in changed))

    async def _told(self, git: Git, start: str, tip: str) -> Commit:
        changes = await difference(git, start, tip)
        return Commit(commit=tip if tip != start else None, files=seen_from(self._source.prefix, changes))

    @part_of("merge")
    async def merge(
        self, task_id: str, n: int, title: str, strategy: Strategy | None = None
    ) -> Merged | TakenOut | Conflicted | Nothing:
        """Bring an attempt's branch into the integration branch and its worktree, one merge at a time. What
        was done for it before is found, not done again."""
        strategy = strategy or Strategy()
        async with self._merging:
            ours, theirs = await self._sides(task_id, n, strategy)
            if await self._repository.is_ancestor(theirs, ours):
                return await self._queue.earlier(theirs, ours)
            merge = await self._merge(task_id, n, ours, theirs, strategy)
            if merge.undecided:
                common = await self._repository.call("merge-base", "--", ours, theirs, statuses=(0, 1))
                base = common.stdout.decode().strip() or None
                return Conflicted(files=merge.undecided, base=base, ours=ours, theirs=theirs)
            done = await self._queue.bring_in(task_id, n, title, merge, ours, theirs, strategy)
            await self._main_tree().follow(ours, done.commit)
            return done

    @part_of("merge")
    async def begin_merge(
        self, task_id: str, n: int, strategy: Strategy | None = None, *, work: int | None = None
    ) -> Begun:
        """Begin to merge what is merged by now into the attempt's work, in its workspace, where somebody
        brings it to its end; `commit` records that. The work is the attempt's own, or that of the earlier
        attempt `work`, on whose branch it goes on. A merge that is begun already stays as somebody has left
        it.
        """
        strategy = strategy or Strategy()
        own = names.ref(names.attempt_branch(self._run_id, task_id, n))
        onto_ref, work_ref = self._merge_refs(task_id, n)
        async with self._merging:
            refs = await self._repository.refs(own, names.ref(self._main), onto_ref, work_ref)
            onto, tip = refs.get(onto_ref), refs.get(own)
            if tip is None:
                tip = await self._tip(task_id, work or n)
            if onto is None or (work is None and await self._repository.is_ancestor(onto, tip)):
                onto = refs[names.ref(self._main)]
                moves = [f"update {onto_ref} {onto}", f"update {work_ref} {tip}"]
                await self._repository.call("update-ref", "--stdin", input=("\n".join(moves) + "\n").encode())
                refs[work_ref] = tip
            begun = refs[work_ref]
            tree = self._worktree(task_id, n, own.removeprefix("refs/heads/"))
            lies_there = tree.exists and tree.sound and merging_begun.is_begun(tree.git, onto)
            if not lies_there:
                if not tree.sound:
                    self._held.pop((task_id, n), None)  # somebody has thrown it away
                workspace = await self.acquire(task_id, n, begun)
            elif (task_id, n) not in self._held:
                workspace = self._held[task_id, n] = self._workspace(tree, task_id, n, begun)
            else:
                workspace = self._held[task_id, n]
            merge = await self._merge(task_id, n, onto, begun, strategy)
            if not lies_there:
                await merging_begun.begin(tree.git, onto=onto, work=begun, merge=merge)
            versions = self._home / "conflicts" / f"{task_id}.{n}"
            await merging_versions.write(self._repository, versions, merge.undecided)
            paths = [file.path for file in merge.undecided]
            told = await sides(self._repository, self._queue, onto, begun, paths)
            return Begun(
                workspace=workspace,
                versions=versions,
                files=self.seen(merge.undecided),
                ours=told.ours,
                theirs=told.theirs,
                others=told.others,
            )

    def seen(self, files: tuple[ConflictedFile, ...]) -> tuple[ConflictedFile, ...]:
        """The same, for those who work below the top of the repository."""
        prefix = self._source.prefix
        if not prefix:
            return files
        return tuple(replace(file, path=posixpath.relpath(file.path, prefix)) for file in files)

    async def brought_in(self, merged: Merged) -> Commit:
        """What the merge changed in the integration branch."""
        return await self._told(self._repository, f"{merged.commit}^", merged.commit)

    async def trial(self) -> Trial | None:
        """The merge that isn't kept yet: of this process, or of one that ended while it was being checked."""
        return await self._queue.trial() if self._common_dir.exists() else None

    @part_of("keep")
    async def keep(self, trial: Trial) -> None:
        async with self._merging:
            await self._queue.keep(trial)

    @part_of("take-out")
    async def take_out(self, trial: Trial, reason: str) -> TakenOut:
        """Put the integration branch back to what it was before the merge, by a new commit."""
        async with self._merging:
            out = await self._queue.take_out(trial, reason)
            main = self._main_tree()
            if main.tree.sound:
                await main.follow(trial.commit, out.commit)
            return out

    @asynccontextmanager
    async def looking_back(self, trial: Trial) -> AsyncIterator[None]:
        """Meanwhile the files of the integration workspace are those from before the merge."""
        main = self._main_tree()
        await main.follow(trial.commit, trial.before)
        try:
            yield
        finally:
            await main.follow(trial.before, trial.commit)

    async def merged_since(self, task_id: str, n: int) -> tuple[str, ...]:
        """The ids of the other tasks whose work came in since the attempt began, the oldest first."""
        start = names.start_ref(self._run_id, task_id, n)
        main = names.ref(self._main)
        refs = await self._repository.refs(start, main)
        found = await self._queue.merged_since(refs[start], refs[main])
        return tuple(dict.fromkeys(task for task, _, _ in found if task != task_id))

    async def begin_phase(self, n: int) -> None:
        """`@aggregation` is about to write in the integration workspace, by its attempt `n`: what somebody
        else has left there goes to a rescue ref, and its work counts from here on."""
        ref, main = names.phase_ref(self._run_id, n), names.ref(self._main)
        async with self._merging:
            refs = await self._repository.refs(ref, main)
            if ref not in refs:
                await self._main_tree().force_back()
                await self._repository.move_ref(ref, to=refs[main], of=NOTHING, why="bigtask: phase")

    async def _sides(self, task_id: str, n: int, strategy: Strategy) -> tuple[str, str]:
        """The tips of the integration branch and of the work that is merged into it."""
        main = names.ref(self._main)
        refs = await self._repository.refs(main)
        if main not in refs:
            raise NotFound(f"{self._main} doesn't exist: prepare the run first")
        if strategy.favour is not None and strategy.whole:
            # A person's word about the work as it was, whatever somebody has tried since.
            _, work_ref = self._merge_refs(task_id, n)
            found = await self._repository.refs(work_ref)
            if work_ref in found:
                return refs[main], found[work_ref]
        return refs[main], await self._tip(task_id, strategy.work or n)

    async def _tip(self, task_id: str, n: int) -> str:
        branch = names.attempt_branch(self._run_id, task_id, n)
        refs = await self._repository.refs(names.ref(branch))
        if not refs:
            raise NotFound(f"{branch} doesn't exist: acquire a workspace and commit first")
        return refs[names.ref(branch)]

    async def _merge(self, task_id: str, n: int, ours: str, theirs: str, strategy: Strategy) -> Merge:
        join = None
        if strategy.concatenate:
            join = await self._queue.join_of(task_id, strategy.work or n, ours, theirs, strategy.order)
        rule = Rule(favour=strategy.favour, whole=strategy.whole, join=join)
        labels = Labels(theirs=f"{task_id}, attempt {strategy.work or n}")
        return await merged(self._repository, ours, theirs, rule, labels)

    def _merge_refs(self, task_id: str, n: int) -> tuple[str, str]:
        """What the work is merged with in its workspace, and the work."""
        return names.onto_ref(self._run_id, task_id, n), names.work_ref(self._run_id, task_id, n)

    @part_of("release")
    async def release(self, task_id: str, n: int) -> Rescue | None:
        """Give an attempt's worktree up; its branch stays. Uncommitted work goes to the rescue ref.

        Returns where that is, or None when nothing was uncommitted.
        """
        tree = self._worktree(task_id, n, names.attempt_branch(self._run_id, task_id, n))
        self._held.pop((task_id, n), None)
        rescued = None
        async with self._adding:
            if tree.exists:
                if tree.sound:
                    refs = await self._repository.refs(names.start_ref(self._run_id, task_id, n))
                    start = next(iter(refs.values()), self._main)
                    if await merging_begun.is_untouched(tree.git):
                        await tree.git.call("reset", "-q", "--hard", "--no-recurse-submodules")
                    rescued = await tree.rescue(names.rescue_ref(self._run_id, task_id, n), start=start)
                await tree.remove()
        self._forget(task_id, n)
        return rescued

    async def result(self) -> ResultDiff:
        """What the run has changed so far, from its base to the integration branch."""
        return await self._outcome.result()

    async def diff(self, task_id: str | None = None) -> bytes:
        """A patch of the run's result, or of a task's last attempt; at most 2 MiB, and says when it's cut."""
        return await self._outcome.patch(task_id)

    async def changes(self, task_id: str | None = None) -> tuple[FileChange, ...]:
        """The files that `diff` is about, all of them."""
        return await self._outcome.changes(task_id)

    async def clear_integration(self) -> Rescue | None:
        """Bring the integration worktree to what is committed on its branch, so that nothing that a session
        left lying in it counts as the result. Ignored files stay, the others go to a rescue ref."""
        main = self._main_tree()
        self._require(main.tree)
        async with self._merging:
            return await main.force_back()

    async def beside(self) -> Workspace:
        """Where programs may run that have no part in the result, with what is merged by now."""
        main = names.ref(self._main)
        tree = self._worktree(names.BESIDE, 1, self._main)
        async with self._adding:
            commit = (await self._repository.refs(main))[main]
            await beside.bring_up(tree, commit, names.rescue_ref(self._run_id, names.BESIDE, 1))
            return replace(self._workspace(tree, names.BESIDE, 1, commit), branch="")

    @part_of("apply")
    async def apply_result(self) -> Applied:
        """Bring the result into the person's branch, or into the folder. To repeat it changes nothing.

        Raises `Conflict` where that can't be done without losing or mixing something; then nothing was.
        """
        base, head = await self._outcome.ends()
        async with self._merging:
            return await self._application().apply(base, head)

    async def foresee_apply(self) -> Forecast:
        """What `apply_result` would do now. Changes nothing."""
        base, head = await self._outcome.ends()
        return await foresee(self._application(), base, head)

    @part_of("undo")
    async def undo_apply(self) -> Applied:
        """Take the result out again. Raises `Conflict` if something changed since, `NotFound` without one."""
        async with self._merging:
            return await self._application().undo()

    async def leftovers(self) -> list[Leftover]:
        """Every worktree, folder of one and branch of the run's that exists."""
        if self._source.kind == "folder" and not self._common_dir.exists():
            return []
        workspaces = self._home / "workspaces"
        listed = os.fsdecode((await self._repository.call("worktree", "list", "--porcelain", "-z")).stdout)
        paths = [
            entry.removeprefix("worktree ") for entry in listed.split("\0") if entry.startswith("worktree ")
        ]
        ours = {path for path in paths if Path(path).is_relative_to(workspaces)}
        folders = {str(path) for path in workspaces.iterdir()} if workspaces.is_dir() else set()
        branches = await self._repository.refs(names.ref(names.run_branches(self._run_id)))
        return [
            *(Leftover(kind="worktree", name=path) for path in sorted(ours)),
            *(Leftover(kind="folder", name=path) for path in sorted(folders - ours)),
            *(Leftover(kind="branch", name=ref.removeprefix("refs/heads/")) for ref in sorted(branches)),
        ]

    @part_of("release")
    async def give_up(self) -> None:
        """Every worktree of the run goes; the branches stay, and what wasn't committed is kept as `release`
        keeps it. `prepare` makes the integration worktree again."""
        prefix = f"{self._run_id}."
        for leftover in await self.leftovers():
            task_id, _, number = Path(leftover.name).name.removeprefix(prefix).rpartition(".")
            if leftover.kind == "branch" or not number.isdigit():
                continue
            if task_id == names.BESIDE:
                tree = self._worktree(task_id, int(number), self._main)
                await beside.give_up(tree, names.rescue_ref(self._run_id, task_id, int(number)))
                self._forget(task_id, int(number))
                continue
            if task_id != names.INTEGRATION:
                await self.release(task_id, int(number))
                continue
            main = self._main_tree()
            if main.tree.sound:
                await main.force_back()
            await main.tree.remove()
            self._forget(names.INTEGRATION, 1)

    def _application(self) -> Application:
        return Application(run_id=self._run_id, source=self._source, git=self._files, home=self._home)

    def _main_tree(self) -> IntegrationTree:
        return IntegrationTree(run_id=self._run_id, tree=self._worktree(names.INTEGRATION, 1, self._main))

    def _worktree(self, task_id: str, n: int, branch: str) -> Worktree:
        return Worktree(
            repository=self._repository,
            common_dir=self._common_dir,
            path=self._home / "workspaces" / names.folder(self._run_id, task_id, n),
            branch=branch,
            trash=self._home / "trash",
            submodules=self._submodules,
            private=prepared.private(self._home, names.folder(self._run_id, task_id, n)),
        )

    def _workspace(self, tree: Worktree, task_id: str, n: int, start: str) -> Workspace:
        path, tmp = tree.path / self._source.prefix, self._tmp(task_id, n)
        path.mkdir(parents=True, exist_ok=True)
        tmp.mkdir(parents=True, exist_ok=True)
        ports = self._ports.take(tree.path.name) if self._ports is not None else None
        return Workspace(path=path, branch=tree.branch, start_commit=start, tmp=tmp, ports=ports)

    def _forget(self, task_id: str, n: int) -> None:
        """What goes with a worktree."""
        name = names.folder(self._run_id, task_id, n)
        shutil.rmtree(self._tmp(task_id, n), ignore_errors=True)
        prepared.forget(self._home, name)
        if self._ports is not None:
            self._ports.give_back([name])

    def _tmp(self, task_id: str, n: int) -> Path:
        # Short: programs put sockets here, whose paths may have about a hundred characters.
        return self._home / "tmp" / f"{task_id}.{n}"

    def _require(self, tree: Worktree) -> None:
        if not tree.sound:
            raise NotFound(f"{tree.path.name} has no workspace: acquire it first")
