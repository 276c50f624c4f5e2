"""The process that carries a run of the demonstration out until it is killed: `python -m bigtask.demo.doomed
HOME RUN`. What is seen afterwards is what a crash leaves."""

from __future__ import annotations

import asyncio
import os
import sys

from bigtask.demo.scenes import cast
from bigtask.demo.staging import python_of_checks
from bigtask.module import OrchestratorModule

_LOOK_EVERY_S = 0.25


async def carry_out(home: str, run_id: str) -> None:
    """Starts the run and holds it until this process is killed, or has nobody left who would."""
    beginner = os.getppid()
    agents = cast(python_of_checks())
    async with OrchestratorModule(home=home, agents=agents, who="a process that is to be killed") as module:
        await module.orchestrators.start(run_id)
        while os.getppid() == beginner:  # noqa: ASYNC110 - no event tells of a parent's end
            await asyncio.sleep(_LOOK_EVERY_S)


if __name__ == "__main__":
    asyncio.run(carry_out(*sys.argv[1:]))
