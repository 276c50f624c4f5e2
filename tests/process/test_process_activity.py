"""What a process tree does is seen: its descendants' work too, wherever they went, and what printed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from bigtask.core.liveness import Activity, Silence, listen
from bigtask.process import Containment, Process, capabilities, minimal_env, running
from bigtask.process.activity import of_group, of_tree

GROUP = capabilities().cgroup
LEVELS = {
    "cgroup": Containment(keeper=True, subreaper=True, cgroup=GROUP, marks=True),
    "subreaper": Containment(keeper=True, subreaper=True, cgroup=None, marks=True),
    "group": Containment(keeper=False, subreaper=False, cgroup=None, marks=True),
}
PATIENCE_S = 20.0
LOOK_S = 0.05
BURNS = f"{sys.executable} -c 'while True: pass'"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what processes do"),
]


@pytest.fixture(params=list(LEVELS))
def level(request: pytest.FixtureRequest) -> Containment:
    if request.param == "cgroup" and GROUP is None:
        pytest.skip("no control group of version 2 that we may divide")
    return LEVELS[request.param]


async def until(process: Process, fits: Callable[[Activity], bool]) -> Activity:
    async with asyncio.timeout(PATIENCE_S):
        while not fits(seen := process.activity()):  # noqa: ASYNC110 - processes do things without telling us
            await asyncio.sleep(LOOK_S)
        return seen


async def listened(process: Process, fits: Callable[[Silence], bool]) -> None:
    silence, loop = Silence(), asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE_S):
        while not fits(silence):
            began = loop.time()
            # Time has to pass for processes to do something in.
            await asyncio.sleep(LOOK_S)
            passed_s = loop.time() - began
            silence = listen(silence, process.activity(), heard=False, passed_s=passed_s, most_s=10.0)


@pytest.mark.parametrize(
    "script",
    [BURNS, f"{BURNS} & wait", f"setsid sh -c '{BURNS.replace(chr(39), chr(34))} & wait' & wait"],
    ids=["itself", "a child", "a session of its own"],
)
async def test_who_reckons_without_a_word_is_alive(tmp_path: Path, level: Containment, script: str) -> None:
    async with running(["sh", "-c", script], cwd=tmp_path, env=minimal_env(), containment=level) as process:
        try:
            await until(process, lambda seen: (seen.cpu_s or 0.0) > 0.3)
            await listened(process, lambda silence: silence.last is not None and not silence.quiet_s)
        finally:
            # Where nothing contains it, one in a session of its own would burn on.
            for pid in frozenset() if level.keeper else process.activity().pids - {process.pid}:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


async def test_who_sleeps_is_silent(tmp_path: Path, level: Containment) -> None:
    script = "sleep 600 & echo ready; wait"
    async with running(["sh", "-c", script], cwd=tmp_path, env=minimal_env(), containment=level) as process:
        await until(process, lambda seen: seen.printed == len(b"ready\n"))
        await listened(process, lambda silence: silence.quiet_s > 20 * LOOK_S)


async def test_children_that_come_and_go_are_seen(tmp_path: Path, level: Containment) -> None:
    script = "while read line; do sleep 600 & echo $!; done"
    async with running(["sh", "-c", script], cwd=tmp_path, env=minimal_env(), containment=level) as process:
        before = process.activity()
        await process.write(b"go\n")
        child = int(await anext(process.lines()))
        after = await until(process, lambda seen: child in seen.pids)
        assert child not in before.pids
        assert not listen(Silence(quiet_s=9, last=before), after, heard=False, passed_s=1, most_s=1).quiet_s


async def test_the_time_of_those_that_have_ended_counts(tmp_path: Path, level: Containment) -> None:
    once = f"{sys.executable} -c 'sum(range(20_000_000))'"
    script = f"{once}; echo done; cat"
    async with running(["sh", "-c", script], cwd=tmp_path, env=minimal_env(), containment=level) as process:
        assert await anext(process.lines()) == b"done"
        assert (process.activity().cpu_s or 0.0) > 0.1


def test_where_nothing_is_told_nothing_is_known(tmp_path: Path) -> None:
    assert of_group(str(tmp_path)) is None
    (tmp_path / "cpu.stat").write_text("user_usec 7\n")
    assert of_group(str(tmp_path)) is None
    assert of_tree(2**22 + 1) == (0.0, frozenset())
