"""The least that asyncio needs: one asyncio task for each of the workload's, counted dependencies and slots.

--order fifo takes tasks as they become ready, cp the one with the longest remaining path first.
--store none keeps nothing; group writes every change of one turn of the loop into SQLite (WAL,
synchronous=FULL) in one transaction, committed before the tasks that follow from them start.
"""

from __future__ import annotations

import asyncio
import heapq
import platform
import sqlite3
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from kit.bounds import Rank, ranks
from kit.command import given, tell
from kit.figures import Stopwatch, figures
from kit.recording import Recording, now
from kit.scratch import scratch
from kit.workload import Workload

OPTIONS = {"order": ("fifo", "cp"), "store": ("none", "group")}

Change = tuple[str, str, float]
"""A task's id, what happened to it, when."""


class Ready(Protocol):
    def push(self, id: str) -> None: ...

    def pop(self) -> str: ...

    def __len__(self) -> int: ...


class FirstCome:
    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self.push = self._waiting.append
        self.pop = self._waiting.popleft

    def __len__(self) -> int:
        return len(self._waiting)


class LongestPathFirst:
    def __init__(self, workload: Workload) -> None:
        self._ranks = ranks(workload)
        self._waiting: list[tuple[Rank, str]] = []

    def push(self, id: str) -> None:
        heapq.heappush(self._waiting, (self._ranks[id], id))

    def pop(self) -> str:
        return heapq.heappop(self._waiting)[1]

    def __len__(self) -> int:
        return len(self._waiting)


class Store:
    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("CREATE TABLE seen(seq INTEGER PRIMARY KEY, task TEXT, what TEXT, at REAL)")

    def append(self, changes: Sequence[Change]) -> None:
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT INTO seen(task, what, at) VALUES(?, ?, ?)", changes)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


async def carry_out(recording: Recording, ready: Ready, store: Store | None) -> None:
    workload, loop = recording.workload, asyncio.get_running_loop()
    missing = {id: len(needed) for id, needed in workload.dependencies.items()}
    free, left = workload.slots, len(workload.ids)
    ended: list[str] = []
    done = loop.create_future()
    at_work: set[asyncio.Task[None]] = set()

    async def work(id: str) -> None:
        recording.start(id)
        duration_s = workload.durations[id]
        if duration_s:
            await asyncio.sleep(duration_s)
        recording.end(id)
        # Everything that ends in this turn of the loop is settled together, at its end.
        if not ended:
            loop.call_soon(settle)
        ended.append(id)

    def settle() -> None:
        nonlocal free, left
        free += len(ended)
        left -= len(ended)
        for id in ended:
            for other in workload.dependents[id]:
                missing[other] -= 1
                if not missing[other]:
                    ready.push(other)
        starting = [ready.pop() for _ in range(min(free, len(ready)))]
        free -= len(starting)
        if store is not None:
            at = now()
            changes = [(id, "end", recording.ends[id]) for id in ended]
            store.append([*changes, *((id, "start", at) for id in starting)])
        ended.clear()
        for id in starting:
            task = loop.create_task(work(id))
            at_work.add(task)
            task.add_done_callback(at_work.discard)
        if not left:
            done.set_result(None)

    for id, count in missing.items():
        if not count:
            ready.push(id)
    settle()
    await done


async def measure(workload: Workload, place: Path, *, order: str, stored: str) -> dict[str, Any]:
    recording, watch = Recording(workload), Stopwatch()
    ready = LongestPathFirst(workload) if order == "cp" else FirstCome()
    store = Store(place / "changes.db") if stored == "group" else None
    watch.begin()
    await carry_out(recording, ready, store)
    window = watch.stop()
    if store is not None:
        store.close()
    return figures(
        recording, window, system="asyncio", variant=f"{order}/{stored}", version=platform.python_version()
    )


def main() -> int:
    workload, options = given(__doc__, OPTIONS)
    with scratch() as place:
        return tell(asyncio.run(measure(workload, place, order=options.order, stored=options.store)))


if __name__ == "__main__":
    sys.exit(main())
