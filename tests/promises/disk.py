"""What a disk may hold after a power cut, given what a program had asked of it until then.

What was written to a file before its last sync is there. Of what was written after it anything may be: all of
it, the beginning, some sectors and not others, rubbish where a sector was being written. A file that was made
may be missing until its folder, or the file itself, was synced.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .tracing import Made, Step, SyncBegun, Synced, Truncated, Written

SECTOR = 512
WAYS = ("a beginning", "some sectors", "zeros", "rubbish")


@dataclass
class _File:
    held: bytearray = field(default_factory=bytearray)
    """What is there for certain."""
    pending: list[Written | Truncated] = field(default_factory=list)
    syncing: int = 0
    """How many of the pending ones the sync that is under way is about."""
    named: bool = False
    """Whether its name is there for certain."""


class Disk:
    """`names` are the files that are told of; others are somebody else's."""

    def __init__(self, names: Sequence[str]) -> None:
        self._files = {name: _File() for name in names}
        self._made: set[str] = set()

    def take(self, step: Step) -> bool:
        """Whether it was a change to one of the files, that is something a power cut can fall into."""
        if isinstance(step, Made) and step.path in self._files:
            self._made.add(step.path)
            return False
        if isinstance(step, Synced) and step.path not in self._files:
            for name in self._made:
                self._files[name].named |= os.path.dirname(name) == step.path
            return False
        file = self._files.get(getattr(step, "path", ""))
        if file is None:
            return False
        match step:
            case Written() | Truncated():
                file.pending.append(step)
                return True
            case SyncBegun():
                file.syncing = len(file.pending)
            case Synced():
                for change in file.pending[: file.syncing]:
                    _apply(file.held, change)
                del file.pending[: file.syncing]
                file.syncing = 0
        return False

    def cut(self, rng: random.Random, way: str, place: Path) -> None:
        """Writes what is there after the power was cut now, under the files' last names."""
        for name, file in self._files.items():
            if name not in self._made or (not file.named and not file.held and rng.random() < 0.5):
                continue
            (place / Path(name).name).write_bytes(_left(rng, way, file))


def _left(rng: random.Random, way: str, file: _File) -> bytes:
    left = bytearray(file.held)
    if way == "some sectors":
        for change in file.pending:
            for piece in _sectors(change):
                if rng.random() < 0.5:
                    _apply(left, piece)
        return bytes(left)
    whole = rng.randint(0, len(file.pending))
    for change in file.pending[:whole]:
        _apply(left, change)
    for change in file.pending[whole : whole + 1]:
        if isinstance(change, Truncated):
            continue
        kept = rng.randint(0, len(change.data))
        rest = len(change.data) - kept
        after = {"zeros": bytes(rest), "rubbish": rng.randbytes(rest)}.get(way, b"")
        _apply(left, Written(change.path, change.offset, change.data[:kept] + after))
    return bytes(left)


def _sectors(change: Written | Truncated) -> list[Written | Truncated]:
    if isinstance(change, Truncated):
        return [change]
    found: list[Written | Truncated] = []
    start = 0
    while start < len(change.data):
        end = min(len(change.data), start + SECTOR - (change.offset + start) % SECTOR)
        found.append(Written(change.path, change.offset + start, change.data[start:end]))
        start = end
    return found


def _apply(held: bytearray, change: Written | Truncated) -> None:
    if isinstance(change, Truncated):
        del held[change.size :]
        held.extend(bytes(change.size - len(held)))
        return
    if len(held) < change.offset:
        held.extend(bytes(change.offset - len(held)))
    held[change.offset : change.offset + len(change.data)] = change.data
