"""Files of a person's exchanged for others, all of them or none.

The new ones are written beside first, as git writes them, so that a full disk shows before anything is
touched. Then each is moved into its place in one step, and what was there is kept until the end: whatever
fails on the way, everything is moved back. A process that is killed leaves each file whole, old or new.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from bigtask.errors import Conflict, GitError
from bigtask.workspaces import beneath
from bigtask.workspaces.changes import Change, legible
from bigtask.workspaces.git import Git
from bigtask.workspaces.moments import step

_NAMED = 5
_REPOSITORY = "160000"


class NotTakenBack(Conflict):
    """Some files are the new ones: what is recorded of the exchange has to stay."""


@dataclass(kw_only=True)
class Exchange:
    """A context in which the files of `changes` are those of the commit `new`; what it raises brings the old
    ones back. `place` is made and removed. Raises `Conflict` where files can't be written."""

    git: Git
    new: str
    place: Path
    changes: Sequence[Change]
    _back: list[tuple[str, Callable[[], object]]] = field(default_factory=list)
    """What takes each step back, by the path that it is about."""

    async def __aenter__(self) -> Self:
        shutil.rmtree(self.place, ignore_errors=True)
        if not self.changes:
            return self
        try:
            await self._write()
        except (OSError, GitError) as error:
            shutil.rmtree(self.place, ignore_errors=True)
            raise Conflict(
                f"the new files can't be written ({_reason(error)}): nothing was changed; see to that, then "
                "try again"
            ) from error
        change = self.changes[0]
        try:
            for change in sorted(self.changes, key=lambda change: change.new is not None):
                self._exchange(change)
        except OSError as error:
            self._take_back()
            raise Conflict(
                f"{legible(change.path)} can't be exchanged ({_reason(error)}): nothing was changed; see to "
                "that, then try again"
            ) from error
        except BaseException:
            self._take_back()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._take_back()
        shutil.rmtree(self.place, ignore_errors=True)

    @property
    def _root(self) -> Path:
        assert self.git.work_tree is not None
        return self.git.work_tree

    @property
    def _waiting(self) -> Path:
        return self.place / "new"

    @property
    def _kept(self) -> Path:
        return self.place / "old"

    async def _write(self) -> None:
        for folder in (self._waiting, self._kept):
            folder.mkdir(parents=True)
        paths = [change.path for change in self.changes if change.new is not None]
        with TemporaryDirectory(prefix="bigtask-index-") as own:
            # Seen from an empty folder: attributes are those of the new files.
            git = replace(self.git, work_tree=self._waiting, index=Path(own) / "index")
            await git.call("read-tree", self.new)
            listed = b"".join(os.fsencode(path) + b"\0" for path in paths)
            await git.call("checkout-index", "-q", "-z", "--stdin", input=listed)

    def _exchange(self, change: Change) -> None:
        path = change.path
        self.git.watch("before", step("write" if change.new else "remove"))
        if change.new is None:
            if _mode(change) == _REPOSITORY:
                with suppress(OSError):  # what is in it stays
                    (self._root / path).rmdir()
            elif beneath.move(self._root, path, self._kept):
                self._back.append((path, lambda: beneath.move(self._kept, path, self._root)))
            self._prune(path)
        elif _mode(change) == _REPOSITORY and (self._root / path).is_dir():
            pass  # another commit of a repository whose files are its own
        else:
            self._put(path)
        self.git.watch("after", step("write" if change.new else "remove"))

    def _put(self, path: str) -> None:
        target = self._root / path
        above = [self._root / folder for folder in PurePosixPath(path).parents]
        missing = [folder for folder in above if not os.path.lexists(folder)]
        if target.is_dir() and not target.is_symlink():
            # All that was in it goes in this exchange, or it wouldn't have begun.
            _remove_empty(target)
        if os.path.lexists(target):
            kept = self._kept / path
            kept.parent.mkdir(parents=True, exist_ok=True)
            _keep(target, kept)
            _keep_private(target, self._waiting / path)
            self._move_in(path)
            self._back.append((path, lambda: beneath.move(self._kept, path, self._root)))
        else:
            # It may get as far as to make the folders on the way.
            self._back.append((path, lambda: self._unput(path, missing)))
            self._move_in(path)

    def _move_in(self, path: str) -> None:
        if not beneath.move(self._waiting, path, self._root):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)

    def _unput(self, path: str, made: Sequence[Path]) -> None:
        beneath.move(self._root, path, self.place / "unput")
        for folder in made:
            with suppress(OSError):
                folder.rmdir()

    def _prune(self, path: str) -> None:
        """As git does: a folder goes with its last file."""
        for parent in PurePosixPath(path).parents:
            folder = self._root / parent
            if folder == self._root or folder.is_symlink():
                return
            mode = folder.stat().st_mode if folder.is_dir() else 0
            try:
                folder.rmdir()
            except OSError:
                return
            self._back.append((str(parent), partial(_make, folder, mode)))

    def _take_back(self) -> None:
        """As far as it can be: raises NotTakenBack for the rest."""
        (self.place / "unput").mkdir(parents=True, exist_ok=True)
        left: list[str] = []
        reason = ""
        while self._back:
            path, back = self._back.pop()
            try:
                back()
            except OSError as error:
                left.append(path)
                reason = _reason(error)
        if left:
            some = ", ".join(map(legible, left[:_NAMED]))
            raise NotTakenBack(
                f"only some of the files could be exchanged, and {some} can't be put back ({reason}): "
                "see to that, then merge again, or undo the merge"
            )
        shutil.rmtree(self.place, ignore_errors=True)


def _mode(change: Change) -> str:
    side = change.new or change.old
    assert side is not None
    return side.mode


def _keep(file: Path, at: Path) -> None:
    try:
        os.link(file, at, follow_symlinks=False)
    except OSError:
        # Some disks have no second names.
        shutil.copy2(file, at, follow_symlinks=False)


def _keep_private(file: Path, new: Path) -> None:
    """Git knows of a file only whether it is a program: who else may read or write it stays."""
    old, mode = file.lstat().st_mode, new.lstat().st_mode
    if stat.S_ISREG(old) and stat.S_ISREG(mode):
        program = (old & 0o444) >> 2 if mode & stat.S_IXUSR else 0
        new.chmod(old & 0o666 | program)


def _make(folder: Path, mode: int) -> None:
    folder.mkdir(exist_ok=True)
    folder.chmod(mode & 0o7777)


def _remove_empty(folder: Path) -> None:
    for at, _, _ in os.walk(folder, topdown=False):
        os.rmdir(at)


def _reason(error: OSError | GitError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)
