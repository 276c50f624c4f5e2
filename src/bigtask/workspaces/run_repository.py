"""The repository of one run, and what the run keeps beside it: worktrees, trash and temporary files."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import replace
from pathlib import Path

from bigtask.errors import InvalidInput, NotFound
from bigtask.workspaces import names, prepared
from bigtask.workspaces.consent import Consent
from bigtask.workspaces.git import Git
from bigtask.workspaces.integration_tree import IntegrationTree
from bigtask.workspaces.moments import Watch
from bigtask.workspaces.ports import PortBlocks
from bigtask.workspaces.source import Source
from bigtask.workspaces.submodules import Submodules
from bigtask.workspaces.values import Leftover, Workspace
from bigtask.workspaces.worktree import Worktree


class RunRepository:
    """`git` has the run's branches: it is the person's repository, or that of a folder's shadow. `files` is
    the same with the person's files as its working tree. `branch` is the integration branch."""

    def __init__(
        self, run_id: str, source: Source, home: Path, *, ports: PortBlocks | None, watch: Watch
    ) -> None:
        self.run_id = run_id
        self.source = source
        self.home = home.resolve()
        if self.home.is_relative_to(source.root):
            raise InvalidInput(
                f"{home} lies inside the project: choose a folder for runs outside of {source.root}"
            )
        self.branch = names.integration_branch(run_id)
        self._ports = ports
        if source.kind == "git":
            assert source.git_dir is not None
            assert source.common_dir is not None
            self.common_dir = source.common_dir
            self.git = replace(source.git, watch=watch)
            self.files = self.git
        else:
            self.common_dir = self.home / "shadow.git"
            # The folder's index is for the folder alone: a worktree would be made into it.
            guard = Consent(self.common_dir, frozenset()).require
            self.git = Git(git_dir=self.common_dir, settings=source.settings, guard=guard, watch=watch)
            self.files = replace(self.git, work_tree=source.root, index=self.home / "folder.index")
        stores = {self.common_dir, *([source.git_dir] if source.git_dir is not None else [])}
        self.submodules = Submodules(folder=self.home / "submodules", stores=tuple(sorted(stores)))
        # Two of git's own additions at once are slower than one after the other, and race for locks.
        self.adding = asyncio.Lock()
        self.merging = asyncio.Lock()

    def folder(self, task_id: str, n: int) -> Path:
        """Where the worktree is, if there is one."""
        return self.home / "workspaces" / names.folder(self.run_id, task_id, n)

    def worktree(self, task_id: str, n: int, branch: str) -> Worktree:
        return Worktree(
            repository=self.git,
            common_dir=self.common_dir,
            path=self.folder(task_id, n),
            branch=branch,
            base=names.base_ref(self.run_id),
            trash=self.home / "trash",
            submodules=self.submodules,
            private=prepared.private(self.home, names.folder(self.run_id, task_id, n)),
        )

    def attempt_tree(self, task_id: str, n: int) -> Worktree:
        return self.worktree(task_id, n, names.attempt_branch(self.run_id, task_id, n))

    def integration_tree(self) -> IntegrationTree:
        return IntegrationTree(run_id=self.run_id, tree=self.worktree(names.INTEGRATION, 1, self.branch))

    def workspace(self, tree: Worktree, task_id: str, n: int, start: str) -> Workspace:
        """What whoever works in the worktree is given: folders that exist, and ports of its own."""
        path, tmp = tree.path / self.source.prefix, self._tmp(task_id, n)
        path.mkdir(parents=True, exist_ok=True)
        tmp.mkdir(parents=True, exist_ok=True)
        ports = self._ports.take(tree.path.name) if self._ports is not None else None
        return Workspace(path=path, branch=tree.branch, start_commit=start, tmp=tmp, ports=ports)

    def forget(self, task_id: str, n: int) -> None:
        """What goes with a worktree."""
        name = names.folder(self.run_id, task_id, n)
        shutil.rmtree(self._tmp(task_id, n), ignore_errors=True)
        prepared.forget(self.home, name)
        if self._ports is not None:
            self._ports.give_back([name])

    def _tmp(self, task_id: str, n: int) -> Path:
        # Short: programs put sockets here, whose paths may have about a hundred characters.
        return self.home / "tmp" / f"{task_id}.{n}"

    def merge_refs(self, task_id: str, n: int) -> tuple[str, str]:
        """What an attempt's work is merged with in its workspace, and the work."""
        return names.onto_ref(self.run_id, task_id, n), names.work_ref(self.run_id, task_id, n)

    async def leftovers(self) -> list[Leftover]:
        """Every worktree, folder of one and branch of the run's that exists."""
        if self.source.kind == "folder" and not self.common_dir.exists():
            return []
        workspaces = self.home / "workspaces"
        listed = os.fsdecode((await self.git.call("worktree", "list", "--porcelain", "-z")).stdout)
        paths = [
            entry.removeprefix("worktree ") for entry in listed.split("\0") if entry.startswith("worktree ")
        ]
        ours = {path for path in paths if Path(path).is_relative_to(workspaces)}
        folders = {str(path) for path in workspaces.iterdir()} if workspaces.is_dir() else set()
        branches = await self.git.refs(names.ref(names.run_branches(self.run_id)))
        return [
            *(Leftover(kind="worktree", name=path) for path in sorted(ours)),
            *(Leftover(kind="folder", name=path) for path in sorted(folders - ours)),
            *(Leftover(kind="branch", name=ref.removeprefix("refs/heads/")) for ref in sorted(branches)),
        ]


def require_there(tree: Worktree) -> None:
    if not tree.sound:
        raise NotFound(f"{tree.path.name} has no workspace: acquire it first")
