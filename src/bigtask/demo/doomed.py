"""The process that carries a run of the demonstration out until it is killed: `python -m bigtask.demo.doomed
HOME RUN`. What is seen afterwards is what a crash leaves."""

from __future__ import annotations

import asyncio
import sys

from bigtask.demo.scenes import cast
from bigtask.demo.staging import python_of_checks
from bigtask.module import OrchestratorModule


async def carry_out(home: str, run_id: str) -> None:
    """Until it is ended."""
    agents = cast(python_of_checks())
    async with OrchestratorModule(home=home, agents=agents, who="a process that is to be killed") as module:
        await module.orchestrators.start(run_id)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(carry_out(*sys.argv[1:]))
