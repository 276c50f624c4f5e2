"""Ports that attempts have to themselves: twenty each, for as long as the attempt has its workspace.

Two workers that test the same server at once would meet on its usual port. Who has which block stands in one
file for all runs of a home.
"""

from __future__ import annotations

import errno
import os
import socket
import zlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from bigtask import durable_file
from bigtask.errors import Conflict

FIRST, BLOCKS, SIZE = 20_000, 500, 20
"""Below what systems hand out by themselves (from 32768 on Linux, from 49152 on macOS)."""


class PortBlocks:
    """Safe with several processes. Raises OSError where the file can't be written."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def take(self, name: str) -> range:
        """The block of that name: the same until it's given back. One of which somebody else uses a port is
        passed over. Raises Conflict when all of them are taken."""
        with durable_file.alone(self._file.with_suffix(".lock")):
            taken = self._read()
            if name not in taken:
                taken[name] = _first_free(name, frozenset(taken.values()))
                self._write(taken)
            return _ports(taken[name])

    def give_back(self, names: Iterable[str]) -> None:
        """What nobody has is given back already."""
        gone = frozenset(names)
        if not self._file.exists():
            return
        with durable_file.alone(self._file.with_suffix(".lock")):
            taken = self._read()
            left = {name: block for name, block in taken.items() if name not in gone}
            if left != taken:
                self._write(left)

    def names(self) -> tuple[str, ...]:
        """Who has a block now."""
        return tuple(self._read())

    def _read(self) -> dict[str, int]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, int])
        except (FileNotFoundError, msgspec.DecodeError):
            # What a power cut left of it: those who hold a block keep using it, and it is seen to be in use.
            return {}

    def _write(self, taken: dict[str, int]) -> None:
        unfinished = self._file.with_suffix(".new")
        unfinished.write_bytes(msgspec.json.encode(taken))
        unfinished.replace(self._file)


def _first_free(name: str, taken: frozenset[int]) -> int:
    # Another home knows nothing of this one: different attempts begin to look in different places.
    start = zlib.crc32(os.fsencode(name)) % BLOCKS
    for offset in range(BLOCKS):
        block = (start + offset) % BLOCKS
        if block not in taken and all(_free(port) for port in _ports(block)):
            return block
    raise Conflict(
        f"all {BLOCKS} blocks of ports from {FIRST} to {FIRST + BLOCKS * SIZE - 1} are taken: "
        "`bigtask clean` gives back those of runs that have ended"
    )


def _ports(block: int) -> range:
    first = FIRST + block * SIZE
    return range(first, first + SIZE)


def _free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("", port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True
