"""Acknowledges things while somebody watches its system calls.

`durable.py append LOG COUNT` appends to a log and writes a line `ack SEQ` after each append. `durable.py
answer FOLDER COUNT` holds a run and changes its plan through the run's socket, with a follower beside it:
each change carries a mark, `mark-0001` and so on.

`--mutant` takes a defence out: `off` and `normal` sync less, `early` acknowledges before the commit.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bigtask.agents.table import AgentTable
from bigtask.core.commands import EditPlan
from bigtask.core.edits import SetTask
from bigtask.core.events import AnalysisComplete, Event
from bigtask.host import log as logs
from bigtask.host.access import hold
from bigtask.host.home import RunFolder
from bigtask.host.log import SqliteLog
from bigtask.host.socket import SocketLink
from crash.holder import acknowledge_before_commit

CHECKPOINT_PAGES = 40
"""So few that a short log is checkpointed often."""


def content(seq: int) -> Event:
    """The event that stands at that place, of a size that differs from place to place."""
    size = random.Random(seq).choice((0, 50, 300, 3_000, 9_000))
    return Event(seq, 0, AnalysisComplete(analysis={"seq": seq, "text": "x" * size}))


def acknowledge(when: str, events: Sequence[Event]) -> None:
    if when == "before":
        os.write(1, f"ack {events[-1].seq}\n".encode())


async def append(path: Path, count: int, *, early: bool) -> None:
    rng = random.Random(count)
    log = SqliteLog(path, watch=acknowledge if early else None)
    log._connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
    last = 0
    for _ in range(count):
        events = [content(last + place) for place in range(1, rng.randint(2, 4))]
        await log.append(last, events)
        last += len(events)
        if not early:
            os.write(1, f"ack {last}\n".encode())
    # No `close`: a power cut leaves no time for one either, and its checkpoint would hide the last appends.
    os._exit(0)


async def answer(folder: RunFolder, count: int) -> None:
    async with hold(folder, AgentTable(), who="the sync tests", idle=True) as link:
        run = link.holder.run
        assert run.plan is not None
        task = run.plan.tasks[0].id
        client = SocketLink(folder.socket)
        told = asyncio.create_task(follow(folder, run.seq, count))
        for number in range(count):
            edit = SetTask(id=task, fields={"title": mark(number)})
            await client.ask(EditPlan(revision=run.plan.revision, edits=(edit,)))
        await told


async def follow(folder: RunFolder, after: int, count: int) -> None:
    async for event in SocketLink(folder.socket).follow(after):
        if mark(count - 1) in str(event.data):
            return


def mark(number: int) -> str:
    return f"mark-{number:04}"


def sync_less(level: str) -> None:
    connect = logs.connect

    def careless(path: Path) -> Any:
        connection = connect(path)
        connection.execute(f"PRAGMA synchronous={level}")
        return connection

    logs.connect = careless


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["append", "answer"])
    parser.add_argument("path", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("--mutant", choices=["off", "normal", "early"])
    given = parser.parse_args(argv)
    match given.mutant:
        case "early":
            acknowledge_before_commit()
        case "off" | "normal":
            sync_less(given.mutant)
    if given.verb == "append":
        asyncio.run(append(given.path, given.count, early=given.mutant == "early"))
    else:
        asyncio.run(answer(RunFolder(given.path), given.count))


if __name__ == "__main__":
    main()
