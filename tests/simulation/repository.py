"""A repository as far as the host sees one, and a run's workspaces in it. What is in it outlives its holder.

Each operation takes effect at one moment, as those of git do that move a ref; whoever ends on the way can't
know whether that moment has been.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from bigtask.errors import Conflict, GitError, NotFound
from bigtask.workspaces.changes import ConflictedFile, FileChange
from bigtask.workspaces.values import (
    Begun,
    Commit,
    Conflicted,
    Merged,
    Nothing,
    ResultDiff,
    Strategy,
    TakenOut,
    Trial,
    Workspace,
)

from .referee import Violation

if TYPE_CHECKING:
    from .life import Life
    from .referee import Referee

Key = tuple[str, int]
T = TypeVar("T")


class Place(PurePosixPath):
    """A path in a world without files."""

    def mkdir(self, **options: Any) -> None:
        """Every folder is there."""


_FILES = (ConflictedFile(path="a.txt", base=None, ours="o", theirs="t"),)
HOME, PROJECT = Place("/home/run"), Place("/project")


@dataclass
class Branch:
    start: int
    """How many merges there were when it began."""
    uncommitted: int = 0
    commits: int = 0
    onto: int | None = None
    """How many merges there were when one with them was begun in its worktree."""


@dataclass
class Repository:
    referee: Referee
    prepared: bool = False
    branches: dict[Key, Branch] = field(default_factory=dict)
    worktrees: dict[Key, None] = field(default_factory=dict)
    merges: list[Key] = field(default_factory=list)
    out: set[Key] = field(default_factory=set)
    """Of those, what was taken out again."""
    trial: Key | None = None
    looks: ClassVar[bool] = True
    """Whether a merge looks for an earlier one: what the mutant doesn't."""

    def write(self, key: Key) -> None:
        """What a session does to the files of its workspace."""
        if key in self.worktrees:
            self.branches[key].uncommitted += 1
        elif self.referee.needs_workspace(*key):
            raise Violation(f"attempt {key[1]} of {key[0]} is at work, and its workspace is gone")

    def merge(self, key: Key) -> None:
        if key in self.merges:
            raise Violation(f"attempt {key[1]} of {key[0]} is merged twice")
        if self.trial is not None:
            raise Violation(f"attempt {key[1]} of {key[0]} is merged while {self.trial} is on trial")
        self.merges.append(key)

    def decide(self, *, out: bool) -> None:
        """What becomes of the merge on trial."""
        assert self.trial is not None
        if out:
            self.out.add(self.trial)
        self.trial = None

    def remove(self, key: Key) -> None:
        if key not in self.worktrees:
            return
        if self.referee.needs_workspace(*key):
            raise Violation(f"the workspace of attempt {key[1]} of {key[0]} is given up, and it is needed")
        del self.worktrees[key]
        self.branches[key].uncommitted = 0


class SimulatedWorkspaces:
    """What the host uses of `RunWorkspaces`, for one holder."""

    def __init__(self, repository: Repository, life: Life) -> None:
        self._repository = repository
        self._life = life
        self._integration: Workspace | None = None
        self._held: dict[Key, Workspace] = {}
        self._effects = 0
        self._adding = asyncio.Lock()
        self._merging = asyncio.Lock()

    @property
    def integration(self) -> Workspace:
        if self._integration is None:
            raise NotFound("the run has no workspace yet: prepare it first")
        return self._integration

    async def prepare(self, base: str | None = None, include_changes: bool = False) -> str:
        async with self._adding:
            await self._does("worktree", lambda: setattr(self._repository, "prepared", True))
            self._integration = _workspace("integration", 1, "main")
        return "base"

    async def acquire(self, task_id: str, n: int, start: str | None = None) -> Workspace:
        key = (task_id, n)
        async with self._adding:
            if key not in self._held:
                await self._does("worktree", lambda: self._add(key))
                self._held[key] = _workspace(task_id, n, f"b/{task_id}/{n}")
            return self._held[key]

    def _add(self, key: Key) -> None:
        repository = self._repository
        if not repository.prepared:
            raise NotFound("main is no commit of this repository: prepare the run first")
        branch = repository.branches.setdefault(key, Branch(start=len(repository.merges)))
        # What a dead process left uncommitted is put aside.
        branch.uncommitted = 0
        repository.worktrees[key] = None

    def present(self, task_id: str, n: int) -> bool:
        return (task_id, n) in self._repository.worktrees

    async def commit(self, task_id: str, n: int, message: str, *, resolves: bool = False) -> Commit:
        key = (task_id, n)
        if task_id == "@aggregation":
            return await self._does("commit", lambda: Commit(commit=f"{task_id} {n}"))
        if key not in self._repository.worktrees:
            if self._repository.referee.needs_workspace(task_id, n) and self._reported(key):
                raise Violation(f"attempt {n} of {task_id} has reported, and its workspace is gone")
            raise NotFound(f"{task_id}.{n} has no workspace: acquire it first")
        branch = self._repository.branches[key]
        if branch.onto is not None and not resolves:
            return self._told(key, branch)
        if branch.onto is not None and self._life.goes_wrong(self._life.temper.conflict / 2):
            raise Conflict("a.txt still holds conflict markers")
        return await self._does("commit", lambda: self._commit(key))

    def _reported(self, key: Key) -> bool:
        run = self._repository.referee.run
        return run is not None and run.integrating.get(key[0]) == key[1]

    def _commit(self, key: Key) -> Commit:
        branch = self._repository.branches[key]
        branch.commits += branch.uncommitted
        branch.uncommitted = 0
        if branch.onto is not None:
            branch.start, branch.onto = branch.onto, None
            branch.commits += 1
        return self._told(key, branch)

    def _told(self, key: Key, branch: Branch) -> Commit:
        if not branch.commits:
            return Commit(commit=None)
        change = FileChange(path=f"{key[0]}.txt", status="added", insertions=branch.commits, deletions=0)
        return Commit(commit=f"{key[0]}.{key[1]}.{branch.commits}", files=(change,))

    async def merge(
        self, task_id: str, n: int, title: str, strategy: Strategy
    ) -> Merged | TakenOut | Conflicted | Nothing:
        key, repository = (task_id, n), self._repository
        if self._life.run.integrating.get(task_id) != n:
            raise Violation(f"attempt {n} of {task_id} is merged, and it was called off or never reported")
        async with self._merging:
            branch = repository.branches[(task_id, strategy.work or n)]
            if not branch.commits:
                return Nothing()
            if repository.looks and key in repository.merges:
                if key in repository.out:
                    return TakenOut(commit=f"o {task_id} {n}", reason="red together")
                return Merged(commit=f"m {task_id} {n}")
            meanwhile = len(repository.merges) > branch.start and strategy.favour is None
            if meanwhile and self._life.goes_wrong(self._life.temper.conflict):
                return Conflicted(files=_FILES, base=None, ours="o", theirs="t")
            await self._does("merge", lambda: self._merge(key, trial=strategy.trial))
            return Merged(commit=f"m {task_id} {n}")

    def _merge(self, key: Key, *, trial: bool) -> None:
        self._repository.merge(key)
        self._repository.trial = key if trial else None

    async def begin_merge(
        self, task_id: str, n: int, strategy: Strategy, *, work: int | None = None
    ) -> Begun:
        key, repository = (task_id, n), self._repository
        workspace = await self.acquire(task_id, n)
        if work is not None and not repository.branches[key].commits:
            repository.branches[key].commits = repository.branches[(task_id, work)].commits
        if repository.branches[key].onto is None:
            await self._does("commit", lambda: self._begin_merge(key))
        return Begun(workspace=workspace, versions=HOME / "conflicts" / f"{task_id}.{n}", files=_FILES)  # type: ignore[arg-type]  # a path that touches no disk

    def _begin_merge(self, key: Key) -> None:
        self._repository.branches[key].onto = len(self._repository.merges)

    def seen(self, files: tuple[ConflictedFile, ...]) -> tuple[ConflictedFile, ...]:
        return files

    async def brought_in(self, merged: Merged) -> Commit:
        return Commit(commit=merged.commit)

    async def trial(self) -> Trial | None:
        await self._life.takes(0.1)
        key = self._repository.trial
        return None if key is None else Trial(task_id=key[0], n=key[1], commit="m", before="b")

    async def keep(self, trial: Trial) -> None:
        await self._does("merge", lambda: self._repository.decide(out=False))

    async def take_out(self, trial: Trial, reason: str) -> TakenOut:
        await self._does("merge", lambda: self._repository.decide(out=True))
        return TakenOut(commit="o", reason=reason)

    @asynccontextmanager
    async def looking_back(self, trial: Trial) -> AsyncIterator[None]:
        await self._life.takes(0.1)
        yield

    async def merged_since(self, task_id: str, n: int) -> tuple[str, ...]:
        await self._life.takes(0.1)
        return ()

    async def begin_phase(self, n: int) -> None:
        await self._life.takes(0.1)

    async def clear_integration(self) -> None:
        await self._does("worktree", lambda: None)

    async def diff(self) -> bytes:
        await self._life.takes(0.1)
        return b""

    async def release(self, task_id: str, n: int) -> None:
        key = (task_id, n)
        self._held.pop(key, None)
        async with self._adding:
            await self._does("worktree", lambda: self._repository.remove(key))

    async def result(self) -> ResultDiff:
        await self._life.takes(0.1)
        done = dict.fromkeys(self._repository.merges)
        files = (FileChange(path=f"{id}.txt", status="added", insertions=n, deletions=0) for id, n in done)
        return ResultDiff(base="base", head="head", commits=len(done), files=tuple(files))

    async def _does(self, verb: str, effect: Callable[[], T]) -> T:
        life = self._life
        if life.goes_wrong(life.temper.git):
            await life.takes(0.1)
            raise GitError((verb,), 128, "fatal: simulated")
        self._effects += 1
        plan = life.plan
        dies = plan.at_git is not None and self._effects >= plan.at_git
        try:
            await life.takes(0.1)
            if dies and not plan.durable:
                life.kill()
                await asyncio.sleep(1.0)
        except asyncio.CancelledError:
            # git itself may come to its end all the same.
            if not dies and life.goes_wrong(0.5):
                effect()
            raise
        result = effect()
        if dies:
            life.kill()
        await life.takes(0.1)
        return result


def _workspace(name: str, n: int, branch: str) -> Workspace:
    path = HOME / "workspaces" / f"{name}.{n}"
    return Workspace(path=path, branch=branch, start_commit="base", tmp=HOME / "tmp" / f"{name}.{n}")  # type: ignore[arg-type]  # a path that touches no disk


def key_of(cwd: PurePosixPath) -> Key | None:
    """Whose worktree it is; None for the project and for the integration branch's."""
    if cwd.parent.name != "workspaces":
        return None
    name, _, number = cwd.name.rpartition(".")
    return None if name == "integration" else (name, int(number))
