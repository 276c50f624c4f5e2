"""Takes a run up and says when its first command was answered: `python next_holder.py WORKLOAD RUN_FOLDER`.

Prints `{"ready_at", "hold_s", "completed", "seq"}`: the first on the machine's monotonic clock, the second
without what the process needed before it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from bigtask.agents.table import AgentTable
from bigtask.core.commands import Start
from bigtask.core.states import TaskState
from bigtask.host.access import hold
from bigtask.host.home import RunFolder
from kit.recording import Recording, now
from kit.workload import Workload, load
from no_op_agent import NAME, NoOpAgent


async def take_up(workload: Workload, folder: RunFolder) -> None:
    agents = AgentTable({NAME: NoOpAgent(Recording(workload))})
    began = now()
    async with hold(folder, agents, who="the benchmark") as link:
        seq = await link.ask(Start())
        ready_at = now()
        completed = link.holder.run.counts[TaskState.COMPLETED]
    said = {"ready_at": ready_at, "hold_s": ready_at - began, "completed": completed, "seq": seq}
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    asyncio.run(take_up(load(Path(sys.argv[1])), RunFolder(Path(sys.argv[2]))))
