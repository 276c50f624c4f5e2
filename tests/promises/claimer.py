"""One of many that would carry out the same run at once, as if its lock had failed.

Each has a log of its own on the same file, folds it, claims the next task as a holder would, and reports it.
Now and then it takes a task away from another, as a new holder does, and the other reports all the same.
Prints a JSON object at its end.

It begins when the file `gate` beside the log isn't locked any more.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import random
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.decide import decide
from bigtask.core.evolve import evolve, fold
from bigtask.core.reactions import observe
from bigtask.core.run import Run
from bigtask.core.states import TaskState
from bigtask.core.values import Report
from bigtask.errors import SequenceTaken
from bigtask.host.log import SqliteLog

_NOW = 2**41
_TAKES_AWAY = 0.1
_AT_WORK = 2
"""How many tasks it has at once: with the others' less than the run has slots."""


class Careless:
    """The mutant: what it appends follows whatever is there."""

    def __init__(self, path: Path) -> None:
        self._log = SqliteLog(path)
        self._connection = sqlite3.connect(path, timeout=30, isolation_level=None)

    async def append(self, expected_seq: int, events: Sequence[e.Event]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        last = self._connection.execute("SELECT max(seq) FROM events").fetchone()[0]
        rows = [(last + n, ev.at, ev.type, e.encode(ev.data)) for n, ev in enumerate(events, 1)]
        self._connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", rows)
        self._connection.execute("COMMIT")

    async def read(self, after: int = 0) -> list[e.Event]:
        return await self._log.read(after)

    async def close(self) -> None:
        self._connection.close()
        await self._log.close()


class Claimer:
    def __init__(self, run: Run, log: SqliteLog | Careless, name: str) -> None:
        self.said = {"claimed": 0, "reported": 0, "taken": 0, "late": 0, "too_late": 0}
        self._run = run
        self._log = log
        self._name = name
        self._rng = random.Random(name)
        self._mine: list[tuple[str, int]] = []

    async def work(self) -> None:
        run = self._run
        while run.counts[TaskState.COMPLETED] < len(run.tasks):
            what, happened = self._next()
            if not happened:
                await self._look()
                continue
            events = [e.Event(run.seq + place, _NOW, data) for place, data in enumerate(happened, 1)]
            try:
                await self._log.append(run.seq, events)
            except SequenceTaken:
                self.said["too_late"] += 1
                await self._look()
                continue
            for event in events:
                evolve(run, event)
            self.said[what] += 1
            if what == "claimed":
                spawned = happened[0]
                assert isinstance(spawned, e.WorkerSpawned)
                self._mine.append((spawned.task_id, spawned.attempt))
            elif what != "taken":
                self._mine.pop(0)
            # The others' turn: alone, one would go through them all.
            os.sched_yield()

    def _next(self) -> tuple[str, Sequence[e.Happened]]:
        """What it would do, as far as it knows the run."""
        run = self._run
        if self._rng.random() < _TAKES_AWAY:
            others = [(id, n) for id, n in run.live.items() if (id, n) not in self._mine]
            if others:
                id, number = self._rng.choice(others)
                return "taken", (e.WorkerLost(task_id=id, attempt=number, reason="taken over"),)
        if len(self._mine) < _AT_WORK and run.counts[TaskState.READY]:
            events = decide(run, _NOW)
            if len(events) == 1 and isinstance(events[0], e.WorkerSpawned):
                return "claimed", events
        return self._report(*self._mine[0]) if self._mine else ("", ())

    def _report(self, id: str, number: int) -> tuple[str, Sequence[e.Happened]]:
        mine = self._run.is_live(id, number)
        data = {"status": "success", "summary": f"{id} by attempt {number} of {self._name}"}
        seen = o.Reported(task_id=id, attempt=number, report=Report(data=data))
        happened = observe(self._run, seen, jitter=0.0)
        if not happened:
            self.said["late"] += 1
            self._mine.pop(0)
        return ("reported" if mine else "late"), happened

    async def _look(self) -> None:
        for event in await self._log.read(self._run.seq):
            evolve(self._run, event)


async def claim(path: Path, name: str, *, careless: bool) -> dict[str, Any]:
    log = Careless(path) if careless else SqliteLog(path)
    try:
        claimer = Claimer(fold("run", await log.read()), log, name)
        await claimer.work()
    finally:
        await log.close()
    return claimer.said


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("log", type=Path)
    parser.add_argument("name")
    parser.add_argument("--careless", action="store_true")
    given = parser.parse_args(argv)
    gate = os.open(given.log.with_name("gate"), os.O_RDWR)
    fcntl.flock(gate, fcntl.LOCK_SH)
    said = asyncio.run(claim(given.log, given.name, careless=given.careless))
    os.write(1, json.dumps(said).encode() + b"\n")


if __name__ == "__main__":
    main()
