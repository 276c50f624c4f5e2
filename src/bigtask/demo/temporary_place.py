"""A folder for one demonstration, which goes at its end; where it was killed, with the next one."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "bigtask-show-"
_LOCK = "alive"
"""The kernel's lock on this file ends with the process that made the folder, however that ends."""


@contextmanager
def temporary_place() -> Iterator[Path]:
    """An empty folder, as far as anybody else is concerned. Raises OSError where none can be made."""
    _clear_abandoned(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        place = Path(folder).resolve()
        descriptor = _taken(place)
        try:
            yield place
        finally:
            os.close(descriptor)


def _taken(place: Path) -> int:
    # It gets its name when it is locked: nobody may find it without its lock and think us gone.
    unnamed = place / f"{_LOCK}.{os.getpid()}"
    descriptor = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    unnamed.rename(place / _LOCK)
    return descriptor


def _clear_abandoned(temporary: Path) -> None:
    """What can't be removed stays: it is in nobody's way."""
    for place in temporary.glob(f"{_PREFIX}*"):
        if _is_abandoned(place):
            shutil.rmtree(place, ignore_errors=True)


def _is_abandoned(place: Path) -> bool:
    """Whether it is ours and its process is gone. Other people's folders may lie beside it."""
    try:
        found = place.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            return False
        descriptor = os.open(place / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
