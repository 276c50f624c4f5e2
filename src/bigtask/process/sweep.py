"""Ending processes by the mark that they were started with, and nobody else.

A process is held by a pidfd before it's looked at for good, and the look counts only if it was still alive
afterwards: what was read was then said of the process that the signal goes to, whatever became of its number.
Needs Linux 5.3; elsewhere nothing is found and nothing signalled.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

from bigtask.process import proc

# Imported by keepers: nothing that takes milliseconds.

_WITHIN_S = 3.0


class Swept(NamedTuple):
    """`left` are those that were found and hadn't ended in time."""

    ended: list[int]
    left: list[int]


def end(is_ours: Callable[[str], bool], *, within_s: float = _WITHIN_S) -> Swept:
    """SIGKILL to whatever carries such a mark, and to its descendants, which may have dropped theirs.

    They are stopped first: what stands still starts nothing that we would miss. Blocks until they have ended.
    """
    deadline = time.monotonic() + within_s
    ended: set[int] = set()
    while True:
        held = _Held()
        try:
            held.gather(is_ours)
            held.send(signal.SIGKILL)
            left = held.outlived(deadline)
            ended |= held.pids - set(left)
            if left or not held.pids:
                return Swept(sorted(ended), left)
        finally:
            held.close()


class _Held:
    """Processes, each with the descriptor that stands for it and nobody else."""

    def __init__(self) -> None:
        self._descriptors: dict[int, int] = {}

    @property
    def pids(self) -> set[int]:
        return set(self._descriptors)

    def gather(self, is_ours: Callable[[str], bool]) -> None:
        for pid in proc.pids():
            if is_ours(proc.tag(pid)):
                self._hold(pid, lambda pid=pid: is_ours(proc.tag(pid)))  # type: ignore[misc]  # bound, not given
        while self._gather_children():
            pass

    def _gather_children(self) -> bool:
        before = len(self._descriptors)
        for pid in proc.pids():
            found = proc.seen(pid)
            if found and found.parent in self._descriptors and pid not in self._descriptors:
                self._hold(pid, lambda pid=pid: self._is_child(pid))  # type: ignore[misc]  # ditto
        return len(self._descriptors) > before

    def _is_child(self, pid: int) -> bool:
        found = proc.seen(pid)
        if found is None or found.parent not in self._descriptors:
            return False
        # While the parent lives its number is its own, and so it was when we looked.
        return not _ended(self._descriptors[found.parent])

    def _hold(self, pid: int, is_it: Callable[[], bool]) -> None:
        if pid == os.getpid():
            return
        descriptor = _opened(pid)
        if descriptor is None:
            return
        if is_it() and not _ended(descriptor):
            self._descriptors[pid] = descriptor
            _send(descriptor, signal.SIGSTOP)
        else:
            os.close(descriptor)

    def send(self, number: int) -> None:
        for descriptor in self._descriptors.values():
            _send(descriptor, number)

    def outlived(self, deadline: float) -> list[int]:
        """Waits until the last process has ended or the deadline has passed, and gives the ids of those that
        still live then."""
        living = {descriptor: pid for pid, descriptor in self._descriptors.items()}
        poll = select.poll()
        for descriptor in living:
            poll.register(descriptor, select.POLLIN)
        while living:
            left_ms = 1000 * (deadline - time.monotonic())
            gone = poll.poll(left_ms) if left_ms > 0 else []
            if not gone:
                break
            for descriptor, _ in gone:
                poll.unregister(descriptor)
                del living[descriptor]
        return sorted(living.values())

    def close(self) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)


def _opened(pid: int) -> int | None:
    """None for one that has ended, and where the kernel has no such descriptors or we have no more."""
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        # EINVAL: a thread, or a kernel's. Those that don't fit any more are found in the next round.
        if error.errno in (errno.ESRCH, errno.ENOSYS, errno.EINVAL, errno.EMFILE, errno.ENFILE):
            return None
        raise


def _ended(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _send(descriptor: int, number: int) -> None:
    try:
        signal.pidfd_send_signal(descriptor, number)
    except (ProcessLookupError, PermissionError):
        # PermissionError: it runs as somebody else now. It's counted among those that are left.
        return
