"""Starting tasks as their dependencies end, for systems that run tasks but know no graph."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from kit.workload import Workload


async def drive(workload: Workload, run: Callable[[str], Awaitable[object]]) -> None:
    """Calls `run` for each task once its dependencies are done; a slot is for `run` to wait for. The cost of
    an end is that of its dependents, so that nothing quadratic is charged to the system."""
    missing = {id: len(needed) for id, needed in workload.dependencies.items()}
    async with asyncio.TaskGroup() as group:

        async def one(id: str) -> None:
            await run(id)
            for other in workload.dependents[id]:
                missing[other] -= 1
                if not missing[other]:
                    group.create_task(one(other))

        for id in [id for id, count in missing.items() if not count]:
            group.create_task(one(id))
