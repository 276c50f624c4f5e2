"""The one place that starts programs: argument lists only, each in a session of its own.

`run` is for a program that answers and ends, `running` for one that we talk with. Either way memory doesn't
grow with what the program prints, and nothing of its process group outlives the call. Where the program may
start whatever it likes its whole tree is contained (`capabilities` says how): no descendant outlives the call
either, and none outlives us when we are killed.

Everything we start carries a mark in its environment, so that what a killed bigtask left can be found and
ended (`reconcile`, given what `this_process` said of it).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bigtask.core.liveness import Activity
from bigtask.process import activity
from bigtask.process.child import Child, start
from bigtask.process.child import ProgramNotFound as ProgramNotFound
from bigtask.process.containment import Containment as Containment
from bigtask.process.containment import capabilities as capabilities
from bigtask.process.identity import Identity as Identity
from bigtask.process.identity import is_running as is_running
from bigtask.process.identity import new_tag, owner
from bigtask.process.identity import this_process as this_process
from bigtask.process.kept import start_kept
from bigtask.process.leftovers import Reconciled as Reconciled
from bigtask.process.leftovers import reconcile as reconcile
from bigtask.process.outputs import Ends, Lines
from bigtask.process.proc import TAG, plain_tag
from bigtask.process.warden import warden as warden

_INHERITED = frozenset({"PATH", "HOME", "LANG", "TERM", "TMPDIR", "USER", "LOGNAME", "SHELL", "TZ"})
_STDIN, _STDOUT, _STDERR = 0, 1, 2
_STDERR_TAIL = 16 * 1024
_GRACE_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a program ended: `status` is its exit status, or minus the signal that ended it.

    `truncated` says that one of the outputs was longer than the limit and lost its middle.
    """

    status: int
    stdout: bytes
    stderr: bytes
    truncated: bool
    timed_out: bool


def minimal_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The few variables that a child needs of ours, and `extra` over them.

    An allow list: keys, tokens and settings of whatever started us don't reach a child by accident.
    """
    kept = {name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith("LC_")}
    return {**kept, **(extra or {})}


async def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout_s: float,
    input: bytes | None = None,
    limit_bytes: int = 65536,
    contained: bool = False,
    containment: Containment | None = None,
) -> Finished:
    """Run a program to its end, keeping the first and the last half of `limit_bytes` of each output.

    Standard input is `input`, or at its end at once. A program that isn't done in time gets SIGTERM, then
    SIGKILL; so does one whose caller is cancelled. What it leaves running in its group ends with it; if it's
    `contained`, for some 20 ms more, so does everything that it has started, wherever that went.
    Raises `ProgramNotFound`.
    """
    outputs = {_STDOUT: Ends(limit_bytes), _STDERR: Ends(limit_bytes)}
    child = await _started(
        argv,
        cwd=cwd,
        env=env,
        outputs=outputs,
        contained=contained,
        containment=containment,
        grace_s=_GRACE_S,
    )
    timed_out, grace_s = False, _GRACE_S
    try:
        child.feed(input or b"")
        child.close_input()
        try:
            async with asyncio.timeout(timeout_s):
                await child.drained.wait()
            # It has ended by itself: what it left behind is owed no grace.
            grace_s = 0.0
        except TimeoutError:
            timed_out = True
    finally:
        await child.end(grace_s)
    out, err = outputs[_STDOUT], outputs[_STDERR]
    return Finished(
        status=child.status,
        stdout=out.kept(),
        stderr=err.kept(),
        truncated=out.lost or err.lost,
        timed_out=timed_out,
    )


@asynccontextmanager
async def running(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    grace_s: float = 2.0,
    line_limit: int = 4 * 2**20,
    containment: Containment | None = None,
) -> AsyncIterator[Process]:
    """A program to talk with; leaving the block ends it and everything that it has started.

    `containment` is what `capabilities` says unless somebody wants less. Raises `ProgramNotFound`.
    """
    lines = Lines(line_limit)
    errors = Ends(2 * _STDERR_TAIL, head=0)
    child = await _started(
        argv,
        cwd=cwd,
        env=env,
        outputs={_STDOUT: lines, _STDERR: errors},
        contained=True,
        containment=containment,
        grace_s=grace_s,
    )
    process = Process(child, lines, errors, grace_s)
    try:
        yield process
    finally:
        await process.end()


async def _started(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    outputs: Mapping[int, Ends | Lines],
    contained: bool,
    containment: Containment | None,
    grace_s: float,
) -> Child:
    how = containment or capabilities()
    if contained and how.keeper:
        return await start_kept(
            argv, cwd=cwd, env=env, outputs=outputs, tag=new_tag(), containment=how, grace_s=grace_s
        )
    return await start(argv, cwd=cwd, env={**env, TAG: plain_tag(owner())}, outputs=outputs)


class Process:
    """A running program. One consumer reads its lines."""

    def __init__(self, child: Child, lines: Lines, errors: Ends, grace_s: float) -> None:
        self._child = child
        self._lines = lines
        self._errors = errors
        self._grace_s = grace_s

    @property
    def pid(self) -> int:
        """Also the id of its process group."""
        return self._child.pid

    @property
    def identity(self) -> Identity | None:
        """To be kept: `reconcile` ends what is left of it. None where it has no keeper."""
        return self._child.identity

    def activity(self) -> Activity:
        """What it and all that it has started have done by now."""
        group = self.identity.cgroup if self.identity else ""
        seen = (activity.of_group(group) if group else None) or activity.of_tree(self._child.root)
        cpu_s, pids = seen or (None, frozenset())
        return Activity(cpu_s=cpu_s, pids=pids, printed=self._child.printed)

    @property
    def cut_lines(self) -> int:
        """How many lines were longer than the limit and lost their end."""
        return self._lines.cut

    @property
    def stderr_tail(self) -> bytes:
        """The last 16 KiB of standard error."""
        return self._errors.kept()[-_STDERR_TAIL:]

    async def write(self, data: bytes) -> None:
        """Waits while the program doesn't read. Raises BrokenPipeError once it can't be read any more."""
        self._child.feed(data, strict=True)
        await self._child.writable.wait()

    def close_input(self) -> None:
        """End of file on its standard input, for programs that finish by themselves then."""
        self._child.close_input()

    async def lines(self) -> AsyncIterator[bytes]:
        """Its lines without their newline, until it closes its output or exits.

        What it printed before it exited is all there, also when a descendant keeps the pipe open; what that
        descendant prints afterwards isn't.
        """
        while (line := await self._lines.next()) is not None:
            yield line

    async def wait(self) -> int:
        """The exit status, or minus the signal that ended it."""
        await self._child.exited.wait()
        return self._child.status

    async def end(self) -> None:
        """End it and all that it started: end of file, SIGTERM, and SIGKILL after the grace.

        Harmless when repeated.
        """
        await self._child.end(self._grace_s)
