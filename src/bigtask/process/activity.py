"""What a process tree has done so far: by its control group where it has one, else by walking it."""

from __future__ import annotations

import os
from functools import cache

from bigtask.process import cgroup, proc


def of_group(path: str) -> tuple[float, frozenset[int]] | None:
    """Seconds of processor time, of all that ever ran in the group, and who is in it; None where that can't
    be read."""
    try:
        with open(f"{path}/cpu.stat") as file:
            told = dict(line.split() for line in file)
        return int(told["usage_usec"]) / 1e6, frozenset(cgroup.members(path))
    except (OSError, KeyError, ValueError):
        return None


def of_tree(root: int) -> tuple[float, frozenset[int]] | None:
    """Of a process and its descendants: the processor time in seconds, that of descendants which have ended
    and were waited for included, and the ids of those that live. None where the system tells nothing of
    processes.
    """
    found = {pid: seen for pid in proc.pids() if (seen := proc.seen(pid)) is not None}
    if not found:
        return None
    below: dict[int, list[int]] = {}
    for seen in found.values():
        below.setdefault(seen.parent, []).append(seen.pid)
    tree, left = set[int](), [root]
    while left:
        pid = left.pop()
        if pid in found and pid not in tree:
            tree.add(pid)
            left += below.get(pid, ())
    return sum(found[pid].ticks for pid in tree) / _ticks_a_second(), frozenset(tree)


@cache
def _ticks_a_second() -> int:
    return os.sysconf("SC_CLK_TCK")
