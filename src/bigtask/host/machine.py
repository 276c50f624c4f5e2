"""What this machine has left for sessions: cores and memory, also where a control group has less."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from bigtask.process import cgroup

_MIB = 2**20


def cores() -> int:
    """At least 1."""
    try:
        found = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        found = os.cpu_count() or 1
    for group in _groups():
        quota, _, period = _said(group / "cpu.max").partition(" ")
        if quota.isdigit() and period.strip().isdigit():
            found = min(found, int(quota) // int(period))
    return max(found, 1)


def free_mib() -> int | None:
    """Memory that can be had without pushing others out; None where the system doesn't tell."""
    found = [_available(_said(Path("/proc/meminfo")))]
    for group in _groups():
        most, used = _said(group / "memory.max").strip(), _said(group / "memory.current").strip()
        if most.isdigit() and used.isdigit():
            found.append((int(most) - int(used) + _reclaimable(_said(group / "memory.stat"))) // _MIB)
    known = [mib for mib in found if mib is not None]
    return max(min(known), 0) if known else None


def _available(meminfo: str) -> int | None:
    fields = (line.split() for line in meminfo.splitlines())
    return next((int(words[1]) // 1024 for words in fields if words[:1] == ["MemAvailable:"]), None)


def _reclaimable(stat: str) -> int:
    """Files in memory that nobody uses at the moment count as used there."""
    fields = (line.split() for line in stat.splitlines())
    return next((int(words[1]) for words in fields if words[:1] == ["inactive_file"]), 0)


def _groups() -> Iterator[Path]:
    """Our control group and those above it: each may have a bound."""
    own = cgroup.own()
    if own is not None:
        folder = Path(own)
        while (folder / "cgroup.procs").exists():
            yield folder
            folder = folder.parent


def _said(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
