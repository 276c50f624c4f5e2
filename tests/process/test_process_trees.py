"""Nothing of ours is left over: shapes of process trees, and the ways in which their end comes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bigtask.process import (
    Containment,
    Identity,
    capabilities,
    cgroup,
    minimal_env,
    proc,
    reconcile,
    run,
    running,
)
from nursery import Born, Nursery
from promises.scale import seconds, share
from promises.totals import record

from .trees import SHAPES, alive, clear, complete, new_name, script

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="whole trees are contained on Linux only"),
    pytest.mark.timeout(seconds(200)),
]
TIMES = share(25)
AT_ONCE = 5
WITHIN_S = 30
GROUP = capabilities().cgroup
LEVELS = {
    "cgroup": Containment(keeper=True, subreaper=True, cgroup=GROUP, marks=True),
    "subreaper": Containment(keeper=True, subreaper=True, cgroup=None, marks=True),
}
WEAKER = {
    "no keeper": Containment(keeper=False, subreaper=False, cgroup=None, marks=True),
    "no subreaper": Containment(keeper=True, subreaper=False, cgroup=None, marks=True),
}


@pytest.fixture(params=list(LEVELS))
def level(request: pytest.FixtureRequest) -> Containment:
    if request.param == "cgroup" and GROUP is None:
        pytest.skip("no control group of version 2 that we may divide")
    return LEVELS[request.param]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery("process.treeholder", {"PATH": os.environ["PATH"]}) as found:
        yield found


class Trees:
    """Trees of every shape, or of one; ended with the test whatever became of it."""

    def __init__(self, shapes: list[str], *, cleared: bool = True) -> None:
        self.shapes = {new_name(): shape for shape in shapes}
        self.scripts = {name: script(shape, name, cleared=cleared) for name, shape in self.shapes.items()}

    def complete(self) -> bool:
        return all(complete(shape, name) for name, shape in self.shapes.items())

    def left(self) -> list[str]:
        """The shapes of which somebody is left."""
        return [shape for name, shape in self.shapes.items() if alive(name)]


@contextmanager
def trees(shapes: list[str], *, cleared: bool = True) -> Iterator[Trees]:
    made = Trees(shapes, cleared=cleared)
    try:
        yield made
    finally:
        for name in made.shapes:
            clear(name)


@contextmanager
def strangers() -> Iterator[Trees]:
    """The same processes, started by somebody else."""
    with trees(["children"]) as made:
        started = subprocess.Popen(["sh", "-c", *made.scripts.values()], start_new_session=True)
        try:
            yield made
        finally:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait()


async def until(condition: Callable[[], bool]) -> bool:
    """Whether it came true in time."""
    try:
        async with asyncio.timeout(WITHIN_S):
            while not condition():  # noqa: ASYNC110 - processes begin and end without telling us
                await asyncio.sleep(0.02)
    except TimeoutError:
        return False
    return True


async def at_once(count: int, one: Callable[[], Any]) -> None:
    """`count` times, a few at a time."""
    while count > 0:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(count, AT_ONCE)):
                group.create_task(one())
        count -= AT_ONCE


@pytest.mark.parametrize("shape", SHAPES)
async def test_nothing_is_left_after_a_cancel(shape: str, level: Containment) -> None:
    async def once() -> None:
        with trees([shape]) as made:
            (name,) = made.shapes
            work = asyncio.create_task(
                run(
                    ["sh", "-c", made.scripts[name]],
                    cwd=Path("/"),
                    env=minimal_env(),
                    timeout_s=600,
                    contained=True,
                    containment=level,
                )
            )
            assert await until(made.complete)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            assert made.left() == []

    await at_once(TIMES, once)
    record(6, name=f"cancel: {shape}", unit="trees", count=TIMES, violations=0)


@pytest.mark.parametrize("shape", SHAPES)
async def test_nothing_is_left_after_a_timeout(shape: str, level: Containment) -> None:
    async def once() -> None:
        timeout_s = 0.5
        # A busy machine may need longer than that for the tree: what was cut off while it grew doesn't count.
        while True:
            with trees([shape]) as made:
                (name,) = made.shapes
                work = asyncio.create_task(
                    run(
                        ["sh", "-c", made.scripts[name]],
                        cwd=Path("/"),
                        env=minimal_env(),
                        timeout_s=timeout_s,
                        contained=True,
                        containment=level,
                    )
                )
                grown = False
                while not work.done():
                    grown = grown or made.complete()
                    await asyncio.wait([work], timeout=0.05)
                assert (await work).timed_out
                assert made.left() == []
            if grown:
                return
            timeout_s *= 2

    await at_once(TIMES, once)
    record(6, name=f"timeout: {shape}", unit="trees", count=TIMES, violations=0)


@contextmanager
def holder(
    nursery: Nursery, made: Trees, how: Containment, *, warden: bool = False, plain: bool = False
) -> Iterator[tuple[Born, Identity]]:
    asked = {
        "trees": made.scripts,
        "keeper": how.keeper,
        "subreaper": how.subreaper,
        "cgroup": how.cgroup,
        "warden": warden,
        "plain": plain,
    }
    born = nursery.start([json.dumps(asked)], {"PATH": os.environ["PATH"]})
    try:
        with os.fdopen(os.dup(born.stdout), "rb") as printed:
            identity = msgspec.json.decode(printed.readline(), type=Identity)
        yield born, identity
    finally:
        born.close()
        # Of a test that failed before anybody was reconciled.
        for group in cgroup.of_owner(how.cgroup, identity.owner) if how.cgroup else ():
            cgroup.kill(group)
            while not cgroup.remove(group) and cgroup.members(group):
                os.sched_yield()


async def test_nothing_is_left_after_a_sigterm(nursery: Nursery, level: Containment) -> None:
    for _ in range(TIMES):
        with trees(list(SHAPES)) as made, holder(nursery, made, level) as (born, _):
            assert await until(made.complete)
            os.kill(born.pid, signal.SIGTERM)
            assert born.wait() == 0
            assert made.left() == []
    for shape in SHAPES:
        record(6, name=f"SIGTERM: {shape}", unit="trees", count=TIMES, violations=0)


async def test_nothing_is_left_after_a_kill(nursery: Nursery, level: Containment) -> None:
    """Also before anybody starts again."""
    longest_s = 0.0
    for _ in range(TIMES):
        with trees(list(SHAPES)) as made, holder(nursery, made, level) as (born, identity):
            assert await until(made.complete)
            born.kill()
            killed = time.monotonic()
            born.wait()
            assert await until(lambda made=made: not made.left()), made.left()
            longest_s = max(longest_s, time.monotonic() - killed)
            assert (await reconcile([identity])).left == ()
    for shape in SHAPES:
        name = f"kill -9 and restart: {shape}"
        record(6, name=name, unit="trees", count=TIMES, violations=0, longest_s=round(longest_s, 2))


def keepers(owner: str) -> list[int]:
    """The processes that hold the trees of a holder's sessions."""
    return [
        pid
        for pid in proc.pids()
        if proc.owner_of(proc.tag(pid)) == owner
        and b"bigtask.process.keeper" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def kill_with_its_keepers(born: Born, identity: Identity) -> None:
    found = keepers(identity.owner)
    assert len(found) == len(SHAPES)
    # Stopped first, so that none of them sees another's end.
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in (*found, born.pid):
            os.kill(pid, number)
    born.wait()


async def test_a_restart_ends_what_is_left_when_the_keepers_were_killed_too(
    nursery: Nursery, level: Containment
) -> None:
    for _ in range(TIMES):
        # Who drops the mark is found by the control group alone.
        shapes = list(SHAPES)
        with (
            trees(shapes, cleared=level.cgroup is not None) as made,
            strangers() as others,
            holder(nursery, made, level) as (born, identity),
        ):
            assert await until(made.complete)
            assert await until(others.complete)
            kill_with_its_keepers(born, identity)
            assert set(made.left()) >= {"session", "daemon", "stubborn"}
            report = await reconcile([identity])
            assert report.ended
            assert report.left == ()
            assert made.left() == []
            assert others.complete()
            if level.cgroup:
                assert not [name for name in os.listdir(level.cgroup) if identity.owner in name]
    record(6, name="kill -9 with all keepers, and restart", unit="holders", count=TIMES, violations=0)


async def test_what_belongs_to_a_holder_that_runs_is_not_touched(nursery: Nursery) -> None:
    with trees(list(SHAPES)) as made, holder(nursery, made, LEVELS["subreaper"]) as (_, identity):
        assert await until(made.complete)
        report = await reconcile([identity])
        assert report.living == (identity,)
        assert made.complete()
        # The look at the owner is what spared them.
        not_seen = msgspec.structs.replace(identity, started=identity.started + 1)
        assert (await reconcile([not_seen])).ended
        assert made.left() == []


async def test_without_a_kept_identity_and_of_another_boot_nothing_is_ended(nursery: Nursery) -> None:
    with trees(list(SHAPES)) as made, holder(nursery, made, LEVELS["subreaper"]) as (born, identity):
        assert await until(made.complete)
        kill_with_its_keepers(born, identity)
        left = made.left()
        elsewhere = msgspec.structs.replace(identity, boot_id="another")
        assert (await reconcile([elsewhere])).ended == ()
        assert (await reconcile([])).ended == ()
        assert made.left() == left


async def test_a_killed_keeper_takes_its_tree_along(level: Containment) -> None:
    """While we go on: whoever did that, the session's end finds what is left."""
    for shape in SHAPES:
        with trees([shape], cleared=level.cgroup is not None) as made:
            (name,) = made.shapes
            async with running(
                ["sh", "-c", made.scripts[name]], cwd=Path("/"), env=minimal_env(), containment=level
            ) as process:
                assert await until(made.complete)
                assert process.identity is not None
                found = proc.seen(process.pid)
                assert found is not None
                os.kill(found.parent, signal.SIGKILL)
                assert await process.wait() == -signal.SIGKILL
            assert made.left() == []


async def test_programs_without_a_keeper_end_with_us_where_a_warden_watches(nursery: Nursery) -> None:
    shapes = ["children", "session", "stubborn"]
    for _ in range(TIMES):
        with (
            trees(shapes) as made,
            holder(nursery, made, LEVELS["subreaper"], warden=True, plain=True) as (born, _),
        ):
            assert await until(made.complete)
            born.kill()
            born.wait()
            assert await until(lambda made=made: not made.left()), made.left()


async def test_without_a_warden_they_do_not(nursery: Nursery) -> None:
    with (
        trees(["session"]) as made,
        holder(nursery, made, LEVELS["subreaper"], plain=True) as (born, identity),
    ):
        assert await until(made.complete)
        born.kill()
        born.wait()
        assert made.complete()
        assert (await reconcile([identity])).left == ()
        assert made.left() == []


@pytest.mark.parametrize(
    ("mutant", "stays"), [("no keeper", {"session", "daemon"}), ("no subreaper", {"session", "daemon"})]
)
async def test_without_the_defence_something_survives_a_cancel(mutant: str, stays: set[str]) -> None:
    for shape in SHAPES:
        with trees([shape]) as made:
            (name,) = made.shapes
            async with running(
                ["sh", "-c", made.scripts[name]],
                cwd=Path("/"),
                env=minimal_env(),
                grace_s=0.3,
                containment=WEAKER[mutant],
            ):
                assert await until(made.complete)
            if shape in stays:
                assert made.left()
            else:
                assert await until(lambda made=made: not made.left())


async def test_without_keepers_everything_survives_a_kill(nursery: Nursery) -> None:
    with trees(list(SHAPES)) as made, holder(nursery, made, WEAKER["no keeper"]) as (born, _):
        assert await until(made.complete)
        born.kill()
        born.wait()
        assert made.complete()


async def test_without_its_control_group_a_restart_misses_who_dropped_the_mark(nursery: Nursery) -> None:
    if GROUP is None:
        pytest.skip("no control group of version 2 that we may divide")
    with trees(["daemon"]) as made, holder(nursery, made, LEVELS["cgroup"]) as (born, identity):
        assert await until(made.complete)
        (name,) = made.shapes
        # The program and its own sleeper. While a parent with the mark lives the daemon is found below it.
        assert await until(lambda: len([pid for pid in alive(name) if proc.tag(pid)]) == 2)
        for pid in (*keepers(identity.owner), born.pid):
            os.kill(pid, signal.SIGKILL)
        born.wait()
        assert (await reconcile([msgspec.structs.replace(identity, cgroup="")])).left == ()
        assert made.left() == ["daemon"]
        assert (await reconcile([identity])).ended
        assert made.left() == []
