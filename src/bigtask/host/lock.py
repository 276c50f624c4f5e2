"""Who may write a run: the process that holds the lock on its folder, and nobody else.

The lock is the kernel's (`flock`), so it ends with its process however that ends. What stands in the file
says who it is, to people and to the next holder: one that let go has emptied it, one that was killed hasn't.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from bigtask.errors import RunBusy
from bigtask.process import Identity, this_process

_NAMED_S = 0.25
_PAUSE_S = 0.01


class Lock:
    """Held until `release`; children never inherit it.

    `before` is the last holder, where it ended without letting go: what it started may still be there.
    """

    def __init__(self, descriptor: int, before: Identity | None) -> None:
        self._descriptor = descriptor
        self.before = before

    @classmethod
    def take(cls, path: Path, *, who: str) -> Lock:
        """Raises RunBusy, naming the holder, when somebody has it."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise RunBusy(f"the run is held by {holder_of(path)}") from None
        before = _last_holder(path)
        said = msgspec.json.encode({"pid": os.getpid(), "who": who, "process": this_process()})
        # A full disk keeps nobody from holding the run.
        with suppress(OSError):
            os.pwrite(descriptor, said, 0)
            os.ftruncate(descriptor, len(said))
        return cls(descriptor, before)

    def release(self) -> None:
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
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
    """For people: what the file says of the process that took the lock last.

    Between taking the lock and writing its name a process is without one, and the file may still name one
    that has died: then it is looked at again for a moment.
    """
    deadline = time.monotonic() + _NAMED_S
    while (named := _living(path)) is None and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
    return named or "another process"


def _last_holder(path: Path) -> Identity | None:
    try:
        return msgspec.convert(json.loads(path.read_bytes())["process"], Identity)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _living(path: Path) -> str | None:
    try:
        said = json.loads(path.read_text())
        pid, who = int(said["pid"]), said["who"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    try:
        os.kill(pid, 0)
    except PermissionError:
        pass  # somebody else's, but there
    except (OSError, OverflowError):
        return None
    return f"process {pid} ({who})"
