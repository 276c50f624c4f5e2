"""Microsoft's Agent Framework: a workflow with an executor for each task and an edge for each dependency.

It goes in supersteps and has no slots, so a semaphore in the executors supplies them. Nothing is durable.
`setup_s` is the time that building the workflow takes, which the window leaves out.
"""

# Without `from __future__ import annotations`: handlers are found by the types of their parameters.

import asyncio
import sys
from importlib.metadata import version
from typing import Any

from agent_framework import Executor, WorkflowBuilder, WorkflowContext, handler

from kit.command import given, tell
from kit.figures import Stopwatch, figures
from kit.recording import Recording, now

OPTIONS = {"variant": ("workflow/memory",)}


class Begin(Executor):
    @handler
    async def begin(self, message: str, context: WorkflowContext[str]) -> None:
        await context.send_message(message)


class One(Executor):
    def __init__(self, id: str, recording: Recording, slots: asyncio.Semaphore) -> None:
        super().__init__(id=id)
        self._recording = recording
        self._slots = slots

    @handler
    async def after_one(self, message: str, context: WorkflowContext[str]) -> None:
        await self._work(context)

    @handler
    async def after_several(self, messages: list[str], context: WorkflowContext[str]) -> None:
        await self._work(context)

    async def _work(self, context: WorkflowContext[str]) -> None:
        recording = self._recording
        async with self._slots:
            recording.start(self.id)
            if recording.workload.durations[self.id]:
                await asyncio.sleep(recording.workload.durations[self.id])
            recording.end(self.id)
        await context.send_message(self.id)


def workflow(recording: Recording) -> Any:
    workload = recording.workload
    begin, slots = Begin(id="begin-all"), asyncio.Semaphore(workload.slots)
    executors = {id: One(id, recording, slots) for id in workload.ids}
    builder = WorkflowBuilder(start_executor=begin, max_iterations=100_000)
    for id, needed in workload.dependencies.items():
        if len(needed) > 1:
            builder.add_fan_in_edges([executors[other] for other in needed], executors[id])
        else:
            builder.add_edge(executors[needed[0]] if needed else begin, executors[id])
    return builder.build()


async def measure(recording: Recording, variant: str) -> dict[str, Any]:
    watch, began = Stopwatch(), now()
    made = workflow(recording)
    setup_s = round(now() - began, 3)
    watch.begin()
    await made.run("begin")
    window = watch.stop()
    used = version("agent-framework-core")
    return figures(
        recording, window, system="agent-framework", variant=variant, version=used, setup_s=setup_s
    )


def main() -> int:
    workload, options = given(__doc__, OPTIONS)
    return tell(asyncio.run(measure(Recording(workload), options.variant)))


if __name__ == "__main__":
    sys.exit(main())
