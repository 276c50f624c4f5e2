"""Carries a run out while somebody sets the clock: prints a JSON object for each event, and at the end
`{"clock": seconds}`, how far the wall clock went meanwhile as this process saw it.

With `--python` the clock is set in Python alone, for systems without a compiler. `--mutant` makes deadlines
or event times follow a clock that they shouldn't.
"""

from __future__ import annotations

import argparse
import asyncio
import mmap
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bigtask.agents.table import AgentTable
from bigtask.core.commands import Start
from bigtask.host import holder as holders
from bigtask.host.access import hold
from bigtask.host.home import RunFolder

VARIABLE = "CLOCK_FILE"
ENDS = ("orchestrator:completed", "orchestrator:error", "orchestrator:cancelled")


def say(value: object) -> None:
    os.write(1, msgspec.json.encode(value) + b"\n")


def set_clock_in_python(path: str) -> None:
    """What `clock.c` does, for what asks Python's `time`."""
    with open(path, "rb") as file:
        offsets = mmap.mmap(file.fileno(), 16, access=mmap.ACCESS_READ)
    wall_ns, of_clock_ns = time.time_ns, time.clock_gettime_ns
    boot = getattr(time, "CLOCK_BOOTTIME", None)

    def clock_ns(clock: int) -> int:
        return of_clock_ns(clock) + (struct.unpack_from("qq", offsets)[1] if clock == boot else 0)

    time.time_ns = lambda: wall_ns() + struct.unpack_from("qq", offsets)[0]
    time.time = lambda: time.time_ns() / 1e9
    time.clock_gettime_ns = clock_ns
    time.clock_gettime = lambda clock: clock_ns(clock) / 1e9


async def carry_out(folder: RunFolder) -> None:
    began = time.time()
    async with hold(folder, AgentTable(), who="the clock tests") as link:
        await link.ask(Start())
        async for event in link.follow():
            say({"seq": event.seq, "at": event.at, "type": event.type, "data": event.data})
            if event.type in ENDS:
                break
    say({"clock": time.time() - began})


def by(clock: Callable[[], float]) -> Callable[[], asyncio.AbstractEventLoop]:
    class Loop(asyncio.SelectorEventLoop):
        def time(self) -> float:
            return clock()

    return Loop


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", action="store_true")
    parser.add_argument("--mutant", choices=["wall-deadlines", "sleepless-deadlines", "wall-times"])
    given = parser.parse_args()
    if given.python:
        set_clock_in_python(os.environ[VARIABLE])
    loop = None
    match given.mutant:
        case "wall-deadlines":
            loop = by(lambda: time.time())
        case "sleepless-deadlines":
            loop = by(lambda: time.clock_gettime(time.CLOCK_BOOTTIME))
        case "wall-times":
            holders.steady_clock = lambda: lambda: time.time_ns() // 1_000_000
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(carry_out(RunFolder(given.folder)))


if __name__ == "__main__":
    main()
