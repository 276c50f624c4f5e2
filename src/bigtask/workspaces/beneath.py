"""Moving what lies in a folder that somebody else may still write in, without ever following a link.

A path is looked up one name after the other, each in the folder that was opened before it: what is swapped
for a link meanwhile is found to be none of ours, instead of being followed out.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def move(root: Path, path: str, target: Path) -> bool:
    """Move `root`/`path` to `target`/`path`; a link is moved as a link. The folders on the way are made.

    False where nothing is there, or a link stands on the way. Raises OSError for what can't be moved.
    """
    *folders, name = PurePosixPath(path).parts
    try:
        with _opened(root, folders) as source:
            os.stat(name, dir_fd=source, follow_symlinks=False)
            with _opened(target, folders, make=True) as there:
                os.rename(name, name, src_dir_fd=source, dst_dir_fd=there)
    except OSError as error:
        if error.errno in _NOT_THERE:
            return False
        raise
    return True


@contextmanager
def _opened(root: Path, folders: Sequence[str], *, make: bool = False) -> Iterator[int]:
    at = os.open(root, _FOLDER)
    try:
        for folder in folders:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(folder, dir_fd=at)
            inner = os.open(folder, _FOLDER, dir_fd=at)
            os.close(at)
            at = inner
        yield at
    finally:
        os.close(at)
