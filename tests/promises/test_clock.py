"""Promise 7: sleep and clock jumps harm nothing.

A real holder carries a run out while its wall clock is set forward and back by days, and while the machine
"sleeps" for eight hours: the wall clock and the clock that counts sleep go on then, the steady one doesn't.
"""

from __future__ import annotations

import asyncio
import json
import mmap
import random
import shutil
import struct
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bigtask.host.home import Home, RunFolder
from projects import ENV, Desk, repository

from . import clocked
from .scale import SEED, seconds
from .totals import record

BUDGET_S = 30

pytestmark = [pytest.mark.integration, pytest.mark.timeout(seconds(BUDGET_S))]

JUMPS = 50
TASKS = 16
DAY_S = 86_400
SLEEP_S = 8 * 3_600
HERE = Path(__file__).parent
_STUCK_S = 8.0
COMPILER = shutil.which("cc") or shutil.which("gcc")
WAYS = [
    pytest.param(
        "system",
        marks=pytest.mark.skipif(
            COMPILER is None or not sys.platform.startswith("linux"),
            reason="the whole process has another clock only where a C compiler can make one, on Linux",
        ),
    ),
    "python",
]


class Clock:
    """Another process's clock, in a file that both have in memory."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(16))
        self._file = path.open("r+b")
        self._offsets = mmap.mmap(self._file.fileno(), 16)

    def jump(self, by_s: float) -> None:
        """Of the wall clock alone."""
        self._move(by_s, 0)

    def sleep(self, for_s: float) -> None:
        self._move(for_s, for_s)

    def _move(self, wall_s: float, boot_s: float) -> None:
        wall, boot = struct.unpack_from("qq", self._offsets)
        struct.pack_into("qq", self._offsets, 0, wall + int(wall_s * 1e9), boot + int(boot_s * 1e9))

    def close(self) -> None:
        self._offsets.close()
        self._file.close()


@contextmanager
def clock_in(place: Path) -> Iterator[Clock]:
    clock = Clock(place / "clock")
    try:
        yield clock
    finally:
        clock.close()


async def new_run(place: Path) -> RunFolder:
    desk = Desk(Home(place / "home"))
    desk.home.path.mkdir(parents=True)
    # A minute of active time: less than every jump.
    config = {"maxWorkers": 4, "isolation": "none", "workerTimeout": 60_000, "maxRetries": 2}
    desk.template(config=config)
    work = [
        {"do": "progress", "percent": 10, "action": "beginning"},
        {"do": "delay", "seconds": 0.05},
        {"do": "tool", "kind": "read", "name": "Read", "path": "a.txt"},
        {"do": "delay", "seconds": 0.05},
        {"do": "answer"},
    ]
    ids = [f"t{number:02}" for number in range(TASKS)]
    fail = {"do": "end", "reason": "error", "detail": "the script says so"}
    script = {
        "tasks": [{"id": id} for id in ids],
        "turns": [
            {"when": {"phase": "workerExecution"}, "steps": work},
            *({"when": {"task": id, "attempt": 1}, "steps": [fail]} for id in ids[1::8]),
        ],
    }
    return await desk.create(repository(place / "project"), agent=desk.script(script))


def carried_out(
    place: Path, folder: RunFolder, way: str, jumps: int, mutant: str | None = None
) -> tuple[list[dict[str, Any]], float]:
    """The events of the run while the clock is set so many times, and how long it took."""
    rng = random.Random(SEED)
    env = {**ENV, clocked.VARIABLE: str(place / "clock"), "PYTHONPATH": str(HERE.parent)}
    argv = [sys.executable, "-P", "-m", "promises.clocked", str(folder.path)]
    argv += [f"--mutant={mutant}"] if mutant else []
    if way == "system":
        assert COMPILER is not None
        shim = place / "clock.so"
        subprocess.run(
            [COMPILER, "-shared", "-fPIC", "-O1", "-o", str(shim), str(HERE / "clock.c")], check=True
        )
        env["LD_PRELOAD"] = str(shim)
    else:
        argv += ["--python"]
    moves = [DAY_S, -DAY_S, 7 * DAY_S, -7 * DAY_S, SLEEP_S]
    ahead = sorted(rng.sample(range(1, 5 * TASKS), jumps))
    events = []
    moved_s, gone_s = 0, 0.0
    started = time.monotonic()
    with (
        clock_in(place) as clock,
        subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
    ):
        # Whoever waits for a clock that was set back waits for days.
        limit = threading.Timer(_STUCK_S if mutant else seconds(BUDGET_S) / 2, process.kill)
        limit.start()
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            for line in process.stdout:
                said = json.loads(line)
                if "clock" in said:
                    gone_s = said["clock"]
                    continue
                events.append(said)
                if ahead and said["seq"] >= ahead[0]:
                    ahead.pop(0)
                    move = rng.choice(moves) if ahead else SLEEP_S
                    clock.sleep(move) if move == SLEEP_S else clock.jump(move)
                    moved_s += move
        finally:
            limit.cancel()
            process.kill()
        complaint = process.stderr.read().decode()
    took_s = time.monotonic() - started
    assert events, complaint
    assert mutant or (not ahead and abs(gone_s - moved_s) <= took_s), "the clock of the process was set"
    return events, took_s


def story(events: list[dict[str, Any]]) -> dict[str, list[str]]:
    """What became of each task, and of the run. Progress comes when it comes."""
    told = defaultdict(list)
    for event in events:
        if not event["type"].endswith(":progress"):
            told[event["data"].get("taskId", "")].append(event["type"])
    return dict(told)


def harmed(events: list[dict[str, Any]], took_s: float, undisturbed: dict[str, list[str]]) -> list[str]:
    told = story(events)
    found = [f"{id or 'the run'}: {told.get(id)}" for id in undisturbed if told.get(id) != undisturbed[id]]
    times = [event["at"] for event in events]
    if times != sorted(times):
        found.append("times of events go back")
    if times[-1] - times[0] > 1_000 * (took_s + 1):
        found.append("times of events run ahead")
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    place = tmp_path_factory.mktemp("undisturbed")
    events, _ = carried_out(place, asyncio.run(new_run(place)), "python", 0)
    return story(events)


@pytest.mark.parametrize("way", WAYS)
async def test_no_attempt_fails_because_the_clock_was_set_or_the_machine_slept(
    tmp_path: Path, undisturbed: dict[str, list[str]], way: str
) -> None:
    events, took_s = carried_out(tmp_path, await new_run(tmp_path), way, JUMPS)
    found = harmed(events, took_s, undisturbed)
    record(7, name=f"clock set or machine asleep ({way})", unit="jumps", count=JUMPS, violations=len(found))
    assert found == []
    assert events[-1]["type"] == "orchestrator:completed"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mutant", ["wall-deadlines", "sleepless-deadlines", "wall-times"])
async def test_deadlines_or_times_by_another_clock_are_noticed(
    tmp_path: Path, undisturbed: dict[str, list[str]], way: str, mutant: str
) -> None:
    events, took_s = carried_out(tmp_path, await new_run(tmp_path), way, JUMPS, mutant)
    assert harmed(events, took_s, undisturbed)
