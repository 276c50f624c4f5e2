"""The governor over a real file, in this process and others: who waits, who goes, what a dead one leaves."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of
from bigtask.core.gate import Held
from bigtask.core.slots import Room
from bigtask.host import machine
from bigtask.host.governor import Governor, Permit
from bigtask.host.shared_slots import Shared, SharedSlots, clock_ms
from projects import ENV

PATIENCE_S = 20.0


class Clock:
    """Stands still until somebody moves it."""

    def __init__(self) -> None:
        self.ms = clock_ms()

    def __call__(self) -> int:
        return self.ms


def agent(*, account: str | None = "one", session_mib: int = 0) -> ScriptedAgent:
    return ScriptedAgent(script_of({"account": account, "session_mib": session_mib}))


def governor(place: Path, clock: Clock | None = None, **room: Any) -> Governor:
    whole = Room(**{"cores": 64, **room})
    return Governor(SharedSlots(place / "slots"), room=lambda _: whole, clock=clock or clock_ms)


def permit(one: Governor, name: str, **traits: Any) -> Permit:
    return one.permit(agent(**traits), "run", name)


def nobody(_: Held) -> None:
    """For those who aren't told."""


async def begin(one: Permit) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await one.begin(nobody)


@asynccontextmanager
async def waiting(one: Permit) -> AsyncIterator[tuple[asyncio.Task[None], list[Held]]]:
    """One that doesn't get through yet, with what it was told."""
    told: list[Held] = []
    heard = asyncio.Event()

    def tell(held: Held) -> None:
        told.append(held)
        heard.set()

    task = asyncio.create_task(one.begin(tell))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await heard.wait()
        yield task, told
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_limit_of_one_session_holds_back_those_of_another_run_until_it_is_over(
    tmp_path: Path,
) -> None:
    clock = Clock()
    one, other = governor(tmp_path, clock), governor(tmp_path, clock)
    first = permit(one, "a 1")
    await begin(first)
    first.limited("rate", 30.0)
    async with waiting(permit(other, "b 1")) as (task, told):
        assert told[0].kind == "rate"
        assert told[0].until is not None
        assert 30_000 <= told[0].until - clock.ms <= 31_000
        clock.ms += 31_000
        async with asyncio.timeout(PATIENCE_S):
            await task
        async with waiting(permit(one, "c 1")) as (_, told):
            assert "one request tries" in told[0].why
    one.close()
    other.close()


async def test_another_account_is_not_concerned(tmp_path: Path) -> None:
    one = governor(tmp_path)
    first = permit(one, "a 1")
    await begin(first)
    first.limited("usage", 3_600.0)
    await begin(permit(one, "b 1", account="another"))
    await begin(permit(one, "c 1", account=None))
    one.close()


async def test_sessions_without_an_account_wait_each_for_itself(tmp_path: Path) -> None:
    clock = Clock()
    one = governor(tmp_path, clock)
    first = permit(one, "a 1", account=None)
    await begin(first)
    first.limited("rate", 30.0)
    assert not first.passes()
    await begin(permit(one, "b 1", account=None))
    first.end()
    one.close()
    assert not (tmp_path / "slots").exists()


async def test_the_slots_of_the_machine_are_those_of_all_runs(tmp_path: Path) -> None:
    one, other = governor(tmp_path, most=2), governor(tmp_path, most=2)
    first = permit(one, "a 1", session_mib=1)
    await begin(first)
    await begin(permit(other, "b 1", session_mib=1))
    async with waiting(permit(other, "c 1", session_mib=1)) as (task, told):
        assert "all 2 slots of this machine are taken" in told[0].why
        first.end()
        async with asyncio.timeout(PATIENCE_S):
            await task
    await begin(permit(other, "takes nothing"))
    one.close()
    other.close()


async def test_a_start_ends_with_the_first_answer(tmp_path: Path) -> None:
    one = governor(tmp_path, Clock(), cores=1)
    first = permit(one, "a 1", session_mib=1)
    await begin(first)
    async with waiting(permit(one, "b 1", session_mib=1)) as (task, told):
        assert "just starting" in told[0].why
        first.answered()
        async with asyncio.timeout(PATIENCE_S):
            await task
    one.close()


async def test_the_same_reason_is_told_once_whatever_its_figures(tmp_path: Path) -> None:
    looks: list[int] = []

    def room(_: str) -> Room:
        looks.append(700 + len(looks))
        return Room(cores=64, free_mib=looks[-1])

    one = Governor(SharedSlots(tmp_path / "slots"), room=room, clock=clock_ms)
    first = permit(one, "a 1", session_mib=1_000)
    await begin(first)
    async with waiting(permit(one, "b 1", session_mib=1_000)) as (task, told):
        async with asyncio.timeout(PATIENCE_S):
            while len(looks) < 6:
                one.tell_change()
                await asyncio.sleep(0)
        assert [held.about for held in told] == ["memory"]
        first.end()
        async with asyncio.timeout(PATIENCE_S):
            await task
    one.close()


async def test_another_end_of_a_limit_is_told_to_those_who_wait(tmp_path: Path) -> None:
    clock = Clock()
    one = governor(tmp_path, clock)
    first, second = permit(one, "a 1"), permit(one, "b 1")
    await begin(first)
    await begin(second)
    assert 30_000 <= first.limited("rate", 30.0) <= 31_000
    async with waiting(permit(one, "c 1")) as (_, told):
        assert second.limited("rate", 90.0) >= 90_000
        async with asyncio.timeout(PATIENCE_S):
            while len(told) < 2:  # noqa: ASYNC110 - told by another task
                await asyncio.sleep(0.01)
        assert [held.about for held in told] == ["limit", "limit"]
        assert told[1].until is not None
        assert told[1].until - clock.ms >= 90_000
    one.close()


async def test_who_met_a_limit_is_not_told_of_it_again(tmp_path: Path) -> None:
    clock = Clock()
    one = governor(tmp_path, clock)
    first, second = permit(one, "a 1"), permit(one, "b 1")
    await begin(first)
    await begin(second)
    second.limited("rate", 30.0)
    told: list[Held] = []
    waits = asyncio.create_task(second.enter(told.append))
    async with waiting(permit(one, "c 1")):
        # Whoever began to wait later has been told by now.
        assert told == []
    clock.ms += 31_000
    one.tell_change()
    async with asyncio.timeout(PATIENCE_S):
        await waits
    assert told == []
    one.close()


async def test_a_turn_that_begins_at_a_limit_of_others_waits_with_them(tmp_path: Path) -> None:
    clock = Clock()
    one = governor(tmp_path, clock)
    first, second, third = (permit(one, f"{name} 1") for name in "abc")
    for each in (first, second, third):
        await begin(each)
    first.limited("rate", 30.0)
    assert not second.passes()
    clock.ms += 31_000
    assert second.passes(), "one tries"
    assert not third.passes()
    second.answered()
    assert third.passes()
    one.close()


def left(place: Path) -> Shared:
    return SharedSlots(place / "slots").look(clock_ms())


async def test_what_was_held_is_given_back(tmp_path: Path) -> None:
    one = governor(tmp_path)
    first, second = permit(one, "a 1", session_mib=1), permit(one, "b 1", session_mib=1)
    await begin(first)
    await begin(second)
    assert len(left(tmp_path).seats) == 2
    first.end()
    assert len(left(tmp_path).seats) == 1
    one.close()
    assert left(tmp_path).seats == {}
    assert [path.name for path in (tmp_path / "slots").glob("*.holder")] == []


async def test_a_limit_is_kept_when_all_who_met_it_have_gone(tmp_path: Path) -> None:
    one = governor(tmp_path)
    first = permit(one, "a 1")
    await begin(first)
    first.limited("usage", 3_600.0)
    first.end()
    one.close()
    assert left(tmp_path).gates["one"].kind == "usage"
    later = governor(tmp_path)
    async with waiting(permit(later, "b 1")) as (_, told):
        assert told[0].kind == "usage"
    later.close()


# Other processes

PROCESS = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from governor.test_governor import governor, nobody, permit

async def main(place, name, mib):
    one = permit(governor(place, most=1), name, session_mib=int(mib))
    await one.begin(nobody)
    print("through", flush=True)
    for line in sys.stdin:
        if line.strip() == "limited":
            one.limited("rate", 1.0)
            print("closed", flush=True)
            await one.enter(nobody)
            print("through", flush=True)
        elif line.strip() == "answered":
            one.answered()
            print("told", flush=True)

asyncio.run(main(Path(sys.argv[1]), sys.argv[3], sys.argv[4]))
"""


@asynccontextmanager
async def another(place: Path, name: str, *, mib: int = 0) -> AsyncIterator[asyncio.subprocess.Process]:
    tests = str(Path(__file__).parents[1])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROCESS, str(place), tests, name, str(mib)),
        env={**ENV, "HOME": str(place)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def hears(process: asyncio.subprocess.Process, word: str) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        line = await process.stdout.readline()
    assert line.decode().strip() == word


def say(process: asyncio.subprocess.Process, word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n".encode())


async def test_two_processes_share_one_gate_and_only_one_of_them_tries(tmp_path: Path) -> None:
    async with another(tmp_path, "a") as one, another(tmp_path, "b") as other:
        for process in (one, other):
            await hears(process, "through")
        for process in (one, other):
            say(process, "limited")
            await hears(process, "closed")
        first = {asyncio.create_task(hears(process, "through")): process for process in (one, other)}
        done, pending = await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE_S)
        (probe,), (held,) = done, pending
        (passage,) = left(tmp_path).gates["one"].through.values()
        assert not passage.answered
        say(first[probe], "answered")
        await hears(first[probe], "told")
        await held
        probe.result()


async def test_a_slot_of_one_that_was_killed_is_free(tmp_path: Path) -> None:
    async with another(tmp_path, "a", mib=1) as one:
        await hears(one, "through")
        mine = governor(tmp_path, most=1)
        async with waiting(permit(mine, "b 1", session_mib=1)) as (task, told):
            assert "all 1 slots" in told[0].why
            os.kill(one.pid, signal.SIGKILL)
            async with asyncio.timeout(PATIENCE_S):
                await task
        mine.close()


async def test_one_that_was_killed_while_it_tried_is_followed_by_another(tmp_path: Path) -> None:
    async with another(tmp_path, "a") as one:
        await hears(one, "through")
        say(one, "limited")
        await hears(one, "closed")
        await hears(one, "through")
        mine = governor(tmp_path)
        async with waiting(permit(mine, "b 1")) as (task, told):
            assert "one request tries" in told[0].why
            os.kill(one.pid, signal.SIGKILL)
            async with asyncio.timeout(PATIENCE_S):
                await task
        mine.close()


# What can become of the file


async def limited_for(place: Path, reset_s: float) -> None:
    one = governor(place)
    first = permit(one, "a 1", session_mib=1)
    await begin(first)
    first.limited("usage", reset_s)
    one.close()


async def test_after_a_restart_of_the_machine_a_limit_lasts_as_long_as_it_was_told(tmp_path: Path) -> None:
    await limited_for(tmp_path, 3_600.0)
    state = tmp_path / "slots" / "state.json"
    kept = json.loads(state.read_bytes())
    kept["boot"] = "another"
    kept["clock"] += 10**9
    for gate in kept["gates"].values():
        gate["until"] += 10**9
    state.write_text(json.dumps(kept))
    now = clock_ms()
    gate = SharedSlots(tmp_path / "slots").look(now).gates["one"]
    assert 3_590_000 < gate.until - now <= 3_700_000


async def test_the_time_of_day_may_jump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await limited_for(tmp_path, 3_600.0)
    import time

    day_ns = 86_400 * 10**9
    wall = time.time_ns()
    for jump in (-7, 7):
        monkeypatch.setattr(time, "time_ns", lambda jump=jump: wall + jump * day_ns)
        now = clock_ms()
        assert 3_500_000 < left(tmp_path).gates["one"].until - now <= 3_700_000


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"gates": 7}'])
async def test_what_a_power_cut_left_of_it_is_kept_anew(tmp_path: Path, content: bytes) -> None:
    await limited_for(tmp_path, 3_600.0)
    (tmp_path / "slots" / "state.json").write_bytes(content)
    one = governor(tmp_path)
    await begin(permit(one, "a 1", session_mib=1))
    assert len(left(tmp_path).seats) == 1
    one.close()


async def test_where_nothing_can_be_kept_a_run_goes_on_by_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "slots").write_text("in the way")
    one = governor(tmp_path, most=1)
    first = permit(one, "a 1", session_mib=1)
    await begin(first)
    async with waiting(permit(one, "b 1", session_mib=1)) as (task, _):
        first.end()
        async with asyncio.timeout(PATIENCE_S):
            await task
    one.close()
    assert [record.getMessage() for record in caplog.records if "goes on without" in record.getMessage()]


def test_a_machine_has_cores_and_memory() -> None:
    assert 1 <= machine.cores() <= (os.cpu_count() or 1)
    free = machine.free_mib()
    assert free is None or 0 <= free < 2**24
