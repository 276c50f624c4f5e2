"""Everything that a run does in a repository, each step of it safe to repeat after a crash.

What is there is looked up before anything is done, and every name follows from ids, so that a second try
finds what the first one made. Until `apply_result` the person's branch, index and files stay untouched.
"""

from __future__ import annotations

import asyncio
import os
import posixpath
import shutil
from dataclasses import replace
from pathlib import Path

from bigtask.errors import GitError, InvalidInput, NotFound
from bigtask.workspaces import names
from bigtask.workspaces.applying import Application
from bigtask.workspaces.changes import read_merge, seen_from
from bigtask.workspaces.git import NOTHING, Git, outside
from bigtask.workspaces.moving import named
from bigtask.workspaces.source import Source
from bigtask.workspaces.staging import difference, stage, state
from bigtask.workspaces.values import (
    Applied,
    Commit,
    Conflicted,
    Leftover,
    Merged,
    Nothing,
    ResultDiff,
    Workspace,
)
from bigtask.workspaces.worktree import Rescue, Worktree

_PATCH_BYTES = 2 * 2**20
_ROOT_COMMIT = "bigtask: nothing yet"


class RunWorkspaces:
    """`home` is the run's folder, outside of the project; worktrees, trash and temporary files lie in it.

    Every method but `prepare` needs a run that `prepare` was called for, now or before a crash; else they
    raise `NotFound`. All of them raise `GitError` where git says no.
    """

    def __init__(self, run_id: str, source: Source, home: Path) -> None:
        self._run_id = run_id
        self._source = source
        self._home = home.resolve()
        if self._home.is_relative_to(source.root):
            raise InvalidInput(
                f"{home} lies inside the project: choose a folder for runs outside of {source.root}"
            )
        self._main = names.integration_branch(run_id)
        if source.kind == "git":
            assert source.git_dir is not None
            assert source.common_dir is not None
            self._common_dir = source.common_dir
            self._repository = Git(git_dir=source.git_dir, work_tree=source.root, settings=source.settings)
            self._files = self._repository
        else:
            self._common_dir = self._home / "shadow.git"
            # The folder's index is for the folder alone: a worktree would be made into it.
            self._repository = Git(git_dir=self._common_dir, settings=source.settings)
            self._files = replace(self._repository, work_tree=source.root, index=self._home / "folder.index")
        self._integration: Workspace | None = None
        self._held: dict[tuple[str, int], Workspace] = {}
        # Two of git's own additions at once are slower than one after the other, and race for locks.
        self._adding = asyncio.Lock()
        self._merging = asyncio.Lock()

    @property
    def integration(self) -> Workspace:
        """The workspace of the integration branch. Needs `prepare` of this very object."""
        if self._integration is None:
            raise NotFound(f"the run {self._run_id} has no workspace yet: prepare it first")
        return self._integration

    async def prepare(self, base: str | None = None, include_changes: bool = False) -> str:
        """Make the integration branch and its worktree; returns the commit that the run starts from.

        That is `base`, or where the person is, with `include_changes` including what they didn't commit and
        don't ignore. Once decided it stays. Raises `InvalidInput` for a base that doesn't exist, and for
        repositories inside the project that git can't record.
        """
        if base is not None and include_changes:
            raise InvalidInput("a chosen base has no uncommitted changes: leave one of the two out")
        base_ref, main_ref = names.base_ref(self._run_id), names.ref(self._main)
        async with self._adding:
            if self._source.kind == "folder":
                await self._make_shadow()
            refs = await self._repository.refs(base_ref, main_ref, "refs/heads/bigtask")
            if "refs/heads/bigtask" in refs:
                raise InvalidInput("the branch bigtask stands where bigtask's branches belong: rename it")
            if base_ref not in refs:
                commit = await self._base(base, include_changes=include_changes)
                create = f"create {base_ref} {commit}\ncreate {main_ref} {commit}\n"
                await self._repository.call("update-ref", "--stdin", input=create.encode())
                refs = {base_ref: commit, main_ref: commit}
            elif main_ref not in refs:
                raise NotFound(f"the branch {self._main} is gone: restore it, or start a new run")
            tree = self._worktree(names.INTEGRATION, 1, self._main)
            if tree.exists and not tree.sound:
                await tree.discard()
            if tree.exists:
                await self._catch_up(tree)
            else:
                await tree.add()
            self._integration = self._workspace(tree, names.INTEGRATION, 1, refs[base_ref])
        return refs[base_ref]

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
            refs = await self._repository.refs(main, own, start_ref)
            begin = refs.get(start_ref)
            if begin is None:
                begin = await self._repository.commit(start) if start else refs.get(main)
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
            else:
                if tree.exists:
                    await tree.discard()
                await tree.add()
            self._held[task_id, n] = self._workspace(tree, task_id, n, begin)
            return self._held[task_id, n]

    def present(self, task_id: str, n: int) -> bool:
        """Whether the attempt has a worktree."""
        return (self._home / "workspaces" / names.folder(self._run_id, task_id, n)).exists()

    async def commit(self, task_id: str, n: int, message: str) -> Commit:
        """Record what an attempt wrote on its branch, and tell the whole of its work.

        Its own commits count, wherever it made them; repositories that it cloned into the workspace don't.
        A reserved task (`@aggregation`) is recorded on the integration branch.
        """
        reserved = task_id.startswith("@")
        branch = self._main if reserved else names.attempt_branch(self._run_id, task_id, n)
        tree = (
            self._worktree(names.INTEGRATION, 1, branch) if reserved else self._worktree(task_id, n, branch)
        )
        self._require(tree)
        tree.free_index()
        git, own = tree.git, names.ref(branch)
        start_ref = own if reserved else names.start_ref(self._run_id, task_id, n)
        refs = await git.refs(own, start_ref)
        start = refs[start_ref]
        tip = refs.get(own, start)
        seen = await state(git)
        content = await stage(git, tuple(path for _, path in seen.dirty))
        strayed = seen.head is not None and seen.head != tip and not await git.is_ancestor(seen.head, tip)
        if strayed or content != await git.word("rev-parse", "--verify", f"{tip}^{{tree}}"):
            parents = [tip, *([seen.head] if strayed and seen.head else [])]
            made = await git.write_commit(content, parents, message)
            await git.move_ref(own, to=made, of=refs.get(own, NOTHING), why="bigtask: commit")
            tip = made
        if seen.branch != branch:
            await git.call("symbolic-ref", "HEAD", own)
        changes = await difference(git, start, tip)
        return Commit(commit=tip if tip != start else None, files=seen_from(self._source.prefix, changes))

    async def merge(self, task_id: str, n: int, title: str) -> Merged | Conflicted | Nothing:
        """Bring an attempt's branch into the integration branch and its worktree, one merge at a time."""
        branch = names.attempt_branch(self._run_id, task_id, n)
        async with self._merging:
            main, own = names.ref(self._main), names.ref(branch)
            refs = await self._repository.refs(main, own)
            if len(refs) != 2:
                raise NotFound(
                    f"{branch} or {self._main} doesn't exist: acquire a workspace and commit first"
                )
            ours, theirs = refs[main], refs[own]
            if await self._repository.is_ancestor(theirs, ours):
                return await self._earlier_merge(theirs, ours)
            printed = await self._repository.call(
                "merge-tree", "--write-tree", "-z", "--no-messages", ours, theirs, statuses=(0, 1)
            )
            tree, files = read_merge(printed.stdout)
            if printed.status == 1:
                common = await self._repository.call("merge-base", ours, theirs, statuses=(0, 1))
                base = common.stdout.decode().strip() or None
                return Conflicted(files=files, base=base, ours=ours, theirs=theirs)
            message = f"{title}\n\nBigtask-Task: {task_id}\nBigtask-Attempt: {n}\n"
            made = await self._repository.write_commit(tree, [ours, theirs], message)
            await self._repository.move_ref(main, to=made, of=ours, why=f"bigtask: merge {task_id}/{n}")
            await self._follow(self._worktree(names.INTEGRATION, 1, self._main), ours, made)
            return Merged(commit=made)

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
                    rescued = await tree.rescue(names.rescue_ref(self._run_id, task_id, n), start=start)
                await tree.remove()
        shutil.rmtree(self._tmp(task_id, n), ignore_errors=True)
        return rescued

    async def result(self) -> ResultDiff:
        """What the run has changed so far, from its base to the integration branch."""
        base, head = await self._ends()
        commits = int(await self._repository.word("rev-list", "--count", f"{base}..{head}"))
        changes = await difference(self._repository, base, head)
        return ResultDiff(
            base=base, head=head, commits=commits, files=seen_from(self._source.prefix, changes)
        )

    async def diff(self, task_id: str | None = None) -> bytes:
        """A patch of the run's result, or of a task's last attempt; at most 2 MiB, and says when it's cut."""
        base, head = await self._ends() if task_id is None else await self._last_attempt(task_id)
        arguments = ("diff-tree", "-r", "-p", "--no-color", "--no-ext-diff", "--no-textconv", base, head)
        printed = await self._repository.peek(*arguments, limit_bytes=2 * _PATCH_BYTES)
        if len(printed.stdout) <= _PATCH_BYTES:
            return printed.stdout
        return printed.stdout[:_PATCH_BYTES] + b"\n[the patch is longer than this]\n"

    async def apply_result(self) -> Applied:
        """Bring the result into the person's branch, or into the folder. To repeat it changes nothing.

        Raises `Conflict` where that can't be done without losing or mixing something; then nothing was.
        """
        base, head = await self._ends()
        async with self._merging:
            return await self._application().apply(base, head)

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

    async def give_up(self) -> None:
        """Every worktree of the run goes; the branches stay, and what wasn't committed is kept as `release`
        keeps it. `prepare` makes the integration worktree again."""
        prefix = f"{self._run_id}."
        for leftover in await self.leftovers():
            task_id, _, number = Path(leftover.name).name.removeprefix(prefix).rpartition(".")
            if leftover.kind == "branch" or not number.isdigit():
                continue
            if task_id != names.INTEGRATION:
                await self.release(task_id, int(number))
                continue
            tree = self._worktree(names.INTEGRATION, 1, self._main)
            if tree.sound:
                await self._force_back(tree)
            await tree.remove()

    async def _base(self, base: str | None, *, include_changes: bool) -> str:
        repository, head = self._repository, self._source.head
        if self._source.kind == "folder":
            return await self._folder_commit()
        if base is not None:
            chosen = await repository.commit(base)
            if chosen is None:
                raise InvalidInput(
                    f"{base} is no commit of this repository: choose a branch, a tag or a commit"
                )
            return chosen
        if head is None:
            head = await repository.write_commit(await repository.empty_tree(), [], _ROOT_COMMIT)
        if not include_changes:
            return head
        async with repository.scratch_index() as scratch:
            seen = await state(scratch)
            if seen.embedded:
                raise InvalidInput(_embedded(seen.embedded))
            content = await stage(scratch, tuple(path for _, path in seen.dirty))
        if not seen.dirty:
            return head
        return await repository.write_commit(
            content, [head], "bigtask: uncommitted changes when the run began"
        )

    async def _make_shadow(self) -> None:
        if (self._common_dir / "HEAD").exists():
            return
        # Made under another name, so that a repository that is there is a whole one.
        unfinished = self._home / "shadow.git.new"
        unfinished.mkdir(parents=True, exist_ok=True)
        made = await outside(
            "init", "-q", "--bare", "--template=", "-b", "main", "--", str(unfinished), cwd=self._home
        )
        if made.status != 0:
            raise GitError(("init",), made.status, made.stderr.decode(errors="replace"))
        unfinished.rename(self._common_dir)

    async def _folder_commit(self) -> str:
        listed = await self._files.call("ls-files", "--others", "--cached", "--exclude-standard", "-z")
        paths = tuple(path for path in os.fsdecode(listed.stdout).split("\0") if path)
        embedded = tuple(path for path in paths if path.endswith("/"))
        if embedded:
            raise InvalidInput(_embedded(embedded))
        content = await stage(self._files, paths)
        return await self._repository.write_commit(content, [], "bigtask: the folder when the run began")

    async def _catch_up(self, tree: Worktree) -> None:
        """Bring the integration worktree to its branch, where a crash came between the two."""
        tree.free_index()
        git = tree.git
        if (await git.call("diff-index", "--cached", "--quiet", "HEAD", "--", statuses=(0, 1))).status == 0:
            return
        try:
            staged = await git.word("write-tree")
        except GitError:
            await self._force_back(tree)
            return
        printed = await git.word("log", "--first-parent", "--max-count=64", "--format=%H %T", "HEAD", "--")
        for line in printed.splitlines():
            commit, content = line.split(" ")
            if content == staged:
                await self._follow(tree, commit, "HEAD")
                return
        # Staged by a session and not lagging: that is somebody's work.

    async def _follow(self, tree: Worktree, old: str, new: str) -> None:
        try:
            await tree.git.call("read-tree", "-m", "-u", old, new)
        except GitError:
            await self._force_back(tree)

    async def _force_back(self, tree: Worktree) -> None:
        """Somebody left changes where the branch has other ones: keep them, and follow the branch."""
        prefix = names.rescue_ref(self._run_id, names.INTEGRATION, 1).rpartition("/")[0]
        n = 1 + len(await self._repository.refs(prefix))
        await tree.rescue(names.rescue_ref(self._run_id, names.INTEGRATION, n), start="HEAD")

    async def _earlier_merge(self, theirs: str, ours: str) -> Merged | Nothing:
        printed = await self._repository.word("rev-list", "--merges", "--parents", f"{theirs}..{ours}", "--")
        for line in printed.splitlines():
            commit, _first, *others = line.split(" ")
            if theirs in others:
                return Merged(commit=commit)
        return Nothing()

    async def _ends(self) -> tuple[str, str]:
        base, main = names.base_ref(self._run_id), names.ref(self._main)
        refs = await self._repository.refs(base, main)
        if len(refs) != 2:
            raise NotFound(f"the run {self._run_id} has no branch here: prepare it first")
        return refs[base], refs[main]

    async def _last_attempt(self, task_id: str) -> tuple[str, str]:
        first = names.ref(names.attempt_branch(self._run_id, task_id, 1))
        refs = await self._repository.refs(posixpath.dirname(first))
        if not refs:
            raise NotFound(f"the task {task_id} has no attempt yet: wait for it to start")
        last = max(refs, key=lambda name: int(posixpath.basename(name)))
        start = names.start_ref(self._run_id, task_id, int(posixpath.basename(last)))
        return (await self._repository.refs(start))[start], refs[last]

    def _application(self) -> Application:
        return Application(run_id=self._run_id, source=self._source, git=self._files, home=self._home)

    def _worktree(self, task_id: str, n: int, branch: str) -> Worktree:
        return Worktree(
            repository=self._repository,
            common_dir=self._common_dir,
            path=self._home / "workspaces" / names.folder(self._run_id, task_id, n),
            branch=branch,
            trash=self._home / "trash",
        )

    def _workspace(self, tree: Worktree, task_id: str, n: int, start: str) -> Workspace:
        path, tmp = tree.path / self._source.prefix, self._tmp(task_id, n)
        path.mkdir(parents=True, exist_ok=True)
        tmp.mkdir(parents=True, exist_ok=True)
        return Workspace(path=path, branch=tree.branch, start_commit=start, tmp=tmp)

    def _tmp(self, task_id: str, n: int) -> Path:
        # Short: programs put sockets here, whose paths may have about a hundred characters.
        return self._home / "tmp" / f"{task_id}.{n}"

    def _require(self, tree: Worktree) -> None:
        if not tree.sound:
            raise NotFound(f"{tree.path.name} has no workspace: acquire it first")


def _embedded(paths: tuple[str, ...]) -> str:
    return (
        f"{named(paths)} are repositories of their own, which can't be taken along: "
        "start inside one of them, or name them in .gitignore"
    )
