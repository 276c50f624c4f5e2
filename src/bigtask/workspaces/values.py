"""What `RunWorkspaces` answers with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
    ports: range | None = None
    """What the attempt may listen on; None where nobody hands out ports."""

    @property
    def env(self) -> dict[str, str]:
        """What programs that work here are told beside their other environment."""
        told = {"TMPDIR": str(self.tmp)}
        if self.ports is not None:
            first, last = self.ports[0], self.ports[-1]
            told |= {"PORT": str(first), "BIGTASK_PORTS": f"{first}-{last}"}
        return told


@dataclass(frozen=True, kw_only=True)
class Commit:
    """An attempt's work as a whole; `commit` is None when there is none."""

    commit: str | None
    files: tuple[FileChange, ...] = ()
    in_submodules: tuple[str, ...] = ()
    """Files that it changed in submodules, which are no part of it."""

    @property
    def insertions(self) -> int:
        return sum(file.insertions for file in self.files)

    @property
    def deletions(self) -> int:
        return sum(file.deletions for file in self.files)


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """How one merge is done. `favour` settles conflicts: `ours` is what came first, `theirs` what is merged
    now; line by line, or with `whole` file by file. `concatenate` puts parts of documents together, in the
    order of the task ids in `order`.

    With `trial` the merge is checked next: it is kept or taken out when that is done. `work` is the attempt
    whose work is merged, where it isn't the one that settles its conflicts.
    """

    favour: Literal["ours", "theirs"] | None = None
    whole: bool = False
    concatenate: bool = False
    order: tuple[str, ...] = ()
    trial: bool = False
    work: int | None = None


@dataclass(frozen=True, kw_only=True)
class Merged:
    """`settled` are the paths in conflict of which `side` was kept, `joined` the documents that were put
    together."""

    commit: str
    settled: tuple[str, ...] = ()
    side: str = ""
    joined: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TakenOut:
    """The work was merged and, because of `reason`, taken out again by `commit`."""

    commit: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A merge that isn't kept yet, and what the integration branch was `before` it. `alone` says that its
    content is that of the attempt's branch: nothing else had come in."""

    task_id: str
    n: int
    commit: str
    before: str
    alone: bool = False


@dataclass(frozen=True, kw_only=True)
class Conflicted:
    """Nothing was touched. `base`, `ours` and `theirs` are commits; `base` is None without a common one."""

    files: tuple[ConflictedFile, ...]
    base: str | None
    ours: str
    theirs: str


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A merge that somebody brings to its end in `workspace`. `files` are those that were in conflict when it
    was begun, seen from there; `ours` and `theirs` are patches of both sides for these files, `others` the
    ids of the tasks whose work came first. The folder `versions` has the files' three versions."""

    workspace: Workspace
    versions: Path
    files: tuple[ConflictedFile, ...]
    ours: str = ""
    theirs: str = ""
    others: tuple[str, ...] = ()


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
