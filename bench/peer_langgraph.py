"""LangGraph, each task a coroutine.

func: an @entrypoint whose @task futures are started by counted dependencies, which LangGraph leaves to its
user; send: a scheduling node that sends waves of tasks, each wave as wide as what is ready.
sqlite and memory are its own checkpointers, as they come.
"""

from __future__ import annotations

import asyncio
import operator
import sys
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from kit.command import given, tell
from kit.driving import drive
from kit.figures import Stopwatch, figures
from kit.recording import Recording
from kit.scratch import scratch

OPTIONS = {"variant": ("func/sqlite", "func/memory", "send/sqlite", "send/memory")}


class Done(TypedDict):
    done: Annotated[list[str], operator.add]


async def work(recording: Recording, id: str) -> None:
    recording.start(id)
    if recording.workload.durations[id]:
        await asyncio.sleep(recording.workload.durations[id])
    recording.end(id)


def by_functions(recording: Recording, saver: Any) -> Any:
    @task
    async def one(id: str) -> str:
        await work(recording, id)
        return id

    @entrypoint(checkpointer=saver)
    async def all_of_them(_: Any) -> int:
        await drive(recording.workload, one)
        return len(recording.workload.ids)

    return all_of_them


def by_sending(recording: Recording, saver: Any) -> Any:
    workload = recording.workload
    missing = {id: len(needed) for id, needed in workload.dependencies.items()}
    seen = 0

    async def one(id: str) -> Done:
        await work(recording, id)
        return {"done": [id]}

    async def schedule(_: Done) -> Done:
        return {"done": []}

    def ready(state: Done) -> list[Send] | str:
        nonlocal seen
        news, seen = state["done"][seen:], len(state["done"])
        found = [] if news else [id for id, count in missing.items() if not count]
        for id in news:
            for other in workload.dependents[id]:
                missing[other] -= 1
                if not missing[other]:
                    found.append(other)
        return [Send("one", id) for id in found] or END

    graph = StateGraph(Done)
    graph.add_node("one", one)
    graph.add_node("schedule", schedule)
    graph.add_edge(START, "schedule")
    graph.add_conditional_edges("schedule", ready, ["one", END])
    graph.add_edge("one", "schedule")
    return graph.compile(checkpointer=saver)


async def measure(recording: Recording, variant: str, place: Path) -> dict[str, Any]:
    way, _, store = variant.partition("/")
    watch, workload = Stopwatch(), recording.workload
    async with AsyncExitStack() as stack:
        saver: Any = InMemorySaver()
        if store == "sqlite":
            saver = await stack.enter_async_context(
                AsyncSqliteSaver.from_conn_string(str(place / "saved.db"))
            )
        made = by_functions(recording, saver) if way == "func" else by_sending(recording, saver)
        config = {
            "recursion_limit": 100_000,
            # The entrypoint itself takes one.
            "max_concurrency": workload.slots + (way == "func"),
            "configurable": {"thread_id": "one"},
        }
        watch.begin()
        await made.ainvoke({"done": []}, config)
        window = watch.stop()
    return figures(recording, window, system="langgraph", variant=variant, version=version("langgraph"))


def main() -> int:
    workload, options = given(__doc__, OPTIONS)
    with scratch() as place:
        return tell(asyncio.run(measure(Recording(workload), options.variant, place)))


if __name__ == "__main__":
    sys.exit(main())
