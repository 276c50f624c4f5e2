"""A folder of templates on the disk, one `ID.json` each: the only place that touches template files.

No link is followed, neither of a file nor, in a repository, of the folders on the way to it: a repository
could name any file of the person's by one.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bigtask import durable_file
from bigtask.errors import InvalidInput
from bigtask.templates.listed import Source
from bigtask.templates.reading import MAX_BYTES, TOO_LARGE, Unreadable, parse
from bigtask.templates.shape import shape_problems

MOST_FILES = 1_000
"""Files of one folder that are read: nobody has as many templates, and a repository can't keep us busy."""

_SETTLED_NS = 50_000_000
"""The clock of a file system ticks slower than programs write: what changed within this time before it was
read may change again without a sign."""

_LINK = "this is a symbolic link, which isn't followed: put the file itself here"


@dataclass(frozen=True, kw_only=True)
class TemplateFile:
    """`id` is the file's name without `.json`, whether it can be an id or not. `data` is what was read, and
    `problem` why nothing could be."""

    id: str
    source: Source
    path: Path
    data: bytes = b""
    problem: str | None = None

    @cached_property
    def content(self) -> object:
        """A JSON value, or the `Unreadable` that reading it ended with."""
        if self.problem is not None:
            return Unreadable(self.problem)
        try:
            return parse(self.data)
        except Unreadable as unreadable:
            return unreadable

    @cached_property
    def misshapen(self) -> bool:
        """Whether it is no object that schema.json allows."""
        return not isinstance(self.content, Mapping) or bool(shape_problems(self.content))

    @cached_property
    def revision(self) -> str:
        """SHA-256 of the file's bytes; empty where they couldn't be read."""
        return "" if self.problem is not None else revision_of(self.data)


def revision_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class TemplateFolder:
    """`path` may be missing: it holds nothing then, and is made by the first write."""

    path: Path
    source: Source

    def mark(self) -> object | None:
        """Equal marks: nothing has changed in between. None: it has changed just now, and may again."""
        newest = 0
        marks = []
        try:
            with self._opened() as folder:
                for name in _names(folder):
                    with suppress(FileNotFoundError):
                        seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
                        marks.append((name, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns))
                        newest = max(newest, seen.st_mtime_ns, seen.st_ctime_ns)
        except FileNotFoundError:
            return ()
        except OSError as error:
            return error.errno
        return None if newest > time.time_ns() - _SETTLED_NS else tuple(marks)

    def read(self) -> tuple[TemplateFile, ...]:
        """Every `*.json`, by name; also those that can't be read. Where the folder itself can't be, one file
        called `*` says why."""
        try:
            with self._opened() as folder:
                names = _names(folder)
                found = [self._file(folder, name) for name in names[:MOST_FILES]]
        except FileNotFoundError:
            return ()
        except OSError as error:
            reason = f"the folder can't be read: {_reason(error)}"
            return (TemplateFile(id="*", source=self.source, path=self.path, problem=reason),)
        if len(names) > MOST_FILES:
            reason = f"only the first {MOST_FILES:,} of {len(names):,} files are read: take some out"
            found.append(TemplateFile(id="*", source=self.source, path=self.path, problem=reason))
        return tuple(file for file in found if file is not None)

    def find(self, template_id: str) -> TemplateFile | None:
        """As it is now. `template_id` is a usable one."""
        try:
            with self._opened() as folder:
                return self._file(folder, f"{template_id}.json")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InvalidInput(f"the templates in {self.path} can't be read: {_reason(error)}") from None

    def write(self, template_id: str, data: bytes) -> Path:
        """The file is the old one or the new one at any moment. Raises InvalidInput where it can't be
        written, and then it is the old one. `template_id` is a usable one."""
        path = self.path / f"{template_id}.json"
        try:
            with self._opened(make=True) as folder:
                self._require_same(folder)
                durable_file.replace(path, data, mode=0o600 if self.source is Source.USER else 0o644)
        except OSError as error:
            raise _unwritable(path, error) from None
        return path

    def remove(self, template_id: str) -> None:
        """Raises InvalidInput where it can't be removed. `template_id` is a usable one."""
        try:
            with self._opened() as folder:
                os.unlink(f"{template_id}.json", dir_fd=folder)
                os.fsync(folder)
        except OSError as error:
            raise _unwritable(self.path / f"{template_id}.json", error) from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One writer at a time is inside, of all that use this folder for it; others wait. What a writer left
        that was killed is taken away."""
        with ExitStack() as stack:
            try:
                self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
                stack.enter_context(durable_file.alone(self.path / ".lock"))
                for name in os.listdir(self.path):
                    if name.startswith(".") and name.endswith(".tmp"):
                        os.unlink(self.path / name)
            except OSError as error:
                raise _unwritable(self.path, error) from None
            yield

    def _file(self, folder: int, name: str) -> TemplateFile | None:
        data, problem = b"", None
        try:
            # Without NONBLOCK a named pipe would keep us waiting for somebody to write into it.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=folder)
            try:
                if stat.S_ISREG(os.fstat(descriptor).st_mode):
                    data = _content(descriptor)
                else:
                    problem = "this isn't a file: only files are read"
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            return None
        except OSError as error:
            problem = _LINK if _is_link(name, folder) else f"the file can't be read: {error.strerror}"
        if len(data) > MAX_BYTES:
            data, problem = b"", TOO_LARGE
        return TemplateFile(
            id=name.removesuffix(".json").encode(errors="replace").decode(),
            source=self.source,
            path=self.path / name,
            data=data,
            problem=problem,
        )

    @contextmanager
    def _opened(self, *, make: bool = False) -> Iterator[int]:
        """The folder itself. The person may have linked their own from elsewhere; a repository may not."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        if self.source is Source.USER:
            descriptor = os.open(self.path, flags)
        else:
            descriptor = os.open(self.path.parent.parent, flags)
            for part in self.path.parts[-2:]:
                try:
                    if make:
                        with suppress(FileExistsError):
                            os.mkdir(part, dir_fd=descriptor)
                    inner = os.open(part, flags | os.O_NOFOLLOW, dir_fd=descriptor)
                finally:
                    os.close(descriptor)
                descriptor = inner
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _require_same(self, folder: int) -> None:
        """What is written by its path must not have become a link since it was opened."""
        if not os.path.samestat(os.fstat(folder), os.stat(self.path)):
            raise OSError(0, "the folder was exchanged meanwhile")


def _content(descriptor: int) -> bytes:
    """One byte over the bound is enough to refuse it."""
    pieces = []
    left = MAX_BYTES + 1
    while left > 0 and (piece := os.read(descriptor, left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _names(folder: int) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name.endswith(".json") and not name.startswith("."))


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _reason(error: OSError) -> str:
    if isinstance(error, NotADirectoryError):
        return "it, or the folder above it, is no folder or a symbolic link, which isn't followed"
    return error.strerror or str(error)


def _unwritable(path: Path, error: OSError) -> InvalidInput:
    return InvalidInput(f"{path} can't be written: {_reason(error)}")
