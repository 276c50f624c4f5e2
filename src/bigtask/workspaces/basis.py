"""What a run starts from: a commit of the person's, with what isn't committed where they want that, or one
made of a folder's files."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bigtask.errors import GitError, InvalidInput
from bigtask.workspaces.git import Git, outside
from bigtask.workspaces.moving import named
from bigtask.workspaces.source import Source
from bigtask.workspaces.staging import stage, state
from bigtask.workspaces.submodules import Submodules

_ROOT_COMMIT = "bigtask: nothing yet"


@dataclass(frozen=True, kw_only=True)
class Basis:
    """`repository` is where the run's branches are, `files` the same with the person's files as its working
    tree."""

    source: Source
    repository: Git
    files: Git
    submodules: Submodules

    async def commit(self, base: str | None, *, include_changes: bool) -> str:
        """Raises InvalidInput where it can't be had whole."""
        if self.source.kind == "folder":
            return await self._of_folder()
        found = await self._of_repository(base, include_changes=include_changes)
        missing = await self.submodules.missing(self.repository, found)
        if missing:
            raise InvalidInput(_not_here(missing))
        return found

    async def _of_repository(self, base: str | None, *, include_changes: bool) -> str:
        repository, head = self.repository, self.source.head
        if base is not None:
            return await _chosen(repository, base)
        if head is None:
            head = await repository.write_commit(await repository.empty_tree(), [], _ROOT_COMMIT)
        if not include_changes:
            return head
        async with repository.scratch_index() as scratch:
            seen = await state(scratch)
            if seen.embedded:
                raise InvalidInput(_embedded(seen.embedded))
            changed = tuple(path for _, path in seen.dirty)
            _require_readable(scratch.work_tree, changed)
            content = await stage(scratch, changed)
        if not seen.dirty:
            return head
        return await repository.write_commit(
            content, [head], "bigtask: uncommitted changes when the run began"
        )

    async def _of_folder(self) -> str:
        listed = await self.files.call("ls-files", "--others", "--cached", "--exclude-standard", "-z")
        paths = tuple(path for path in os.fsdecode(listed.stdout).split("\0") if path)
        embedded = tuple(path for path in paths if path.endswith("/"))
        if embedded:
            raise InvalidInput(_embedded(embedded))
        _require_readable(self.files.work_tree, paths)
        content = await stage(self.files, paths)
        return await self.repository.write_commit(content, [], "bigtask: the folder when the run began")


def _require_readable(root: Path | None, paths: Iterable[str]) -> None:
    """Raises InvalidInput for files of somebody else that would be left out of the work."""
    assert root is not None
    files = ((path, root / path) for path in paths)
    closed = [
        path
        for path, file in files
        if not file.is_symlink() and file.exists() and not os.access(file, os.R_OK)
    ]
    if closed:
        raise InvalidInput(
            f"{named(closed)} can't be read by you: have that made readable, or have git ignore what the "
            "work doesn't need"
        )


async def require_base(source: Source, base: str | None) -> None:
    """Raises InvalidInput for a base that nothing can start from."""
    if base is not None and source.kind == "folder":
        raise InvalidInput("only a git repository has a base to start from: leave it out for a folder")
    if base is not None:
        await _chosen(source.git, base)


async def _chosen(repository: Git, base: str) -> str:
    found = await repository.commit(base)
    if found is None:
        raise InvalidInput(f"{base} is no commit of this repository: choose a branch, a tag or a commit")
    return found


async def make_shadow(common_dir: Path) -> None:
    """The repository of a folder that has none, where it isn't there yet."""
    if (common_dir / "HEAD").exists():
        return
    # Made under another name, so that a repository that is there is a whole one.
    unfinished = common_dir.with_name(f"{common_dir.name}.new")
    unfinished.mkdir(parents=True, exist_ok=True)
    made = await outside(
        "init", "-q", "--bare", "--template=", "-b", "main", "--", str(unfinished), cwd=common_dir.parent
    )
    if made.status != 0:
        raise GitError(("init",), made.status, made.stderr.decode(errors="replace"))
    unfinished.rename(common_dir)


def _not_here(paths: tuple[str, ...]) -> str:
    word = "submodule" if len(paths) == 1 else "submodules"
    return (
        f"the {word} {named(paths)}: the commit that the project names isn't on this machine: "
        f"git submodule update --init -- {shlex.join(paths)}"
    )


def _embedded(paths: tuple[str, ...]) -> str:
    return (
        f"{named(paths)} are repositories of their own, which can't be taken along: "
        "start inside one of them, or name them in .gitignore"
    )
