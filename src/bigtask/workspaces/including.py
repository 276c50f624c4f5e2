"""Files that git ignores and the work needs, copied from the person's folder into a worktree.

Which ones is said by lines like those of a .gitignore, and git itself decides what they match. Nothing that
isn't ignored is copied: it comes with the commit, or was left out on purpose. No link is followed on the way
out of the project or on the way into the worktree.
"""

from __future__ import annotations

import errno
import os
import posixpath
import re
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from bigtask.errors import InvalidInput
from bigtask.workspaces import prepared
from bigtask.workspaces.git import Git

FILE = ".worktreeinclude"
MOST_BYTES = 256 << 20
MOST_FILES = 20_000
_LARGEST_FILE_OF_RULES = 64 << 10
_MOST_RULES = 1_000
_SPECIAL = re.compile(r"([\\*?\[\]!# ])")


@dataclass(frozen=True, kw_only=True)
class Rules:
    """`patterns` are git's own, from the top of the project; `place` is who says so, for people."""

    patterns: tuple[str, ...]
    place: str


def rules_of(lines: Iterable[str], *, below: str, place: str) -> Rules:
    """`lines` mean places below the folder `below`, as a .gitignore that lies there would."""
    patterns = tuple(pattern for line in lines if (pattern := _pattern(line, below)))
    if len(patterns) > _MOST_RULES:
        raise InvalidInput(f"{place} has more than {_MOST_RULES:,} lines: name folders instead of files")
    return Rules(patterns=patterns, place=place)


def rules_in(root: Path, prefix: str) -> Rules:
    """What the file says that lies where the run works, or else at the top of the project; without one there
    are no rules. Raises InvalidInput for one that can't be read."""
    for below in dict.fromkeys((prefix, "")):
        text = _text(root / below / FILE)
        if text is not None:
            return rules_of(text.splitlines(), below=below, place=posixpath.join(below, FILE))
    return Rules(patterns=(), place=FILE)


async def chosen(files: Git, rules: Rules) -> tuple[str, ...]:
    """Paths from the top, in order, of the ignored files and links that the rules name. `files` is the
    repository with the person's files as its working tree."""
    if not rules.patterns:
        return ()
    with NamedTemporaryFile(prefix="bigtask-include-") as written:
        written.write(b"".join(os.fsencode(pattern) + b"\n" for pattern in rules.patterns))
        written.flush()
        wanted = await _others(files, f"--exclude-from={written.name}")
    if not wanted:
        return ()
    return tuple(sorted(wanted & await _others(files, "--exclude-standard")))


async def tracked(git: Git) -> frozenset[str]:
    """Every path in the worktree's index."""
    return _paths((await git.call("ls-files", "--cached", "-z")).stdout)


async def _others(files: Git, *excludes: str) -> frozenset[str]:
    return _paths((await files.call("ls-files", "--others", "--ignored", "-z", *excludes)).stdout)


def _paths(printed: bytes) -> frozenset[str]:
    # A folder is another repository, which git doesn't look into.
    return frozenset(path for path in os.fsdecode(printed).split("\0") if path and not path.endswith("/"))


def require_small(root: Path, paths: Collection[str], *, place: str) -> None:
    """Raises InvalidInput where it would be too much for every single workspace."""
    if len(paths) > MOST_FILES:
        raise InvalidInput(
            f"{place} names {len(paths):,} ignored files, and at most {MOST_FILES:,} are copied into each "
            "workspace: name fewer, or let `setup` make them"
        )
    whole = 0
    for path in paths:
        try:
            whole += (root / path).lstat().st_size
        except OSError:
            continue
    if whole > MOST_BYTES:
        raise InvalidInput(
            f"{place} names ignored files of {whole >> 20:,} MiB, and at most {MOST_BYTES >> 20} MiB are "
            "copied into each workspace: name fewer, or let `setup` make them"
        )


def copy(root: Path, worktree: Path, paths: Iterable[str]) -> tuple[str, ...]:
    """Copies each file with its mode, over what an earlier try has left. Returns the paths that weren't
    copied because they lead out of the project, or something is in the way."""
    left_out = []
    with _opened(root) as source, _opened(worktree) as target:
        for path in paths:
            above, name = posixpath.split(path)
            try:
                with _below(source, above, make=False) as here, _below(target, above, make=True) as there:
                    done = _copied(root / path, name, here, there)
            except OSError as error:
                if error.errno not in _IN_THE_WAY:
                    raise
                done = False
            if not done:
                left_out.append(path)
    return tuple(left_out)


_IN_THE_WAY = {
    errno.ELOOP,
    errno.EMLINK,  # what some systems say of O_NOFOLLOW in place of ELOOP
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EACCES,
    errno.ENXIO,
}


def _copied(path: Path, name: str, here: int, there: int) -> bool:
    about = os.stat(name, dir_fd=here, follow_symlinks=False)
    if stat.S_ISLNK(about.st_mode):
        aim = os.readlink(name, dir_fd=here)
        if not _stays(path, aim):
            return False
        _make_link(aim, name, there)
        return True
    if not stat.S_ISREG(about.st_mode):
        return False
    unfinished = prepared.unfinished(name)
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=here)
    with open(source, "rb") as file:
        with suppress(FileNotFoundError):
            os.unlink(unfinished, dir_fd=there)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(unfinished, flags, 0o600, dir_fd=there), "wb") as made:
            shutil.copyfileobj(file, made, 1 << 20)
            os.fchmod(made.fileno(), stat.S_IMODE(about.st_mode) & 0o777)
    os.replace(unfinished, name, src_dir_fd=there, dst_dir_fd=there)
    return True


def _make_link(aim: str, name: str, there: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=there)
    os.symlink(aim, name, dir_fd=there)


def _stays(link: Path, aim: str) -> bool:
    """Whether it leads to a file beside or below itself: only that is in the worktree as well for sure."""
    if os.path.isabs(aim) or ".." in aim.split("/"):
        return False
    return Path(os.path.realpath(link)).is_relative_to(os.path.realpath(link.parent))


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _below(top: int, path: str, *, make: bool) -> Iterator[int]:
    """The folder at `path` below `top`, no part of which may be a link; with `make` it is made if need be."""
    descriptor = os.dup(top)
    try:
        for part in path.split("/") if path else ():
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=descriptor)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            inner = os.open(part, flags, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def _pattern(line: str, below: str) -> str:
    """Git's own pattern from the top of the project; empty for a line that says nothing."""
    text = line.rstrip("\r\n")
    if not text.endswith("\\ "):
        text = text.rstrip(" ")
    if not text or text.startswith("#"):
        return ""
    no, body = ("!", text[1:]) if text.startswith("!") else ("", text)
    if not body.strip("/"):
        return ""
    if not below:
        return no + body
    anchored = "/" in body.rstrip("/")
    return f"{no}/{_SPECIAL.sub(_escaped, below)}/{'' if anchored else '**/'}{body.lstrip('/')}"


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[1]}"


def _text(path: Path) -> str | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = (
            "put a file there instead of a link"
            if error.errno in (errno.ELOOP, errno.EMLINK)
            else error.strerror
        )
        raise InvalidInput(f"{path} can't be used: {reason}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InvalidInput(f"{path} isn't a file: put one there, or remove it")
        content = os.read(descriptor, _LARGEST_FILE_OF_RULES + 1)
    finally:
        os.close(descriptor)
    if len(content) > _LARGEST_FILE_OF_RULES:
        raise InvalidInput(f"{path} is larger than {_LARGEST_FILE_OF_RULES >> 10} KiB: name folders in it")
    return os.fsdecode(content)
