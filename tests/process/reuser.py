"""Has process numbers given away again, as the first process of a PID namespace of its own.

arguments: WAY COUNT [--mutant]. Prints `{"forced", "wrong"}`: how often a stranger got the number of one
of ours, and how many of these strangers were signalled or taken for ours.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from bigtask.process import Containment, Identity, is_running, minimal_env, proc, reconcile, running, sweep
from bigtask.process.child import Child
from bigtask.process.identity import new_tag

_LAST = Path("/proc/sys/kernel/ns_last_pid")
_GROUPS_ONLY = Containment(keeper=False, subreaper=False, cgroup=None, marks=True)


def ours(tag: str) -> int:
    """The number of a new process that carries the mark."""
    pid = os.posix_spawn("/bin/sleep", ["sleep", "600"], {proc.TAG: tag})
    while proc.tag(pid) != tag:
        os.sched_yield()
    return pid


def ended(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


class Stranger:
    """A process with a given number, which leads a group of its own."""

    def __init__(self, pid: int) -> None:
        _LAST.write_text(str(pid - 1))
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            while True:
                signal.pause()
        assert self.pid == pid, f"asked for {pid}, got {self.pid}"
        while os.getpgid(pid) != pid:
            os.sched_yield()

    def unharmed(self) -> bool:
        """Neither stopped nor ended; it ends now."""
        found = proc.seen(self.pid)
        assert found is not None, "nobody else waits for it"
        ended(self.pid)
        return found.state in "RSD"


async def kept(believed: dict[int, str]) -> bool:
    """The number in a kept record is somebody else's by now, who began in the same tick."""
    tag = new_tag()
    pid = ours(tag)
    ended(pid)
    stranger = Stranger(pid)
    seen = proc.seen(pid)
    assert seen is not None
    believed[pid] = tag
    identity = Identity(boot_id=proc.boot_id(), pid=pid, started=seen.started, tag=tag)
    taken_for_ours = is_running(identity) or pid in (await reconcile([identity])).ended
    return stranger.unharmed() and not taken_for_ours


async def between(believed: dict[int, str]) -> bool:
    """We have seen ours, and before we hold it its number is given to somebody else."""
    tag = new_tag()
    pid = ours(tag)
    strangers: list[Stranger] = []
    opened = sweep._opened

    def too_late(number: int) -> int | None:
        if number == pid and not strangers:
            ended(pid)
            strangers.append(Stranger(pid))
            believed[pid] = tag
        return opened(number)

    sweep._opened = too_late
    try:
        sweep.end(lambda mark: mark == tag, within_s=1)
    finally:
        sweep._opened = opened
    return strangers[0].unharmed()


async def after(believed: dict[int, str]) -> bool:
    """A program without a keeper has ended, and the number of its group is somebody else's."""
    async with running(["true"], cwd=Path("/"), env=minimal_env(), containment=_GROUPS_ONLY) as process:
        await process.wait()
        stranger = Stranger(process.pid)
    return stranger.unharmed()


WAYS: dict[str, Callable[[dict[int, str]], Awaitable[bool]]] = {
    "kept": kept,
    "between": between,
    "after": after,
}


async def main(way: str, count: int, *mutant: str) -> None:
    believed: dict[int, str] = {}
    if mutant:
        # A number is taken for a name: whoever has it now is whom it once meant.
        tag = proc.tag
        proc.tag = lambda pid: believed.get(pid, "") or tag(pid)
        Child._note_group = lambda self: None  # type: ignore[method-assign]  # the mutant
    fine = [await WAYS[way](believed) for _ in range(count)]
    sys.stdout.write(json.dumps({"forced": len(fine), "wrong": fine.count(False)}) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
