"""The files of submodules, in worktrees of ours, from what is on this machine.

Git fills them in by running itself inside each, under settings that came along with it, and fetches what is
missing. Here their objects are read and nothing else: through a repository of ours that has no settings, with
an index for each submodule of each worktree. So what stands there are plain files. Git takes such a submodule
for one that isn't checked out: what anybody changes in it is no part of the project's commits, and is told.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bigtask.errors import GitError
from bigtask.workspaces.git import Git, outside
from bigtask.workspaces.staging import entries

_REPOSITORY = "160000"
_DEEPEST = 8
"""Submodules of submodules."""

_INDEX = ".bigtask-index"


@dataclass(frozen=True, kw_only=True)
class Submodules:
    """`folder` is for what is kept of them; `stores` are the git dirs of the project that may hold some."""

    folder: Path
    stores: tuple[Path, ...]

    async def missing(self, git: Git, commit: str) -> tuple[str, ...]:
        """Those that are checked out in the working tree of `git` and whose commit, as `commit` names it,
        isn't on this machine."""
        assert git.work_tree is not None
        objects = self._objects()
        if not objects:
            return ()
        listed = await git.call("ls-tree", "-r", "-z", commit)
        found = []
        for line in os.fsdecode(listed.stdout).split("\0"):
            about, _, path = line.partition("\t")
            if about.startswith(_REPOSITORY) and os.path.lexists(git.work_tree / path / ".git"):
                found.append((path, about.split(" ")[2]))
        if not found:
            return ()
        store = await self._store(objects, git)
        return tuple([path for path, wanted in found if await store.commit(wanted) is None])

    async def fill(self, tree: Git) -> None:
        """Write the files of those that are here into the worktree `tree`, where nothing stands in their
        place. What was filled in once is left as somebody has made it."""
        objects = self._objects()
        if objects:
            await self._fill(tree, await self._store(objects, tree), self._of(tree), _DEEPEST)

    async def changed(self, tree: Git, *, ignored: bool = False) -> tuple[str, ...]:
        """Files in them that aren't as they were filled in, as paths from the worktree's top; what the rules
        of a submodule ignore only where asked for."""
        assert tree.work_tree is not None
        found: list[str] = []
        for path, git in self._filled(tree):
            if not (tree.work_tree / path).is_dir():
                found.append(path)
                continue
            await git.call("update-index", "-q", "--refresh", statuses=(0, 1))
            rules = () if ignored else ("--exclude-standard",)
            # Those that lie in it have files of their own: they are asked by themselves.
            inner = await _inside(git)
            for arguments in (("diff-files", "--name-only", "-z"), ("ls-files", "--others", "-z", *rules)):
                printed = os.fsdecode((await git.call(*arguments)).stdout)
                found += [
                    f"{path}/{name}" for name in printed.split("\0") if name and not _lies_in(name, inner)
                ]
        return tuple(sorted(set(found)))

    def forget(self, name: str) -> None:
        """What is kept for the worktree of that name."""
        shutil.rmtree(self.folder / name, ignore_errors=True)

    async def _fill(self, tree: Git, store: Git, kept: Path, deepest: int) -> None:
        assert tree.work_tree is not None
        for path, commit in (await _inside(tree)).items():
            place, index = tree.work_tree / path, kept / path / _INDEX
            if not index.exists():
                if not _is_free(tree.work_tree, path) or await store.commit(commit) is None:
                    continue
                place.mkdir(parents=True, exist_ok=True)
                index.parent.mkdir(parents=True, exist_ok=True)
                begun = index.with_name(f"{_INDEX}.new")
                begun.unlink(missing_ok=True)
                git = replace(store, work_tree=place, index=begun)
                try:
                    await git.call("read-tree", "-m", "-u", commit)
                except GitError:
                    # Some of its objects are somewhere else: as little is there as at the person's.
                    continue
                begun.rename(index)
            if deepest:
                inner = replace(store, work_tree=place, index=index)
                await self._fill(inner, store, kept / path, deepest - 1)

    def _filled(self, tree: Git) -> Iterator[tuple[str, Git]]:
        assert tree.work_tree is not None
        kept = self._of(tree)
        for index in sorted(kept.rglob(_INDEX)):
            path = index.parent.relative_to(kept).as_posix()
            git = Git(git_dir=self._own, work_tree=tree.work_tree / path, index=index, settings=tree.settings)
            yield path, git

    def _of(self, tree: Git) -> Path:
        assert tree.work_tree is not None
        return self.folder / tree.work_tree.name

    def _objects(self) -> tuple[Path, ...]:
        """Where git keeps the objects of submodules: below `modules`, those of a submodule's own as well."""
        return tuple(found for store in self.stores for found in _below(store / "modules"))

    @property
    def _own(self) -> Path:
        return self.folder / "objects.git"

    async def _store(self, objects: tuple[Path, ...], project: Git) -> Git:
        if not (self._own / "HEAD").exists():
            self._own.mkdir(parents=True, exist_ok=True)
            made = await outside(
                "init", "-q", "--bare", "--template=", "-b", "main", "--", str(self._own), cwd=self.folder
            )
            if made.status != 0:
                raise GitError(("init",), made.status, made.stderr.decode(errors="replace"))
        alternates = self._own / "objects" / "info" / "alternates"
        alternates.parent.mkdir(parents=True, exist_ok=True)
        alternates.write_bytes(b"".join(os.fsencode(path) + b"\n" for path in objects))
        return Git(git_dir=self._own, settings=project.settings)


def _below(folder: Path) -> Iterator[Path]:
    """A submodule's name may have slashes in it, so that its git dir lies deeper."""
    if not folder.is_dir() or folder.is_symlink():
        return
    for entry in sorted(folder.iterdir()):
        objects = entry / "objects"
        if (entry / "HEAD").is_file() and objects.is_dir():
            if "\n" not in str(objects):
                yield objects
            yield from _below(entry / "modules")
        else:
            yield from _below(entry)


def _is_free(top: Path, path: str) -> bool:
    """Whether an empty folder, or nothing, is there, and no link on the way."""
    place = top
    for part in Path(path).parts:
        place = place / part
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            return False
    return not place.exists() or not any(place.iterdir())


async def _inside(git: Git) -> dict[str, str]:
    """The submodules that an index names, with the commit of each."""
    return {
        path: entry.side.blob
        for path, entry in (await entries(git)).items()
        if entry.side is not None and entry.side.mode == _REPOSITORY
    }


def _lies_in(name: str, folders: Iterable[str]) -> bool:
    return any(name == folder or name.startswith(f"{folder}/") for folder in folders)
