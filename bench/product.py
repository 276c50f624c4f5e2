"""bigtask itself, whole: a run in a home on a disk, with its log synced before anything is told or started.

The window begins when the agent hands in the plan, so it holds reading and checking it, and ends when the
run's last event has reached a follower. `from_spawn_s` is the part of it from the first worker's start.
"""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bigtask.core.commands import Start
from bigtask.core.events import Completed, Event, WorkerSpawned
from bigtask.core.states import Outcome
from bigtask.core.values import RESERVED
from bigtask.host.access import hold
from kit.command import given, tell
from kit.figures import Stopwatch, figures
from kit.recording import Recording, now
from kit.scratch import scratch
from kit.workload import Workload
from no_op_agent import NoOpAgent
from no_op_run import followed, make


async def measure(workload: Workload, place: Path) -> dict[str, Any]:
    recording, watch = Recording(workload), Stopwatch()
    folder, agents = await make(place, workload, NoOpAgent(recording, watch.begin))
    events = 0
    spawned_at: float | None = None
    last: Event | None = None
    async with hold(folder, agents, who="the benchmark") as link:
        await link.ask(Start())
        async for last in followed(link):
            events += 1
            if spawned_at is None and isinstance(last.data, WorkerSpawned):
                spawned_at = now() if last.data.task_id not in RESERVED else None
        window = watch.stop()
    found = figures(
        recording,
        window,
        system="bigtask",
        variant="whole",
        version=version("bigtask"),
        from_spawn_s=None if spawned_at is None else round(window.ended - spawned_at, 5),
        events=events,
        log_mb=round(sum(file.stat().st_size for file in folder.path.glob("log.db*")) / 1e6, 2),
    )
    if last is None or not (isinstance(last.data, Completed) and last.data.outcome is Outcome.COMPLETE):
        found["errors"].append(f"the run ended with {last.type if last else 'nothing'}")
    return found


def main() -> int:
    workload, _ = given(__doc__, {})
    with scratch() as place:
        return tell(asyncio.run(measure(workload, place)))


if __name__ == "__main__":
    sys.exit(main())
