"""Git LFS without Git LFS: a filter process of git's that knows this machine's large files, and no server.

    git (a call of ours) ── file ──> pointer, and the file into the store
                         <── file ── pointer, where the store has it; else the pointer stays

Run by path, so that it starts in a hundredth of a second: nothing but the standard library. Its argument is
the store, `lfs/objects` in the repository's git dir. The pointer's format is that of Git LFS, version 1; the
conversation is that of `gitattributes(5)`, "Long Running Filter Process".
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n"
    rb"(?:ext-[^\n]*\n)*oid sha256:(?P<oid>[0-9a-f]{64})\nsize (?P<size>[0-9]{1,19})\n"
)
_POINTER_BYTES = 1024
_PACKET_BYTES = 65516
_IN_MEMORY_BYTES = 2**20


class Stopped(Exception):
    """Git has ended the conversation."""


def packets(stream: IO[bytes]) -> Iterator[bytes]:
    """Up to the next flush. Raises Stopped at the end of the stream."""
    while True:
        head = stream.read(4)
        if len(head) < 4:
            raise Stopped
        size = int(head, 16)
        if size == 0:
            return
        yield stream.read(size - 4)


def put(stream: IO[bytes], *lines: bytes) -> None:
    """One packet each, and a flush."""
    for line in lines:
        stream.write(b"%04x" % (len(line) + 4) + line)
    stream.write(b"0000")
    stream.flush()


def put_file(stream: IO[bytes], content: IO[bytes]) -> None:
    while piece := content.read(_PACKET_BYTES):
        stream.write(b"%04x" % (len(piece) + 4) + piece)
    stream.write(b"0000")


def converse(source: IO[bytes], target: IO[bytes], store: Path) -> None:
    if list(packets(source)) != [b"git-filter-client\n", b"version=2\n"]:
        return
    put(target, b"git-filter-server\n", b"version=2\n")
    list(packets(source))
    put(target, b"capability=clean\n", b"capability=smudge\n")
    while True:
        asked = dict(line.rstrip(b"\n").partition(b"=")[::2] for line in packets(source))
        with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as given:
            for piece in packets(source):
                given.write(piece)
            given.seek(0)
            with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as found:
                convert = clean if asked[b"command"] == b"clean" else smudge
                convert(given, found, store)
                found.seek(0)
                put(target, b"status=success\n")
                put_file(target, found)
        put(target)


def clean(given: IO[bytes], found: IO[bytes], store: Path) -> None:
    """The pointer of a file, which the store has from then on. A pointer is its own, and so is nothing."""
    head = given.read(_POINTER_BYTES)
    if not head or _POINTER.fullmatch(head):
        found.write(head)
        return
    oid = _oid(given)
    size = given.tell()
    _keep(given, _place(store, oid))
    found.write(f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n".encode())


def smudge(given: IO[bytes], found: IO[bytes], store: Path) -> None:
    """The file of a pointer, where the store has it whole; else what was given."""
    head = given.read(_POINTER_BYTES + 1)
    pointer = _POINTER.fullmatch(head)
    if pointer is not None:
        oid = pointer["oid"].decode()
        with _kept(_place(store, oid)) as content:
            if content is not None and _oid(content) == oid:
                content.seek(0)
                shutil.copyfileobj(content, found)
                return
    given.seek(0)
    shutil.copyfileobj(given, found)


def _keep(given: IO[bytes], place: Path) -> None:
    if place.exists():
        return
    given.seek(0)
    place.parent.mkdir(parents=True, exist_ok=True)
    written, name = tempfile.mkstemp(prefix=".bigtask-", dir=place.parent)
    try:
        with open(written, "wb") as copy:
            shutil.copyfileobj(given, copy)
            copy.flush()
            os.fsync(copy.fileno())
        os.chmod(name, 0o444)
        os.rename(name, place)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def _kept(place: Path) -> Iterator[IO[bytes] | None]:
    """A link or a pipe isn't git's: it may lead anywhere."""
    try:
        opened = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        yield None
        return
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        yield None
        return
    with open(opened, "rb") as content:
        yield content


def _oid(content: IO[bytes]) -> str:
    digest = hashlib.sha256()
    content.seek(0)
    while piece := content.read(_IN_MEMORY_BYTES):
        digest.update(piece)
    return digest.hexdigest()


def _place(store: Path, oid: str) -> Path:
    return store / oid[:2] / oid[2:4] / oid


if __name__ == "__main__":
    with suppress(Stopped):
        converse(sys.stdin.buffer, sys.stdout.buffer, Path(sys.argv[1]))
