"""Carries a workload out up to its half, and ends there: `python half_done.py WORKLOAD FOLDER killed|closed`.

killed: by SIGKILL, as a crash would; closed: as a person would, so that the holder may leave what it likes.
How many tasks a follower had been told of as completed goes to standard output just before.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from bigtask.core.commands import Start
from bigtask.core.events import WorkerCompleted
from bigtask.core.values import RESERVED
from bigtask.host.access import hold
from kit.recording import Recording
from kit.workload import Workload, load
from no_op_agent import NoOpAgent
from no_op_run import followed, make


async def carry_out(workload: Workload, place: Path, *, killed: bool) -> None:
    folder, agents = await make(place, workload, NoOpAgent(Recording(workload)))
    told, half = 0, len(workload.ids) // 2
    async with hold(folder, agents, who="the benchmark") as link:
        await link.ask(Start())
        async for event in followed(link):
            told += isinstance(event.data, WorkerCompleted) and event.data.task_id not in RESERVED
            if told == half:
                break
        sys.stdout.write(f"{told}\n")
        sys.stdout.flush()
        if killed:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(carry_out(load(Path(sys.argv[1])), Path(sys.argv[2]), killed=sys.argv[3] == "killed"))
