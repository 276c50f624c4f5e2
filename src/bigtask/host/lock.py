"""Who may write a run: the process that holds the lock on its folder, and nobody else.

The lock is the kernel's (`flock`), so it ends with its process however that ends; what stands in the file
only says who it is.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bigtask.errors import RunBusy


class Lock:
    """Held until `release`; children never inherit it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path, *, who: str) -> Lock:
        """Raises RunBusy, naming the holder, when somebody has it."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise RunBusy(f"the run is held by {holder_of(path)}") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "who": who}).encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        os.close(self._descriptor)


@contextmanager
def reading(path: Path) -> Iterator[bool]:
    """True while nobody holds the run and nobody can begin to: the log may be opened for reading."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def holder_of(path: Path) -> str:
    """For people: what the file says of the process that took the lock last."""
    try:
        said = json.loads(path.read_text())
        return f"process {int(said['pid'])} ({said['who']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
