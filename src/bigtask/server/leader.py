"""One server a home: who it is, and where it is reached."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from bigtask import durable_file
from bigtask.errors import RunBusy
from bigtask.server.credentials import make_private

_NAMED_S = 2.0
_PAUSE_S = 0.02


class Leader(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in `server.json` of a home's `server/`. `url` is what a person opens; empty
    while the server is beginning."""

    pid: int
    url: str
    local: str = ""
    """Where this machine's programs reach it themselves, also where `url` is a proxy's."""
    certificate: str = ""
    """The SHA-256 of the certificate that it shows there, in hexadecimal; empty without TLS."""


class ServerRunning(RunBusy):
    """`leader` is None where it hasn't said yet who it is."""

    def __init__(self, leader: Leader | None) -> None:
        if leader is None:
            super().__init__("another server of the same home is just beginning: use that one")
        elif not leader.url:
            super().__init__(
                f"a server is just beginning: process {leader.pid}. Use that one, or end it first"
            )
        else:
            super().__init__(
                f"a server runs already: process {leader.pid}, at {leader.url}. Use that one "
                "(`bigtask serve --link` prints a link to sign in), or end it first"
            )
        self.leader = leader


@contextmanager
def leading(folder: Path) -> Iterator[None]:
    """While the block runs, no other process leads. Raises ServerRunning, naming the one that does.

    The lock is the kernel's: it ends with its process, however that ends.
    """
    make_private(folder)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServerRunning(_patiently(folder)) from None
        # What the last one has left isn't true any more.
        proclaim(folder, "")
        try:
            yield
        finally:
            with suppress(OSError):
                _file(folder).unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def proclaim(folder: Path, url: str, *, local: str = "", certificate: str = "") -> None:
    """Writes down where the server can be reached; called by the process that leads, once it can be."""
    said = Leader(pid=os.getpid(), url=url, local=local, certificate=certificate)
    durable_file.replace(_file(folder), msgspec.json.encode(said))


def leader(folder: Path) -> Leader | None:
    """Where the server of this home can be reached; None where none runs, or it hasn't written that down
    yet."""
    try:
        found = msgspec.json.decode(_file(folder).read_bytes(), type=Leader)
        os.kill(found.pid, 0)
    except PermissionError:
        return found
    except (OSError, msgspec.DecodeError, OverflowError):
        return None
    return found


def _patiently(folder: Path) -> Leader | None:
    """One that has just taken the lock is about to say who it is."""
    deadline = time.monotonic() + _NAMED_S
    while ((found := leader(folder)) is None or not found.url) and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
    return found


def _file(folder: Path) -> Path:
    return folder / "server.json"
