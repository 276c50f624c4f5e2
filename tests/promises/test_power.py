"""Promise 2: what was acknowledged survives a power cut.

The writes and syncs of a real log are recorded by strace. From the record every state in which a power cut
could have left the disk can be made, and opened.
"""

from __future__ import annotations

import random
import shutil
import sys
from pathlib import Path

import pytest

from bigtask.agents.table import AgentTable
from bigtask.core.commands import Start
from bigtask.errors import StoreError
from bigtask.host.access import hold
from bigtask.host.home import Home, RunFolder
from bigtask.host.log import read_closed
from host.stage import ANSWERS, until_waiting
from projects import ENV, Desk, repository

from . import durable
from .disk import WAYS, Disk
from .scale import SEED, seconds, share
from .totals import record
from .tracing import STRACE, WHY_NOT, Sent, Step, SyncBegun, Synced, Written, trace

BUDGET_S = 30

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(seconds(BUDGET_S)),
    pytest.mark.skipif(STRACE is None, reason=WHY_NOT),
]

ACKNOWLEDGEMENTS = share(200)
CUTS = 500
APPENDS = 250
PROGRAM = Path(durable.__file__)
TRACED = {**ENV, "PYTHONPATH": str(PROGRAM.parent.parent)}


def watched(place: Path, verb: str, path: Path, count: int, mutant: str | None = None) -> list[Step]:
    argv = [sys.executable, "-P", "-m", "promises.durable", verb, str(path), str(count)]
    return trace([*argv, *([f"--mutant={mutant}"] if mutant else [])], TRACED, place / "record")


# The order of syncs and acknowledgements


async def waiting_run(place: Path) -> RunFolder:
    """A run whose plan waits to be confirmed: nothing happens in it but what is asked."""
    desk = Desk(Home(place / "home"))
    desk.home.path.mkdir(parents=True)
    desk.template(config={"isolation": "none"})
    agent = desk.script({"tasks": [{"id": "one"}], "turns": [ANSWERS]})
    folder = await desk.create(repository(place / "project"), agent=agent, yes=False)
    async with hold(folder, AgentTable(), who="a test") as link:
        await link.ask(Start())
        await until_waiting(link)
    return folder


def told_too_early(steps: list[Step], count: int) -> list[str]:
    """The acknowledgements and events that were sent before a sync that covers them had ended."""
    marks = [durable.mark(number).encode() for number in range(count)]
    written: set[bytes] = set()
    covered: set[bytes] = set()
    synced: set[bytes] = set()
    answers = 0
    early = []
    followed: set[bytes] = set()
    for step in steps:
        match step:
            case Written(path=path, data=data) if path.endswith("log.db-wal"):
                written |= {mark for mark in marks if mark in data}
            case SyncBegun(path=path) if path.endswith("log.db-wal"):
                covered = set(written)
            case Synced(path=path) if path.endswith("log.db-wal"):
                synced |= covered
            case Sent(data=data) if data.startswith(b'{"ok"'):
                if marks[answers] not in synced:
                    early.append(f"the answer to change {answers}")
                answers += 1
            case Sent(data=data) if data.startswith(b'{"seq"'):
                shown = {mark for mark in marks if mark in data}
                followed |= shown
                early += [f"the event of {mark.decode()}" for mark in shown - synced]
    assert answers == count
    assert len(followed) == count
    return early


async def test_every_acknowledgement_comes_after_the_sync_of_what_it_acknowledges(tmp_path: Path) -> None:
    folder = await waiting_run(tmp_path)
    steps = watched(tmp_path, "answer", folder.path, ACKNOWLEDGEMENTS)
    early = told_too_early(steps, ACKNOWLEDGEMENTS)
    record(
        2,
        name="sync of the log before the answer and before followers were told",
        unit="acknowledgements",
        count=ACKNOWLEDGEMENTS,
        violations=len(early),
    )
    assert early == []


@pytest.mark.parametrize("mutant", ["off", "normal", "early"])
async def test_a_holder_that_syncs_less_or_answers_first_is_noticed(tmp_path: Path, mutant: str) -> None:
    folder = await waiting_run(tmp_path)
    assert told_too_early(watched(tmp_path, "answer", folder.path, 10, mutant), 10)


# Power cuts


def after_power_cuts(steps: list[Step], place: Path, cuts: int, seed: int) -> list[str]:
    """What is wrong with the logs that so many power cuts left."""
    rng = random.Random(seed)
    path = str(place / "log.db")
    names = [path, f"{path}-wal"]
    look = Disk(names)
    changes = [number for number, step in enumerate(steps) if look.take(step)]
    first = next(n for n, step in enumerate(steps) if isinstance(step, Sent) and step.data[:4] == b"ack ")
    chosen = sorted(rng.choices([number for number in changes if number > first], k=cuts))
    assert {steps[number].path for number in chosen} == set(names), "some fall into a checkpoint"
    disk, acknowledged, done = Disk(names), 0, 0
    complaints = []
    for number, step in enumerate(steps):
        disk.take(step)
        if isinstance(step, Sent) and step.data.startswith(b"ack "):
            acknowledged = int(step.data.split()[1])
        while done < cuts and chosen[done] == number:
            way = WAYS[done % len(WAYS)]
            left = place / "left"
            left.mkdir()
            disk.cut(rng, way, left)
            wrong = _wrong_with(left / "log.db", acknowledged)
            if wrong:
                complaints.append(f"cut {done} ({way}) after step {number}: {wrong}")
            shutil.rmtree(left)
            done += 1
    assert done == cuts
    return complaints


def _wrong_with(log: Path, acknowledged: int) -> str:
    try:
        events = read_closed(log)
    except StoreError as error:
        return f"can't be opened: {error}"
    if [event.seq for event in events] != list(range(1, len(events) + 1)):
        return "the sequence has gaps"
    for event in events:
        if event != durable.content(event.seq):
            return f"event {event.seq} is kept as another"
    return f"{acknowledged} acknowledged, {len(events)} kept" if len(events) < acknowledged else ""


def test_after_a_power_cut_the_log_is_a_beginning_with_everything_acknowledged_in_it(tmp_path: Path) -> None:
    steps = watched(tmp_path, "append", tmp_path / "log.db", APPENDS)
    complaints = after_power_cuts(steps, tmp_path, CUTS, SEED)
    record(
        2,
        name="power cut while the log or its write-ahead file was being written",
        unit="cuts",
        count=CUTS,
        violations=len(complaints),
    )
    assert complaints == []


@pytest.mark.parametrize("mutant", ["off", "normal", "early"])
def test_a_log_that_syncs_less_or_acknowledges_first_loses_something(tmp_path: Path, mutant: str) -> None:
    steps = watched(tmp_path, "append", tmp_path / "log.db", APPENDS, mutant)
    assert after_power_cuts(steps, tmp_path, 40, SEED)


def test_a_write_ahead_file_that_ends_anywhere_opens_as_a_beginning(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    watched(tmp_path, "append", tmp_path / "log.db", 12)
    whole = (tmp_path / "log.db-wal").read_bytes()
    assert len(read_closed_copy(tmp_path, whole)) > 12
    found = []
    for _ in range(share(100)):
        cut = rng.randrange(len(whole))
        found.append((cut, len(read_closed_copy(tmp_path, whole[:cut]))))
    found.sort()
    assert [kept for _, kept in found] == sorted(kept for _, kept in found)
    record(2, name="write-ahead file cut at a random byte", unit="cuts", count=len(found), violations=0)


def read_closed_copy(place: Path, ahead: bytes) -> list[int]:
    copy = place / "copy"
    copy.mkdir()
    try:
        shutil.copy(place / "log.db", copy / "log.db")
        (copy / "log.db-wal").write_bytes(ahead)
        events = read_closed(copy / "log.db")
        assert events == [durable.content(seq) for seq in range(1, len(events) + 1)]
        return [event.seq for event in events]
    finally:
        shutil.rmtree(copy)
