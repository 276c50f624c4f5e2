"""What a run was started in: a git repository, or a plain folder."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from bigtask.errors import InvalidInput
from bigtask.process import ProgramNotFound
from bigtask.workspaces.changes import legible
from bigtask.workspaces.consent import Consent, listing
from bigtask.workspaces.gates import Ref
from bigtask.workspaces.git import Git, outside
from bigtask.workspaces.settings import (
    Allowed,
    Program,
    SettingsNotApproved,
    digest,
    for_large_files,
    nothing_allowed,
)
from bigtask.workspaces.staging import state

OLDEST_GIT = (2, 38)
"""The first that merges without a working tree (`git merge-tree --write-tree`)."""

DIRTY_LISTED = 200

_BARE = "safe.bareRepository"
"""In what git says where a folder is a repository and we haven't said so."""
_ANOTHERS = re.compile("detected dubious ownership in repository at '(.+)'")

# What changes which files git sees as ignored or changed, and whose files it dares to read. It runs nothing.
_PERSONS_SETTINGS = r"^(core\.(excludesfile|autocrlf|eol|ignorecase)|safe\.directory)$"


@dataclass(frozen=True, kw_only=True)
class Source:
    """`root` is the top of the repository, or the folder itself; `prefix` is where in it the run works.

    `dirty` holds the first 200 of `dirty_count` uncommitted changes as `(status, path below root)`, with
    status `modified`, `added`, `deleted`, `conflicted` or `untracked`; a new folder counts as one.
    `head` is None before the first commit, `branch` is None when no branch is checked out.
    """

    kind: Literal["git", "folder"]
    root: Path
    prefix: str = ""
    git_dir: Path | None = None
    common_dir: Path | None = None
    head: str | None = None
    branch: str | None = None
    dirty: tuple[tuple[str, str], ...] = ()
    dirty_count: int = 0
    settings: tuple[str, ...] = ()
    """The person's own git settings that decide what counts as a change, as `key=value`."""
    programs: frozenset[Program] = frozenset()
    """What the repository's settings may make git run, as a person has allowed it."""

    @property
    def git(self) -> Git:
        """The repository with its own files. Of a plain folder there is none."""
        assert self.git_dir is not None
        assert self.common_dir is not None
        return Git(
            git_dir=self.git_dir,
            work_tree=self.root,
            settings=self.settings,
            guard=Consent(self.common_dir, self.programs).require,
        )


async def examine(cwd: Path, allowed: Allowed = nothing_allowed) -> Source:
    """Look, and write nothing. Raises `InvalidInput`, `GitError`, and `SettingsNotApproved` where the
    repository's settings make git run programs that `allowed` doesn't hold."""
    found = await find(cwd)
    if found.git_dir is None or found.common_dir is None:
        return found
    programs = (await listing(found.git_dir)).programs
    file = found.common_dir / "config"
    if programs and not allowed(file, digest(programs)):
        raise SettingsNotApproved(file, programs)
    found = replace(found, programs=programs)
    seen = await state(found.git, every_file=False)
    if seen.branch is not None:
        Ref(f"refs/heads/{seen.branch}")
    return replace(
        found,
        head=seen.head,
        branch=seen.branch,
        dirty=tuple((status, legible(path)) for status, path in seen.dirty[:DIRTY_LISTED]),
        dirty_count=len(seen.dirty),
    )


async def find(cwd: Path) -> Source:
    """Where it is, and nothing of what is in it. Raises `InvalidInput` and `GitError`."""
    cwd = _usable(cwd)
    await _require_git(cwd)
    settings = await _persons_settings(cwd)
    found = await outside(
        "rev-parse",
        "--is-bare-repository",
        "--is-inside-work-tree",
        "--path-format=absolute",
        "--git-dir",
        "--git-common-dir",
        "--show-toplevel",
        "--show-prefix",
        cwd=cwd,
        settings=settings,
    )
    printed = os.fsdecode(found.stdout).split("\n")
    if printed[:2] == ["false", "false"]:
        raise InvalidInput(f"{cwd} is inside a .git folder: start in the project that it belongs to")
    if found.status != 0:
        reason = found.stderr.decode(errors="replace").strip().removeprefix("fatal: ").splitlines()
        if reason and _BARE in reason[0]:
            raise InvalidInput(
                f"{cwd} is a bare repository without files, or inside a .git folder: "
                "start in the project that it belongs to, or in a clone"
            )
        if reason and reason[0].startswith("not a git repository (or any"):
            return Source(kind="folder", root=cwd, settings=settings)
        if reason and (anothers := _ANOTHERS.match(reason[0])):
            raise InvalidInput(
                f"the repository at {anothers[1]} belongs to another user, and git leaves such alone: if you "
                "trust what is in it, run "
                f"`git config --global --add safe.directory {shlex.quote(anothers[1])}`"
            )
        raise InvalidInput(
            f"git can't use the repository at {cwd}: {reason[0] if reason else 'it says nothing'}"
        )
    if len(printed) != 7:
        raise InvalidInput(f"the path of the repository at {cwd} has a line break in it: rename that folder")
    git_dir, common_dir, root, prefix = printed[2:6]
    return Source(
        kind="git",
        root=Path(root),
        prefix=prefix.rstrip("/"),
        git_dir=Path(git_dir),
        common_dir=Path(common_dir),
        settings=(*settings, *for_large_files(Path(common_dir))),
    )


def _usable(cwd: Path) -> Path:
    try:
        resolved = cwd.resolve(strict=True)
    except FileNotFoundError:
        raise InvalidInput(f"{cwd} doesn't exist: create it, or start in another folder") from None
    except (PermissionError, NotADirectoryError, RuntimeError) as error:
        raise InvalidInput(f"{cwd} can't be reached ({error}): start in another folder") from None
    if not resolved.is_dir():
        raise InvalidInput(f"{cwd} isn't a folder: start in the folder that it lies in")
    if not os.access(resolved, os.R_OK | os.X_OK):
        raise InvalidInput(f"{cwd} may not be read: change its permissions, or start in another folder")
    return resolved


async def _require_git(cwd: Path) -> None:
    try:
        printed = (await outside("--version", cwd=cwd)).stdout.decode(errors="replace").strip()
    except ProgramNotFound as error:
        raise InvalidInput("git wasn't found: install git 2.38 or newer, or put it on PATH") from error
    version = re.search(r"(\d+)\.(\d+)", printed)
    if not version or (int(version[1]), int(version[2])) < OLDEST_GIT:
        raise InvalidInput(f"{printed or 'this git'} is too old: install git 2.38 or newer")


async def _persons_settings(cwd: Path) -> tuple[str, ...]:
    arguments = ("config", "-z", "--show-scope", "--type=path", "--get-regexp", _PERSONS_SETTINGS)
    fields = os.fsdecode((await outside(*arguments, cwd=cwd, plain=True)).stdout).split("\0")
    pairs = zip(fields[0::2], fields[1::2], strict=False)
    return tuple("=".join(entry.split("\n", 1)) for scope, entry in pairs if scope in ("system", "global"))
