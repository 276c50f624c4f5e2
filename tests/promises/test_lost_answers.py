"""Promise 10: a command whose answer got lost is read back, not repeated.

The connection to the holder is cut at every kind of place, or the holder is killed just before or after it
recorded the command. Whoever asked is answered all the same, and the command was carried out once.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bigtask.agents.table import AgentTable
from bigtask.core.commands import AnyCommand, EditPlan, Retry, Start
from bigtask.core.edits import SetTask
from bigtask.core.events import Event, PlanChanged, WorkerReopened
from bigtask.errors import BigtaskError
from bigtask.host.access import hold, read
from bigtask.host.faults import VARIABLE
from bigtask.host.home import RunFolder
from bigtask.host.link import LocalLink
from bigtask.host.socket import SocketLink
from host.stage import Agents, Stage, tasks, turn, until_end, until_waiting
from nursery import Born, Nursery
from projects import ENV

from .cutting import PLACES, Cutter
from .scale import SEED, seconds, share
from .totals import record

BUDGET_S = 60

pytestmark = [pytest.mark.integration, pytest.mark.timeout(seconds(BUDGET_S))]

CUTS = share(200)
KILLS = share(100)
FAILS = turn({"do": "end", "reason": "error", "detail": "the script says so"}, phase="workerExecution")


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Its sockets have short names: pytest's folders are too long for some."""
    with tempfile.TemporaryDirectory(prefix="bigtask-") as place:
        yield Stage(Path(place))


def change(number: int) -> EditPlan:
    edit = SetTask(id="one", fields={"title": f"changed {number}"})
    return EditPlan(revision=1 + number, edits=(edit,))


def done(events: list[Event], kind: type) -> int:
    return sum(isinstance(event.data, kind) for event in events)


class Asking:
    """Commands through a connection that is cut once for each of them."""

    def __init__(self, folder: RunFolder, cutter: Cutter, path: Path) -> None:
        self.complaints: list[str] = []
        self._folder = folder
        self._cutter = cutter
        self._link = SocketLink(path)

    async def ask(self, command: AnyCommand, place: str, kind: type) -> None:
        before = done(await read(self._folder), kind)
        self._cutter.place = place
        try:
            await self._link.ask(command)
        except BigtaskError as error:
            self.complaints.append(f"cut {place}: {error}")
        times = done(await read(self._folder), kind) - before
        if times != 1:
            self.complaints.append(f"cut {place}: carried out {times} times")


async def edits_cut(stage: Stage, cuts: int) -> list[str]:
    """Changes of a plan that waits to be confirmed."""
    agents = Agents({"tasks": tasks("one")})
    folder = await stage.create(agents, yes=False)
    cutter = Cutter(folder.socket, random.Random(SEED))
    path = stage.place / "cut"
    async with hold(folder, agents, who="a test") as link, cutter.listening(path):
        await link.ask(Start())
        await until_waiting(link)
        asking = Asking(folder, cutter, path)
        for number in range(cuts):
            await asking.ask(change(number), PLACES[number % len(PLACES)], PlanChanged)
    assert cutter.cuts == cuts
    return asking.complaints


async def retries_cut(stage: Stage, cuts: int) -> list[str]:
    """Retries of a task that fails each time: one that is asked again could well be done again."""
    agents = Agents({"tasks": tasks("one"), "turns": [FAILS]})
    folder = await stage.create(agents, max_retries=0)
    cutter = Cutter(folder.socket, random.Random(SEED))
    path = stage.place / "cut"

    async def failed(link: LocalLink) -> None:
        if link.holder.run.outcome is None:
            await until_end(link, after=link.holder.run.seq)

    async with hold(folder, agents, who="a test") as link, cutter.listening(path):
        await link.ask(Start())
        await until_end(link)
        cutter.again = lambda: failed(link)
        asking = Asking(folder, cutter, path)
        for number in range(cuts):
            await asking.ask(Retry(task_id="one"), PLACES[number % len(PLACES)], WorkerReopened)
            await failed(link)
    assert cutter.cuts == cuts
    return asking.complaints


async def test_a_command_whose_connection_is_cut_is_carried_out_once_and_answered(stage: Stage) -> None:
    complaints = await edits_cut(stage, CUTS // 2)
    complaints += await retries_cut(Stage(stage.place / "again"), CUTS - CUTS // 2)
    record(10, name="connection to the holder cut", unit="cuts", count=CUTS, violations=len(complaints))
    assert complaints == []


@pytest.mark.parametrize("asked", [edits_cut, retries_cut])
async def test_commands_without_a_name_are_repeated_or_denied(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, asked: object
) -> None:
    monkeypatch.setattr("bigtask.host.socket.named", lambda command: command)
    assert callable(asked)
    complaints = await asked(stage, len(PLACES))
    assert [complaint.partition(":")[0] for complaint in complaints] == [
        f"cut {place}" for place in PLACES[2:]
    ]


# The holder dies


class Holders:
    """Holders of one run, one after the other."""

    def __init__(self, folder: RunFolder, nursery: Nursery) -> None:
        self._folder = folder
        self._nursery = nursery

    async def begin(self, **env: str) -> Born:
        holder = self._nursery.start([str(self._folder.path)], {**ENV, **env})
        said = await asyncio.to_thread(os.read, holder.stdout, 65_536)
        assert b'"held"' in said, os.read(holder.stderr, 65_536).decode()
        return holder


async def holders_killed(stage: Stage, kills: int) -> list[str]:
    stage.desk.home.path.mkdir(parents=True, exist_ok=True)
    agents = AgentTable()
    folder = await stage.create(agents, agent=stage.desk.script({"tasks": tasks("one")}), yes=False)
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        await until_waiting(link)
    (folder.path / "gate").touch()
    complaints = []
    with Nursery("promises.taker", ENV) as nursery:
        holders = Holders(folder, nursery)
        for number in range(kills):
            when = ("before", "after")[number % 2]
            with closing(await holders.begin(**{VARIABLE: f"{when} orchestrator:planChanged 1"})) as first:
                asked = asyncio.create_task(SocketLink(folder.socket).ask(change(number)))
                died = asyncio.create_task(asyncio.to_thread(os.read, first.stdout, 1))
                await asyncio.wait({asked, died}, return_when=asyncio.FIRST_COMPLETED)
                if asked.done():
                    complaints.append(f"killed {when} the commit: its holder lives")
                    first.kill()
                await died
            with closing(await holders.begin()):
                try:
                    await asked
                except BigtaskError as error:
                    complaints.append(f"killed {when} the commit: {error}")
    times = done(await read(folder), PlanChanged)
    return complaints if times == kills else [*complaints, f"{times} changes of {kills}"]


async def test_a_command_whose_holder_dies_is_carried_out_once_and_answered_by_the_next(stage: Stage) -> None:
    complaints = await holders_killed(stage, KILLS)
    record(
        10,
        name="holder killed just before or after it recorded a command",
        unit="kills",
        count=KILLS,
        violations=len(complaints),
    )
    assert complaints == []


async def test_a_command_line_whose_holder_dies_asks_again_by_itself(stage: Stage) -> None:
    stage.desk.home.path.mkdir(parents=True, exist_ok=True)
    agent = stage.desk.script({"tasks": tasks("one")})
    folder = await stage.create(AgentTable(), agent=agent, yes=False)
    (folder.path / "gate").touch()
    program = Path(sys.executable).with_name("bigtask")
    env = {**ENV, "HOME": str(stage.place), "BIGTASK_HOME": str(stage.desk.home.path)}
    with Nursery("promises.taker", ENV) as nursery:
        holders = Holders(folder, nursery)
        with closing(await holders.begin(**{VARIABLE: "after orchestrator:cancelled 1"})):
            argv = [str(program), "cancel", folder.id]
            told = await asyncio.to_thread(subprocess.run, argv, env=env, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert [event.type for event in await read(folder)] == [
        "orchestrator:created",
        "orchestrator:commanded",
        "orchestrator:cancelled",
    ]


async def test_without_a_name_the_next_holder_denies_what_the_last_one_did(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bigtask.host.socket.named", lambda command: command)
    (complaint,) = await holders_killed(stage, 2)
    assert complaint.startswith("killed after the commit: ")
