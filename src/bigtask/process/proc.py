"""What `/proc` says of processes; the formats are those of proc(5). Empty on systems without it.

A number alone names nobody: the process may end between two looks and its number be given away. Whoever acts
on an answer holds the process by a pidfd and looks again (`bigtask.process.sweep`).
"""

from __future__ import annotations

import os

# This module and those that it imports also run in keepers, which start for every session: they import
# nothing that takes milliseconds.

TAG = "BIGTASK_TAG"
"""The variable that marks whatever we start: `OWNER:SESSION`, both random."""

_PLAIN = "plain"
_MARK = TAG.encode() + b"="


def plain_tag(owner: str) -> str:
    """The mark of a program that isn't expected to start others and so has no keeper."""
    return f"{owner}:{_PLAIN}"


def owner_of(tag: str) -> str:
    return tag.partition(":")[0]


class Seen:
    """`started` is in clock ticks since the boot: two processes may have the same. `ticks` are those of
    processor time that it has used, and its children that have ended and that it has waited for."""

    def __init__(self, *, pid: int, parent: int, state: str, started: int, ticks: int) -> None:
        self.pid = pid
        self.parent = parent
        self.state = state
        self.started = started
        self.ticks = ticks


def seen(pid: int) -> Seen | None:
    """None for one that doesn't exist any more."""
    stat = _read(pid, "stat")
    if not stat:
        return None
    # The name stands in brackets and may hold brackets and blanks itself.
    fields = stat.rpartition(b")")[2].split()
    return Seen(
        pid=pid,
        parent=int(fields[1]),
        state=fields[0].decode(),
        started=int(fields[19]),
        ticks=sum(int(field) for field in fields[11:15]),
    )


def tag(pid: int) -> str:
    """The mark that it was started with; empty where there is none or we may not know."""
    return _variable(pid, _MARK).decode("ascii", "replace")


def temporary_folder(pid: int) -> str:
    """What `TMPDIR` was when it was started; empty where it wasn't set or we may not know."""
    return os.fsdecode(_variable(pid, b"TMPDIR="))


def _variable(pid: int, beginning: bytes) -> bytes:
    for variable in _read(pid, "environ").split(b"\0"):
        if variable.startswith(beginning):
            return variable[len(beginning) :]
    return b""


def pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    except FileNotFoundError:
        return []


def children(pid: int) -> list[int]:
    """The ids of a process's children. They are looked at one after the other, not all at one moment."""
    found = (seen(number) for number in pids())
    return [child.pid for child in found if child is not None and child.parent == pid]


def boot_id() -> str:
    """Another one after each start of the machine; empty where there is none."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


def _read(pid: int, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    # PermissionError: of somebody else; ProcessLookupError: it ended while we read.
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return b""
