"""The same through a whole run: an agent that hangs in a workspace full of whatever, and a person who cancels
the run, after a holder that was killed or without."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bigtask.agents.table import AgentTable
from bigtask.core.commands import Cancel, Start
from bigtask.core.events import WorkerProgress
from bigtask.host.access import hold
from bigtask.host.cleaning import carry_out
from bigtask.host.home import Home, RunFolder
from bigtask.host.log import read_closed
from bigtask.host.retention import Removal, What
from nursery import Nursery
from projects import ENV, Desk, Project
from promises.scale import SEED, seconds, share
from promises.totals import record

from . import states
from .holder import NAME
from .states import Tree

pytestmark = [pytest.mark.integration, pytest.mark.timeout(seconds(120))]

STATES = share(20)
_PATIENCE = 300
SCRIPT = {
    "can_resume": False,
    "tasks": [{"id": "one"}],
    "turns": [
        {"when": {"phase": "workerExecution"}, "steps": [{"do": "progress", "percent": 1}, {"do": "hang"}]}
    ],
}


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery(NAME, ENV) as found:
        yield found


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return states.base(tmp_path_factory.mktemp("base"))


async def at_work(folder: RunFolder, attempt: int) -> Path:
    """The workspace, once the agent in it has said something."""
    for _ in range(_PATIENCE):
        said = [event.data for event in read_closed(folder.log) if event.type == "worker:progress"]
        if any(data.attempt == attempt for data in said if isinstance(data, WorkerProgress)):
            return folder.path / f"workspaces/{folder.id}.one.{attempt}"
        await asyncio.sleep(0.05)
    raise AssertionError(
        f"attempt {attempt} doesn't begin: {[event.type for event in read_closed(folder.log)]}"
    )


def dirty(place: Path, rng: random.Random) -> set[bytes]:
    tree = Tree(place, rng)
    tree.leave(states.drawn(rng))
    record_of = Path((place / ".git").read_text().removeprefix("gitdir: ").strip())
    return states.contents(place, [record_of / "modules"])


@pytest.mark.parametrize("ending", ["cancel", "kill"])
async def test_what_an_agent_leaves_is_found_after_a_whole_run(
    root: Path, nursery: Nursery, tmp_path: Path, ending: str
) -> None:
    for number in range(STATES):
        rng = random.Random(f"{SEED} {number} whole {ending}")
        place = tmp_path / str(number)
        place.mkdir()
        person = states.person(root, place / "project", rng)
        desk = Desk(Home(place / "home"))
        desk.home.path.mkdir()
        off = {"enabled": False}
        desk.template(config={"maxRetries": 3}, phases={"analysis": off, "verification": off})
        project = Project(person.root)
        folder = await desk.create(project, agent=desk.script(SCRIPT), include_changes=False)
        before = states.files(person.root), states.said_of_index(person.root)
        must: set[bytes] = set()
        attempt = 1
        if ending == "kill":
            born = nursery.start([str(folder.path), "--after=1"], ENV)
            try:
                must |= dirty(await at_work(folder, 1), rng)
            finally:
                born.close()
            attempt = 2
        async with hold(folder, AgentTable(), who="a test") as link:
            await link.ask(Start(by="ada"))
            must |= dirty(await at_work(folder, attempt), rng)
            await link.ask(Cancel(by="ada"))
        if ending == "kill":
            removal = Removal(id=folder.id, what=What.WORKSPACES, used=0, why="a test")
            await carry_out(desk.home, AgentTable(), removal)
        async with hold(folder, AgentTable(), who="a test") as link:
            await link.holder.hands.places.workspaces.give_up()
        found = states.reachable(person.root) | states.contents(folder.trash)
        told = f"{number} {ending}: {person.done}"
        assert sorted(states.plain(must) - states.plain(found)) == [], told
        assert (states.files(person.root), states.said_of_index(person.root)) == before, told
        shutil.rmtree(place)
    record(12, name=f"whole runs, {ending}", unit="states", count=STATES, violations=0)
