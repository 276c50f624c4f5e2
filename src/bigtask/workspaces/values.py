"""What `RunWorkspaces` answers with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bigtask.workspaces.changes import ConflictedFile, FileChange


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """`path` is where the attempt works: the worktree, or the folder in it that the run was started in.

    `tmp` is its own folder for temporary files, outside of the worktree.
    """

    path: Path
    branch: str
    start_commit: str
    tmp: Path


@dataclass(frozen=True, kw_only=True)
class Commit:
    """An attempt's work as a whole; `commit` is None when there is none."""

    commit: str | None
    files: tuple[FileChange, ...] = ()

    @property
    def insertions(self) -> int:
        return sum(file.insertions for file in self.files)

    @property
    def deletions(self) -> int:
        return sum(file.deletions for file in self.files)


@dataclass(frozen=True, kw_only=True)
class Merged:
    commit: str


@dataclass(frozen=True, kw_only=True)
class Conflicted:
    """Nothing was touched. `base`, `ours` and `theirs` are commits; `base` is None without a common one."""

    files: tuple[ConflictedFile, ...]
    base: str | None
    ours: str
    theirs: str


@dataclass(frozen=True, kw_only=True)
class Nothing:
    """The attempt has no work that the integration branch doesn't have."""


@dataclass(frozen=True, kw_only=True)
class ResultDiff:
    """The whole run's work: `commits` counts those between `base` and `head`."""

    base: str
    head: str
    commits: int
    files: tuple[FileChange, ...]


@dataclass(frozen=True, kw_only=True)
class Applied:
    """`commit` is where the person's branch is now, None in a plain folder or where nothing was to do.

    `already` says that the result had been there before.
    """

    commit: str | None
    files: tuple[FileChange, ...]
    already: bool = False


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Something of the run's that still exists; `kind` is `worktree`, `folder` or `branch`."""

    kind: str
    name: str
