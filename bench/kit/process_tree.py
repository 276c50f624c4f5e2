"""What this process and everything that it started have used. Whole where there is /proc; elsewhere only
what the system counts for us: our own share and that of children which have ended."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_PARENT, _TIMES = 1, slice(11, 15)
"""Fields of /proc/PID/stat behind the name: the parent, and user and system time of it and its children."""


def cpu_s() -> float:
    """User and system time, children that have ended included."""
    if not (_PROC / "self/stat").exists():
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + ended.ru_utime + ended.ru_stime
    tick = os.sysconf("SC_CLK_TCK")
    ours = [int(part) for part in _stats()[os.getpid()][_TIMES]]
    others = sum(int(part) for pid, stat in _tree() if pid != os.getpid() for part in stat[_TIMES])
    # Our own share by a finer clock than the ticks.
    return time.process_time() + (ours[2] + ours[3] + others) / tick


def peak_mb() -> float:
    """The sum of each process's own peak of resident memory; pages that they share count several times."""
    if not (_PROC / "self/stat").exists():
        size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return size / (2**20 if sys.platform == "darwin" else 2**10)
    return sum(_peak_kb(pid) for pid, _ in _tree()) / 1024


def _peak_kb(pid: int) -> int:
    with suppress(OSError):  # it has ended meanwhile
        for line in (_PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1])
    return 0


def _stats() -> dict[int, list[str]]:
    found = {}
    for name in os.listdir(_PROC):
        if name.isdigit():
            with suppress(OSError):
                text = (_PROC / name / "stat").read_text()
                # The name stands in brackets and may itself hold blanks and brackets.
                found[int(name)] = text[text.rindex(")") + 2 :].split()
    return found


def _tree() -> Iterator[tuple[int, list[str]]]:
    stats = _stats()
    children: dict[int, list[int]] = {}
    for pid, stat in stats.items():
        children.setdefault(int(stat[_PARENT]), []).append(pid)
    waiting = [os.getpid()]
    while waiting:
        pid = waiting.pop()
        if pid in stats:
            yield pid, stats[pid]
        waiting += children.get(pid, ())
