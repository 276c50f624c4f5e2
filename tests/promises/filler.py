"""Carries runs out on a small file system of its own and fills it again and again.

`filler.py PLACE POINTS SEED`: the file system is mounted at PLACE. Half of the points fall into a run whose
plan is being edited, half into one whose workers are at work. Prints `{"points", "waited", "refused",
"slowest_s", "complaints"}`: `waited` counts the commands that the full disk kept waiting, `refused` the
holders that couldn't begin on it and said so.

With `--mutant` the holder takes a full disk for a success.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from bigtask.agents.table import AgentTable
from bigtask.core.commands import AnyCommand, EditPlan, SkipTask, Start
from bigtask.core.edits import SetTask
from bigtask.core.events import Event
from bigtask.errors import HolderGone, StoreFull
from bigtask.host.access import hold, read
from bigtask.host.holder import Holder
from bigtask.host.home import Home, RunFolder
from bigtask.host.link import LocalLink
from bigtask.host.log import read_closed
from bigtask.host.socket import SocketLink
from host.stage import ANSWERS, until, until_waiting
from projects import Desk, repository

_PATIENCE_S = 10.0
"""How long after there is space again everything may stand still."""
_LOOK_S = 0.01
_POINTS_A_HOLDER = 4
"""Its write-ahead file must not fill so small a disk by itself."""
_POINTS_A_RUN = 10
_TASKS = 50


class Ballast:
    """What fills the file system to its last byte."""

    def __init__(self, place: Path) -> None:
        self._file = place / "ballast"

    def fill(self) -> None:
        for size in (65_536, 4_096, 1):
            with suppress(OSError), self._file.open("ab", buffering=0) as file:
                while file.write(bytes(size)) == size:
                    pass

    def free(self) -> None:
        self._file.unlink(missing_ok=True)


class Filler:
    def __init__(self, folder: RunFolder, place: Path, rng: random.Random) -> None:
        self.complaints: list[str] = []
        self.points = self.waited = self.refused = 0
        self.slowest_s = 0.0
        self.acknowledged = 0
        self._ballast = Ballast(place)
        self._folder = folder
        self._rng = rng
        self._followed: dict[int, str] = {}

    async def work(self, points: int, commands: AsyncIterator[AnyCommand]) -> None:
        while self.points < points:
            await self._hold(min(points - self.points, _POINTS_A_HOLDER), commands)
        await self._check(await read(self._folder))

    async def _hold(self, points: int, commands: AsyncIterator[AnyCommand]) -> None:
        full_at_end = self._rng.random() < 0.3
        try:
            async with hold(self._folder, AgentTable(), who="the disk tests") as link:
                following = asyncio.create_task(self._follow())
                for _ in range(points):
                    await self._point(link, await anext(commands))
                if full_at_end:
                    self._ballast.fill()
        except StoreFull:
            if not full_at_end:
                raise
        await following
        if full_at_end:
            await self._begin_on_a_full_disk()
            self._ballast.free()
        await self._check(read_closed(self._folder.log))

    async def _begin_on_a_full_disk(self) -> None:
        """It can, or is told that the disk is full."""
        self._ballast.fill()
        try:
            async with hold(self._folder, AgentTable(), who="the disk tests", idle=True):
                pass
        except StoreFull:
            self.refused += 1

    async def _follow(self) -> None:
        after = max(self._followed, default=0)
        with suppress(HolderGone):
            async for event in SocketLink(self._folder.socket).follow(after):
                if event.seq != after + 1:
                    self.complaints.append(f"event {event.seq} was told after {after}")
                after = event.seq
                self._followed[after] = event.type

    async def _point(self, link: LocalLink, command: AnyCommand) -> None:
        await asyncio.sleep(self._rng.uniform(0, 0.2))
        self._ballast.fill()
        asked = asyncio.create_task(SocketLink(self._folder.socket).ask(command))
        # It is answered if it still finds room in what the log has of the disk already.
        while not asked.done() and link.holder.trouble is None:
            await asyncio.wait([asked], timeout=_LOOK_S)
        self.points += 1
        self.waited += not asked.done()
        if asked.done():
            self._acknowledge(asked.result(), "on the full disk")
        self._require_no_empty_file()
        self._ballast.free()
        freed = time.monotonic()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                self._acknowledge(await asked, "when there was space")
        except TimeoutError:
            self.complaints.append(f"no answer within {_PATIENCE_S:g} s of space")
        self.slowest_s = max(self.slowest_s, time.monotonic() - freed)

    def _acknowledge(self, seq: int, when: str) -> None:
        self.acknowledged = max(self.acknowledged, seq)
        with closing(sqlite3.connect(self._folder.log)) as connection:
            (last,) = connection.execute("SELECT max(seq) FROM events").fetchone()
        if last < seq:
            self.complaints.append(f"acknowledged {seq} {when}, readable {last}")

    def _require_no_empty_file(self) -> None:
        for file in self._folder.path.rglob("*"):
            if file.is_file() and not file.name.endswith(("-wal", "-shm")) and not file.stat().st_size:
                self.complaints.append(f"{file.name} is empty")

    async def _check(self, events: list[Event]) -> None:
        if [event.seq for event in events] != list(range(1, len(events) + 1)):
            self.complaints.append("the sequence has gaps")
        if len(events) < self.acknowledged:
            self.complaints.append(f"acknowledged {self.acknowledged}, kept {len(events)}")
        kept = {event.seq: event.type for event in events}
        lost = [seq for seq, name in self._followed.items() if kept.get(seq) != name]
        if lost:
            self.complaints.append(f"{len(lost)} events were told and aren't there")


async def new_run(place: Path, project: Path, name: str, **options: Any) -> RunFolder:
    desk = Desk(Home(place / name))
    desk.home.path.mkdir(parents=True)
    desk.template(config={"isolation": "none", "maxWorkers": 2, "maxRetries": 5})
    work = [{"do": "delay", "seconds": 1.2}, *ANSWERS["steps"]]
    turns = [{"when": {"phase": "workerExecution"}, "steps": work}]
    ids = [f"t{number:03}" for number in range(_TASKS)]
    agent = desk.script({"tasks": [{"id": id} for id in ids], "turns": turns})
    return await desk.create(repository(project / name), agent=agent, **options)


async def edits() -> AsyncIterator[AnyCommand]:
    revision = 0
    while True:
        revision += 1
        edit = SetTask(id="t000", fields={"title": f"edited {revision}"})
        yield EditPlan(revision=revision, edits=(edit,))


async def skips() -> AsyncIterator[AnyCommand]:
    for number in reversed(range(_TASKS)):
        yield SkipTask(task_id=f"t{number:03}", by="a person")


async def begin(folder: RunFolder, *, plan_waits: bool) -> None:
    """Up to where the plan waits for a person, or the first worker is at work."""
    async with hold(folder, AgentTable(), who="the disk tests") as link:
        await link.ask(Start())
        if plan_waits:
            await until_waiting(link)
        else:
            await until(link, lambda e: e.type == "worker:started" and e.data.task_id == "t000")


async def fill(place: Path, points: int, seed: int) -> dict[str, Any]:
    fillers: list[Filler] = []
    with tempfile.TemporaryDirectory(prefix="bigtask-") as elsewhere:
        while (done := sum(each.points for each in fillers)) < points:
            plan_waits = len(fillers) % 2 == 0
            name = f"run-{len(fillers)}"
            folder = await new_run(place, Path(elsewhere), name, yes=not plan_waits)
            await begin(folder, plan_waits=plan_waits)
            fillers.append(Filler(folder, place, random.Random(f"{seed} {name}")))
            commands = edits() if plan_waits else skips()
            await fillers[-1].work(min(points - done, _POINTS_A_RUN), commands)
            shutil.rmtree(place / name)
    return {
        "points": sum(each.points for each in fillers),
        "waited": sum(each.waited for each in fillers),
        "refused": sum(each.refused for each in fillers),
        "slowest_s": round(max(each.slowest_s for each in fillers), 3),
        "complaints": [complaint for each in fillers for complaint in each.complaints],
    }


def take_full_for_success() -> None:
    async def careless(self: Any, events: list[Event]) -> None:
        if events:
            with suppress(StoreFull):
                await self._log.append(events[0].seq - 1, events)
            self.feed.publish(events)

    Holder._append = careless  # type: ignore[method-assign]  # the mutant


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("place", type=Path)
    parser.add_argument("points", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("--mutant", action="store_true")
    given = parser.parse_args()
    if given.mutant:
        take_full_for_success()
    os.write(1, json.dumps(asyncio.run(fill(given.place, given.points, given.seed))).encode())


if __name__ == "__main__":
    main()
