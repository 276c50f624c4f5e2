"""bigtask itself is killed at any moment of a run with the real Claude Code: what was acknowledged is kept,
nothing is left running, and whoever takes the run up brings it to its end."""

from __future__ import annotations

import asyncio
import json
import random
import shlex
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from bigtask.host.home import Home
from bigtask.host.log import read_closed
from claude.diamond import MADE, NEEDS, PATIENCE_S, RUN, TIED, Model, Place, placed
from claude.setting import needs_claude
from promises.scale import SEED, share
from promises.totals import record

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

KILLS = share(20)
AT_ONCE = 2
"""Sessions."""
WITHIN_S = 5.0
LONGEST_LIFE_S = 6.0


@pytest.fixture(autouse=True)
def _with_claude() -> None:
    needs_claude()


@dataclass
class Lives:
    """A run that is carried out by one process after the other; `told` is what they said had happened."""

    place: Place
    told: dict[int, dict[str, Any]] = field(default_factory=dict)
    kills: int = 0
    longest_s: float = 0.0
    ended: bool = False
    _answers: list[asyncio.Task[None]] = field(default_factory=list)

    async def one(self, life_s: float | None) -> None:
        """To its end, or to its violent one after so many seconds."""
        # `resume` begins nothing; the same command does both.
        begun = any(event["type"] == "orchestrator:started" for event in self.told.values())
        arguments = ("resume", "last") if begun else RUN
        async with self.place.begun(*arguments, "--json") as process:
            reading = asyncio.create_task(self._read(process))
            with suppress(TimeoutError):
                async with asyncio.timeout(life_s or PATIENCE_S):
                    await asyncio.shield(reading)
            if process.returncode is None and not reading.done():
                assert life_s is not None, "the run stands still"
                process.kill()
                self.kills += 1
            # What it had said before it died is acknowledged as well.
            await reading
            await process.wait()
            if process.returncode != -signal.SIGKILL:
                assert process.stderr is not None
                said = (await process.stderr.read()).decode()
                assert process.returncode in (0, 3), said
                self.ended = process.returncode == 0
        await asyncio.gather(*self._answers)
        self._answers.clear()
        await self._nothing_is_left()
        self._check_log()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            with suppress(json.JSONDecodeError):  # the half of a line was told to nobody
                event = json.loads(line)
                if "data" not in event:
                    continue
                self.told[event["seq"]] = event
                if event["type"] == "orchestrator:waiting":
                    self._answers.append(asyncio.create_task(self._answer()))

    async def _answer(self) -> None:
        """Whoever carries the run out by then, or nobody."""
        _, out, _ = await self.place.bigtask("inbox", "--json")
        for item in json.loads(out)["waiting"]:
            await self.place.bigtask(*shlex.split(item["commands"][0])[1:], "--scope", "run")

    async def _nothing_is_left(self) -> None:
        since = time.monotonic()
        while left := self.place.processes():
            assert time.monotonic() - since < WITHIN_S, left
            await asyncio.sleep(0.05)
        self.longest_s = max(self.longest_s, time.monotonic() - since)

    def _check_log(self) -> None:
        folders = list(Home(self.place.folder / "home").folders())
        if not folders:
            assert not self.told
            return
        (folder,) = folders
        events = read_closed(folder.log)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        for seq, event in self.told.items():
            assert json.loads(json.dumps(events[seq - 1].public(folder.id))) == event
        done = Counter(event.data.task_id for event in events if event.type == "worker:completed")
        assert not [id for id, times in done.items() if times > 1]


async def test_nothing_is_lost_or_left_whenever_bigtask_is_killed() -> None:
    chance = random.Random(SEED)
    kills, longest_s = 0, 0.0
    while kills < KILLS:
        with placed(Model()) as place:
            lives = Lives(place)
            while not lives.ended and kills + lives.kills < KILLS:
                await lives.one(chance.uniform(0.3, LONGEST_LIFE_S))
            for _ in range(5):
                if not lives.ended:
                    await lives.one(None)
            assert lives.ended
            kills, longest_s = kills + lives.kills, max(longest_s, lives.longest_s)
            await check_end(place, lives.kills)
    record(8, name="kill -9 of bigtask with Claude Code at work", unit="kills", count=kills, violations=0)


async def check_end(place: Place, kills: int) -> None:
    result = json.loads((await place.bigtask("report", "last", "--format", "json"))[1])
    assert result["run"]["outcome"] == "complete", result["run"]["reason"]
    branch = result["run"]["branch"]
    for path, content in {**MADE, "greet/__init__.py": TIED}.items():
        assert place.project.git("show", f"{branch}:{path}") == content.strip()
    trailer = "--format=%(trailers:key=Bigtask-Task,valueonly,separator=)"
    assert sorted(place.project.lines("log", "--merges", trailer, branch)) == sorted(NEEDS)
    # Of an answer that was under way at a blow it isn't always known how far it had come.
    used, charged = result["cost"]["total"], place.stub.tokens
    for kind, of_one in (("input", 100), ("output", 20)):
        assert 0 <= charged[kind] - used[f"{kind}Tokens"] <= kills * AT_ONCE * of_one
