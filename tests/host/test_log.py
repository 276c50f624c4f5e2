"""The log: one contract over every implementation, and what only a file can promise."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bigtask.core.events import AnalysisComplete, Event, Started, WorkerCompleted
from bigtask.errors import NewerSchema, NotFound, SequenceTaken, StoreError
from bigtask.host.log import SCHEMA, MemoryLog, RunLog, SqliteLog, read_closed
from bigtask.host.log_file import last_seq


def events(first: int, count: int = 1) -> list[Event]:
    return [
        Event(seq, 1_000 + seq, WorkerCompleted(task_id="a", attempt=seq))
        for seq in range(first, first + count)
    ]


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[RunLog]:
    log = MemoryLog() if kind == "memory" else SqliteLog(folder / "log.db")
    try:
        yield log
    finally:
        await log.close()


every_log = pytest.mark.parametrize("kind", ["memory", "sqlite"])


# The contract


@every_log
async def test_a_new_log_is_empty(kind, tmp_path):
    async with opened(kind, tmp_path) as log:
        assert await log.read() == []
        assert await log.read(after=5, limit=1) == []


@every_log
async def test_what_was_appended_is_read_as_it_was(kind, tmp_path):
    written = [
        Event(1, 5, Started(by="é\0🙂")),
        Event(2, 4, AnalysisComplete(analysis={"x": [1.5, None, "y"]})),
    ]
    async with opened(kind, tmp_path) as log:
        await log.append(0, written[:1])
        await log.append(1, written[1:])
        assert await log.read() == written


@every_log
async def test_a_log_is_read_from_any_place_and_so_far_as_wanted(kind, tmp_path):
    async with opened(kind, tmp_path) as log:
        await log.append(0, events(1, 10))
        assert [event.seq for event in await log.read(after=7)] == [8, 9, 10]
        assert [event.seq for event in await log.read(after=2, limit=3)] == [3, 4, 5]
        assert await log.read(after=2, limit=0) == []
        assert await log.read(after=10) == []


@every_log
@pytest.mark.parametrize("expected", [0, 2, 4, 99])
async def test_who_expects_another_end_is_refused_and_leaves_nothing(kind, expected, tmp_path):
    async with opened(kind, tmp_path) as log:
        await log.append(0, events(1, 3))
        with pytest.raises(SequenceTaken, match=f"ends with event 3, not {expected}"):
            await log.append(expected, events(expected + 1))
        assert await log.read() == events(1, 3)
        await log.append(3, events(4))
        assert len(await log.read()) == 4


@every_log
async def test_an_append_is_all_or_nothing(kind, tmp_path):
    async with opened(kind, tmp_path) as log:
        with pytest.raises(SequenceTaken, match="event 9 can't be number 3"):
            await log.append(0, [*events(1, 2), *events(9)])
        assert await log.read() == []


@every_log
async def test_an_append_of_nothing_writes_nothing_and_is_in_order_all_the_same(kind, tmp_path):
    async with opened(kind, tmp_path) as log:
        for _ in range(3):
            await log.append(0, [])
        with pytest.raises(SequenceTaken, match="ends with event 0, not 1"):
            await log.append(1, [])
        assert await log.read() == []


@every_log
async def test_appends_at_the_same_time_keep_their_order(kind, tmp_path):
    async with opened(kind, tmp_path) as log:
        async with asyncio.TaskGroup() as group:
            for seq in range(1, 200, 2):
                group.create_task(log.append(seq - 1, events(seq, 2)))
        assert await log.read() == events(1, 200)


@every_log
async def test_of_two_who_append_at_the_same_place_one_is_refused(kind, tmp_path):
    async with opened(kind, tmp_path) as log:
        done = await asyncio.gather(*(log.append(0, events(1)) for _ in range(5)), return_exceptions=True)
        assert done[0] is None
        assert all(isinstance(each, SequenceTaken) for each in done[1:])
        assert await log.read() == events(1)


# What only a file can promise


async def test_a_log_is_there_again_when_it_is_opened_again(tmp_path):
    for first in (1, 4, 7):
        async with opened("sqlite", tmp_path) as log:
            assert len(await log.read()) == first - 1
            await log.append(first - 1, events(first, 3))
    assert read_closed(tmp_path / "log.db") == events(1, 9)
    assert read_closed(tmp_path / "log.db", after=8) == events(9)


async def test_every_commit_is_synced(tmp_path):
    async with opened("sqlite", tmp_path) as log:
        await log.append(0, events(1))
        pragma = {
            name: log._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "integrity_check", "user_version", "application_id")
        }
    full = 2
    assert pragma == {
        "journal_mode": "wal",
        "synchronous": full,
        "integrity_check": "ok",
        "user_version": SCHEMA,
        "application_id": 0x62746B31,
    }


@pytest.mark.parametrize("many", [1, 3, 300])
async def test_another_process_that_wrote_first_is_noticed(tmp_path, many):
    async with opened("sqlite", tmp_path) as mine, opened("sqlite", tmp_path) as theirs:
        for first in (1, 2, 3):
            await mine.append(first - 1, events(first))
            await asyncio.sleep(0)
        await theirs.append(3, events(4, 2))
        both = [mine.append(3, events(4, many)), mine.append(3 + many, events(4 + many))]
        for found in await asyncio.gather(*both, return_exceptions=True):
            assert isinstance(found, SequenceTaken)
            assert "ends with event 5" in str(found)
            assert "another process wrote to it" in str(found)
        assert await mine.read() == events(1, 5)
        await mine.append(5, events(6))
        assert await theirs.read() == events(1, 6)


async def test_a_small_append_is_one_step_of_sqlite_and_a_large_one_few(tmp_path):
    steps: list[str] = []
    async with opened("sqlite", tmp_path) as log:
        await log.append(0, events(1))
        log._connection.set_trace_callback(steps.append)
        await log.append(1, events(2, 4))
        small = len(steps)
        await asyncio.sleep(0)
        await log.append(5, events(6, 200))
        log._connection.set_trace_callback(None)
        assert await log.read() == events(1, 205)
    assert (small, len(steps) - small) == (1, 6)


async def test_a_commit_is_made_in_the_loop_unless_commits_are_slow(tmp_path):
    threads: list[str] = []
    slow = 0

    def watch(when: str, committed) -> None:
        if when == "before":
            threads.append("loop" if threading.current_thread() is threading.main_thread() else "own")
            ends = time.perf_counter() + (0.03 if len(threads) == slow else 0)
            while time.perf_counter() < ends:
                pass

    log = SqliteLog(tmp_path / "log.db", watch=watch)
    seq = 0

    async def append(times: int) -> list[str]:
        nonlocal seq
        threads.clear()
        for _ in range(times):
            await log.append(seq, events(seq + 1))
            seq += 1
            await asyncio.sleep(0)
        return list(threads)

    try:
        assert (await append(1)) == ["own"], "the first one makes files"
        assert "loop" in (await append(3))[1:]
        slow = 1
        assert (await append(1)) == ["loop"]
        assert (await append(5))[0] == "own", "the one before took long"
        slow = 0
        found = await append(120)
        assert found[-1] == "loop" or "loop" in found, "it is tried again"
    finally:
        await log.close()
    assert read_closed(tmp_path / "log.db") == events(1, seq)


async def test_what_is_asked_of_the_file_comes_after_the_appends_before_and_blocks_none_after(tmp_path):
    async with opened("sqlite", tmp_path) as log:
        for seq in range(1, 40, 2):
            appended = asyncio.ensure_future(log.append(seq - 1, events(seq)))
            await asyncio.sleep(0)
            found = asyncio.ensure_future(log.do(last_seq))
            later = asyncio.ensure_future(log.append(seq, events(seq + 1)))
            assert await found == seq
            await asyncio.gather(appended, later)
        with pytest.raises(StoreError, match="no such table"):
            await log.do(lambda connection: connection.execute("SELECT 1 FROM friends"))


async def test_what_nobody_waits_for_may_fail_and_the_log_goes_on(tmp_path, caplog):
    caplog.set_level("INFO", "bigtask")
    async with opened("sqlite", tmp_path) as log:
        log.do_later(lambda connection: connection.execute("SELECT 1 FROM friends") and None)
        await log.append(0, events(1))
        assert await log.read() == events(1)
    assert "no such table" in caplog.text


def test_a_database_of_something_else_is_left_as_it_is(tmp_path):
    path = tmp_path / "log.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE friends (name)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    for read in (SqliteLog, read_closed):
        with pytest.raises(StoreError, match="a database of something else"):
            read(path)
    assert path.read_bytes() == before


def test_a_file_that_was_never_filled_holds_no_events(tmp_path):
    (tmp_path / "log.db").touch()
    assert read_closed(tmp_path / "log.db") == []


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
async def test_a_log_of_a_newer_version_is_left_as_it_is(tmp_path, journal):
    path = tmp_path / "log.db"
    async with opened("sqlite", tmp_path) as log:
        await log.append(0, events(1))
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA journal_mode={journal}")
    connection.execute(f"PRAGMA user_version={SCHEMA + 1}")
    connection.close()
    before = path.read_bytes()
    for read in (SqliteLog, read_closed):
        with pytest.raises(
            NewerSchema, match=rf"schema {SCHEMA + 1}, this one knows {SCHEMA}\): upgrade bigtask"
        ):
            read(path)
    assert path.read_bytes() == before


async def test_an_event_that_can_t_be_written_is_its_caller_s_error_and_not_the_log_s_end(tmp_path):
    async with opened("sqlite", tmp_path) as log:
        with pytest.raises(UnicodeEncodeError):
            await log.append(0, [Event(1, 0, Started(by="half a \udce9 character"))])
        await log.append(0, events(1))
        assert len(await log.read()) == 1


@pytest.mark.parametrize(
    "content", [b"this is no database, but long enough" * 300, b"SQLite format 3\0" + b"\xff" * 5_000]
)
def test_what_is_no_log_is_left_as_it_is(tmp_path, content):
    path = tmp_path / "log.db"
    path.write_bytes(content)
    for read in (SqliteLog, read_closed):
        with pytest.raises(StoreError, match=r"log\.db can't be used as a log"):
            read(path)
    assert path.read_bytes() == content


def test_a_log_that_is_not_there_is_not_made_by_reading(tmp_path):
    with pytest.raises(NotFound, match="isn't there"):
        read_closed(tmp_path / "log.db")
    with pytest.raises(StoreError, match="unable to open"):
        SqliteLog(tmp_path / "no" / "log.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("type_name", "data"), [("worker:dreamt", b"{}"), ("worker:completed", b'{"taskId":')]
)
async def test_an_event_that_cannot_be_read_is_named(tmp_path, type_name, data):
    async with opened("sqlite", tmp_path) as log:
        await log.append(0, events(1))
        log._connection.execute("INSERT INTO events VALUES (2, 0, ?, ?)", (type_name, data))
        with pytest.raises(StoreError, match=f"event 2 \\({type_name}\\) can't be read"):
            await log.read()
        assert await log.read(limit=1) == events(1)


async def test_a_log_whose_table_is_gone_says_so_and_answers_on(tmp_path):
    async with opened("sqlite", tmp_path) as log:
        log._connection.execute("DROP TABLE events")
        for ask in (log.append(0, events(1)), log.read()):
            with pytest.raises(StoreError, match="no such table"):
                await ask


async def test_who_reads_what_was_appended_before_does_not_wait_for_it(tmp_path):
    async with opened("sqlite", tmp_path) as log:
        appended = [asyncio.ensure_future(log.append(seq - 1, events(seq))) for seq in range(1, 20)]
        await asyncio.sleep(0)
        assert await log.read() == events(1, 19)
        await asyncio.gather(*appended)


async def test_a_closed_log_has_carried_out_what_was_asked_before(tmp_path):
    log = SqliteLog(tmp_path / "log.db")
    appended = [asyncio.ensure_future(log.append(seq - 1, events(seq))) for seq in range(1, 6)]
    await asyncio.sleep(0)
    await log.close()
    await asyncio.gather(*appended)
    assert read_closed(tmp_path / "log.db") == events(1, 5)


async def test_nobody_is_told_who_does_not_wait_any_more(tmp_path):
    gate = Gate("before")
    log = SqliteLog(tmp_path / "log.db", watch=gate)
    given_up = asyncio.ensure_future(log.append(0, events(1)))
    await gate.reached.wait()
    given_up.cancel()
    gate.open()
    assert await log.read() == events(1)
    await log.close()
    assert given_up.cancelled()


def test_a_loop_that_is_gone_does_not_end_the_writer(tmp_path):
    path = tmp_path / "log.db"

    async def begin(gate: Gate) -> SqliteLog:
        log = SqliteLog(path, watch=gate)
        task = asyncio.ensure_future(log.append(0, events(1)))
        await gate.reached.wait()
        task.cancel()
        return log

    loop = asyncio.new_event_loop()
    gate = Gate("before", loop)
    log = loop.run_until_complete(begin(gate))
    loop.close()
    gate.open()
    asyncio.run(log.close())
    assert read_closed(path) == events(1)


# Acknowledged means durable


class Gate:
    """Holds the writer at one of its two places until it is opened; the first commit is always a thread's."""

    def __init__(self, where: str, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.reached = asyncio.Event()
        self.commits: list[list[int]] = []
        self._where = where
        self._loop = loop or asyncio.get_running_loop()
        self._opened = threading.Event()

    def __call__(self, when: str, committed) -> None:
        if when == "after":
            self.commits.append([event.seq for event in committed])
        if when == self._where:
            self._loop.call_soon_threadsafe(self.reached.set)
            assert self._opened.wait(30)

    def open(self) -> None:
        self._opened.set()


async def seen_while_held(path: Path, where: str, kind: Callable[..., SqliteLog]) -> tuple[bool, bool]:
    """Whether the append was acknowledged, and whether somebody else could read it, at that place."""
    gate = Gate(where)
    log = kind(path, watch=gate)
    try:
        appended = asyncio.ensure_future(log.append(0, events(1)))
        await gate.reached.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        return appended.done(), read_closed(path) == events(1)
    finally:
        gate.open()
        await log.close()
        await appended


class Hasty(SqliteLog):
    """The mutant: it tells before it has committed."""

    def _tell(self, when, jobs):
        if when == "before":
            for job in jobs:
                job.future.get_loop().call_soon_threadsafe(job.future.set_result, None)
        super()._tell(when, jobs)


async def test_an_append_is_acknowledged_after_its_commit_and_not_before(tmp_path):
    assert await seen_while_held(tmp_path / "1.db", "before", SqliteLog) == (False, False)
    assert await seen_while_held(tmp_path / "2.db", "after", SqliteLog) == (False, True)


async def test_a_log_that_acknowledged_before_its_commit_would_be_noticed(tmp_path):
    assert await seen_while_held(tmp_path / "1.db", "before", Hasty) == (True, False)


async def test_appends_that_wait_together_are_committed_together(tmp_path):
    gate = Gate("after")
    log = SqliteLog(tmp_path / "log.db", watch=gate)
    first = asyncio.ensure_future(log.append(0, events(1)))
    await gate.reached.wait()
    more = [asyncio.ensure_future(log.append(seq - 1, events(seq))) for seq in range(2, 50)]
    await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(first, *more)
    assert gate.commits == [[1], list(range(2, 50))]
    await log.close()


# A full disk

_FILL = """
import asyncio, json, resource, sys
from pathlib import Path
from bigtask.core.events import AnalysisComplete, Event
from bigtask.errors import StoreError
from bigtask.host.log import SqliteLog

def event(seq):
    return Event(seq, 0, AnalysisComplete(analysis={"x": "y" * 3_000}))

async def main(path, limit):
    log = SqliteLog(path)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    else:
        ballast = path.with_name("ballast")
        ballast.write_bytes(b"x" * 100_000)
    acknowledged, error = 0, ""
    for seq in range(1, 1_000):
        try:
            await log.append(seq - 1, [event(seq)])
        except StoreError as problem:
            error = type(problem).__name__
            break
        acknowledged = seq
    readable = [e.seq for e in await log.read()]
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    else:
        ballast.unlink()
    await log.append(acknowledged, [event(acknowledged + 1)])
    again = [e.seq for e in await log.read()]
    whole = log._connection.execute("PRAGMA integrity_check").fetchone()[0]
    await log.close()
    print(json.dumps([error, acknowledged, readable, again, whole]))

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


def filled(arguments: list[str], path: Path, limit: int) -> tuple[str, int, list[int], list[int], str]:
    env = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*arguments, sys.executable, "-c", _FILL, str(path), str(limit)],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def require_nothing_lost(found: tuple[str, int, list[int], list[int], str]) -> None:
    _, acknowledged, readable, again, whole = found
    assert acknowledged > 3
    assert readable == list(range(1, acknowledged + 1))
    assert again == list(range(1, acknowledged + 2))
    assert whole == "ok"


def test_a_file_that_may_not_grow_loses_nothing_that_was_acknowledged(tmp_path):
    found = filled([], tmp_path / "log.db", 100_000)
    assert found[0] in ("StoreError", "StoreFull")
    require_nothing_lost(found)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="file systems of one process are Linux's")
def test_a_full_disk_loses_nothing_and_goes_on_when_there_is_space(tmp_path):
    mount = ["unshare", "--user", "--map-root-user", "--mount"]
    script = f'mount -t tmpfs -o size=400k tmpfs {tmp_path} && exec "$@"'
    within = [*mount, "sh", "-c", script, "sh"]
    if shutil.which("unshare") is None or subprocess.run([*within, "true"], check=False).returncode:
        pytest.skip("this system gives no process a file system of its own")
    found = filled(within, tmp_path / "log.db", 0)
    assert found[0] == "StoreFull"
    require_nothing_lost(found)
    assert list(tmp_path.iterdir()) == [], "it went with its process"
