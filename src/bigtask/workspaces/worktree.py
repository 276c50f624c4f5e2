"""One worktree of a run: made, looked at, and given up without losing anything in it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from bigtask.errors import GitError
from bigtask.workspaces import beneath, names
from bigtask.workspaces.git import NOTHING, Git
from bigtask.workspaces.sparse import show_changed
from bigtask.workspaces.staging import State, reveal, stage, state
from bigtask.workspaces.submodules import Submodules


@dataclass(frozen=True, kw_only=True)
class Rescue:
    """Uncommitted work that is kept: `git show REF` shows it. Its second parent is what was staged."""

    ref: str
    commit: str


@dataclass(frozen=True, kw_only=True)
class Worktree:
    """`repository` is what it belongs to, `common_dir` that one's git dir, `path` where the files are, `base`
    the ref that the run began at.

    `path`'s last part is the name of git's record as well, so that both are found after a crash.
    """

    repository: Git
    common_dir: Path
    path: Path
    branch: str
    base: str
    trash: Path
    submodules: Submodules
    private: frozenset[str] = frozenset()
    """Files that were copied in for the work and are never recorded, as paths from the top."""

    @property
    def git(self) -> Git:
        """The worktree by our own record: what its `.git` file says doesn't count."""
        return replace(self.repository, git_dir=self._record, work_tree=self.path, index=None)

    @property
    def exists(self) -> bool:
        return self._record.exists() or os.path.lexists(self.path)

    @property
    def sound(self) -> bool:
        """Whether it was made to the end; git keeps one locked meanwhile."""
        return (
            (self._record / "index").exists()
            and self.path.is_dir()
            and not self.path.is_symlink()
            and not (self._record / "locked").exists()
        )

    @property
    def _record(self) -> Path:
        return self.common_dir / "worktrees" / self.path.name

    async def add(self) -> None:
        """Check the branch, which exists, out into the folder, which doesn't."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        await self.repository.call("worktree", "add", "-q", "--", str(self.path), self.branch)
        await show_changed(self.git, self.base)
        await self.submodules.fill(self.git)

    def free_index(self) -> None:
        """Take away the lock that a killed git left. Only where nobody works any more."""
        (self._record / "index.lock").unlink(missing_ok=True)

    async def seen(self, *, start: str) -> State:
        """What changed, private files aside. Where the agent has put those into the index, or into commits
        since `start`, they are taken out: such commits become one without them."""
        git = self.git
        await reveal(git)
        if not self.private:
            return await state(git)
        await _take_out(git, self.private)
        own = names.ref(self.branch)
        tip, head = (await git.refs(own)).get(own), await git.commit("HEAD")
        clean = {at: await self._without_private(at, start) for at in {tip, head} if at is not None}
        if tip is not None and clean[tip] != tip:
            await git.move_ref(own, to=clean[tip], of=tip, why="bigtask: without private files")
        now = await git.commit("HEAD")
        if head is not None and now is not None and clean[head] not in (head, now):
            # Off whatever branch it is on: that one isn't ours to move.
            arguments = ("-m", "bigtask: without private files", "--no-deref", "HEAD", clean[head], now)
            await git.call("update-ref", *arguments)
        found = await state(git)
        return replace(found, dirty=tuple(entry for entry in found.dirty if entry[1] not in self.private))

    async def _without_private(self, commit: str, start: str) -> str:
        git = self.git
        wanted = "\n".join((commit, f"^{start}", "--", *sorted(self.private))) + "\n"
        told = await git.call("rev-list", "--max-count=1", "--stdin", input=os.fsencode(wanted))
        if not told.stdout.strip():
            return commit
        async with git.scratch_index() as scratch:
            await scratch.call("read-tree", commit)
            await _take_out(scratch, self.private)
            tree = await scratch.word("write-tree")
        return await git.write_commit(tree, [start], "bigtask: commits of the agent, without private files\n")

    async def rescue(self, ref: str, *, start: str) -> Rescue | None:
        """Put everything that the branch doesn't have under `ref`, and the worktree back to the branch.

        Ignored files stay where they are, and repositories that lie in it go to the trash, since git can't
        record what is in them. What the ref held before is a parent of what it holds now. A branch that
        somebody deleted begins at `start` again.
        """
        self.free_index()
        git = self.git
        seen = await self.seen(start=start)
        if seen.embedded:
            self._discard(seen.embedded)
        own = names.ref(self.branch)
        refs = await git.refs(own, ref)
        tip = refs.get(own)
        if tip is None:
            tip = seen.head or start
            await git.move_ref(own, to=tip, of=NOTHING, why="bigtask: the branch was gone")
        strayed = seen.head is not None and seen.head != tip and not await git.is_ancestor(seen.head, tip)
        rescued = None
        if seen.dirty or strayed:
            rescued = await self._keep(
                ref, refs.get(ref), seen.head if strayed and seen.head else tip, seen.dirty
            )
        if seen.dirty or seen.branch != self.branch:
            # Whatever branch the agent went to must not be moved by the reset.
            await git.call("symbolic-ref", "HEAD", own)
            await git.call("reset", "-q", "--hard", "--no-recurse-submodules")
            await show_changed(git, self.base)
        return rescued

    async def remove(self) -> None:
        """Of a clean worktree. Ignored files go to the trash, and all of it where git refuses."""
        if self.sound:
            ignored = await self.git.call(
                "ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"
            )
            self._discard(path for path in os.fsdecode(ignored.stdout).split("\0") if path)
            # Those that no rule of git's ignores here.
            self._discard(sorted(self.private))
            self._discard(await self.submodules.changed(self.git, ignored=True))
            try:
                await self.repository.call("worktree", "remove", "--", str(self.path))
            except GitError:
                # A submodule was checked out in it, or somebody still writes. A removal that isn't forced is
                # a move.
                await self.discard()
            self.submodules.forget(self.path.name)
        else:
            await self.discard()

    async def discard(self) -> None:
        """Move the whole folder to the trash, with what its submodules know, and let git forget it."""
        modules = self._record / "modules"
        folder = self._bin() if os.path.lexists(self.path) or modules.exists() else None
        if folder and os.path.lexists(self.path):
            self.path.rename(folder / self.path.name)
        if folder and modules.exists():
            # Of commits that were made in a submodule this is the only place.
            shutil.move(modules, folder / "modules")
        if self._record.exists():
            (self._record / "locked").unlink(missing_ok=True)
            try:
                await self.repository.call("worktree", "remove", "--", str(self.path))
            except GitError:
                # A record that was never finished isn't one that git knows.
                shutil.rmtree(self._record)
        self.submodules.forget(self.path.name)

    async def _keep(
        self, ref: str, earlier: str | None, head: str, dirty: tuple[tuple[str, str], ...]
    ) -> Rescue:
        git = self.git
        parents = [head]
        if not any(status == "conflicted" for status, _ in dirty):
            staged = await git.word("write-tree")
            if staged != await git.word("rev-parse", "--verify", f"{head}^{{tree}}"):
                parents.append(await git.write_commit(staged, [head], "bigtask: what was staged"))
        tree = await stage(git, tuple(path for _, path in dirty))
        if earlier:
            parents.append(earlier)
        commit = await git.write_commit(tree, parents, f"bigtask: left uncommitted on {self.branch}")
        await git.move_ref(ref, to=commit, of=earlier or NOTHING, why="bigtask: rescue")
        return Rescue(ref=ref, commit=commit)

    def _discard(self, paths: Iterable[str]) -> None:
        folder: Path | None = None
        for path in paths:
            folder = folder or self._bin()
            # What isn't there has gone with its folder: git lists both.
            beneath.move(self.path, path, folder)

    def _bin(self) -> Path:
        if self.trash.is_symlink():
            self.trash.unlink()  # It isn't ours, and leads out.
        self.trash.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f"{self.path.name}-", dir=self.trash))


async def _take_out(git: Git, paths: Iterable[str]) -> None:
    listed = b"".join(os.fsencode(path) + b"\0" for path in sorted(paths))
    await git.call("update-index", "--force-remove", "-z", "--stdin", input=listed)
