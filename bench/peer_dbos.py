"""DBOS on SQLite: each task a step, started by counted dependencies below a semaphore.

DBOS has no graph and no slots for steps, so its user supplies both.
"""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dbos import DBOS

from kit.command import given, tell
from kit.driving import drive
from kit.figures import Stopwatch, Window, figures
from kit.recording import Recording
from kit.scratch import scratch

OPTIONS = {"variant": ("steps/sqlite",)}


async def carry_out(recording: Recording, watch: Stopwatch) -> Window:
    workload = recording.workload
    slots = asyncio.Semaphore(workload.slots)

    @DBOS.step()
    async def one(id: str) -> str:
        recording.start(id)
        if workload.durations[id]:
            await asyncio.sleep(workload.durations[id])
        recording.end(id)
        return id

    async def in_a_slot(id: str) -> None:
        async with slots:
            await one(id)

    @DBOS.workflow()
    async def all_of_them() -> int:
        await drive(workload, in_a_slot)
        return len(workload.ids)

    DBOS.launch()
    watch.begin()
    await all_of_them()
    return watch.stop()


def measure(recording: Recording, variant: str, place: Path) -> dict[str, Any]:
    DBOS(
        config={
            "name": "benchmark",
            "system_database_url": f"sqlite:///{place / 'system.db'}",
            "log_level": "ERROR",
            "run_admin_server": False,
        }
    )
    try:
        window = asyncio.run(carry_out(recording, Stopwatch()))
    finally:
        DBOS.destroy()
    return figures(recording, window, system="dbos", variant=variant, version=version("dbos"))


def main() -> int:
    workload, options = given(__doc__, OPTIONS)
    with scratch() as place:
        return tell(measure(Recording(workload), options.variant, place))


if __name__ == "__main__":
    sys.exit(main())
