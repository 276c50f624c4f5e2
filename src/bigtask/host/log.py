"""The event log of a run: appended to in order by one holder, read from any place in it.

`append` returns when the events would survive a power cut, and not before: whoever waits for it may tell
the world. `SqliteLog` is the one that runs use; `MemoryLog` keeps the same contract for tests and dry runs.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, TypeVar

from bigtask.core.events import Event, encode
from bigtask.errors import HolderGone, SequenceTaken, StoreError
from bigtask.host.log_file import SCHEMA, connect, last_seq, looking, read_events, translated
from bigtask.sink import log

__all__ = [
    "SCHEMA",
    "MemoryLog",
    "RunLog",
    "SqliteLog",
    "Watch",
    "connect",
    "read_closed",
    "require_sequence",
]

_SHORT_S = 0.02
"""A commit that takes no longer may be made between two turns of the event loop."""
_TURNS = 50
"""So many commits a thread makes after one that took longer, before the next one is tried in the loop."""
_BLOCK = 64
"""Rows of one statement: each step of SQLite gives the interpreter up and has to get it back."""

T = TypeVar("T")


class RunLog(Protocol):
    async def append(self, expected_seq: int, events: Sequence[Event]) -> None:
        """All of `events` or none. Raises SequenceTaken when the last event isn't `expected_seq`, StoreFull
        when the disk is full, StoreError for anything else."""

    async def read(self, after: int = 0, limit: int | None = None) -> list[Event]: ...

    async def close(self) -> None: ...


@dataclass
class MemoryLog:
    events: list[Event] = field(default_factory=list)

    async def append(self, expected_seq: int, events: Sequence[Event]) -> None:
        require_sequence(self.events[-1].seq if self.events else 0, expected_seq, events)
        self.events.extend(events)

    async def read(self, after: int = 0, limit: int | None = None) -> list[Event]:
        return self.events[after : None if limit is None else after + limit]

    async def close(self) -> None:
        pass


def require_sequence(last: int, expected_seq: int, events: Sequence[Event]) -> None:
    if last != expected_seq:
        raise _taken(last, expected_seq)
    for place, event in enumerate(events, expected_seq + 1):
        if event.seq != place:
            raise SequenceTaken(f"event {event.seq} can't be number {place}")


def _taken(last: int, expected_seq: int) -> SequenceTaken:
    return SequenceTaken(f"the log ends with event {last}, not {expected_seq}: another process wrote to it")


Watch = Callable[[str, Sequence[Event]], None]
"""Called with `before` and `after` around each commit, in the thread that makes it: where crash tests cut
in."""


@dataclass(frozen=True, slots=True)
class _Append:
    expected_seq: int
    events: Sequence[Event]
    row_values: Sequence[Any]
    future: asyncio.Future[None]


_Job = Callable[[], Callable[[], None]]
"""Done in the log's thread; what it returns is called in the loop."""


class SqliteLog:
    """One connection, used by one thread at a time; appends that arrive together are synced together.

    A commit is made in the event loop's thread while commits are short, and in a thread of its own when the
    disk is slow. To hand a commit over costs more than a commit does: a loop that is busy lets go of the
    interpreter only for moments, and another thread may wait for it for seconds.
    """

    def __init__(self, path: Path, *, watch: Watch | None = None) -> None:
        """Opens or makes the log. Raises NewerSchema, or StoreError for what isn't a log."""
        self._path = path
        self._watch = watch
        self._connection = connect(path)
        self._last = last_seq(self._connection)
        self._gathered: list[_Append] = []
        self._gathering = False
        self._committing = False
        self._closed = False
        self._handed_over = 0
        """Jobs that the thread has; while there are any, the connection is the thread's."""
        # The first commit also makes the write-ahead file.
        self._turns = 1
        self._jobs: queue.SimpleQueue[tuple[_Job, asyncio.AbstractEventLoop] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"log {path.parent.name}", daemon=True)
        self._thread.start()

    async def append(self, expected_seq: int, events: Sequence[Event]) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        # Encoded here: what can't be written is the caller's error, not everybody's.
        rows = [(event.seq, event.at, event.type, encode(event.data)) for event in events]
        job = _Append(expected_seq, events, list(chain.from_iterable(rows)), future)
        if self._gathering:
            self._gathered.append(job)
        else:
            # All appends that come before the loop goes round are committed together.
            self._gathering = True
            loop.call_soon(self._gathered_all)
            self._gathered.append(job)
            self._flush()
        await future

    async def read(self, after: int = 0, limit: int | None = None) -> list[Event]:
        return await self.do(lambda connection: list(read_events(connection, after, limit)))

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` makes of the file, in the log's thread, after the appends that were asked for before.
        Raises StoreError for what sqlite3 raises in it, and HolderGone once the log is closed: a follower
        that is behind asks while its holder ends."""
        if self._closed:
            raise HolderGone("the run isn't carried out here any more: ask again")
        self._hand_over_gathered()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def job() -> Callable[[], None]:
            try:
                found = work(self._connection)
            except (sqlite3.Error, StoreError) as error:
                problem = error if isinstance(error, StoreError) else translated(error, self._path)
                return lambda: _settle(future, problem=problem)
            return lambda: _settle(future, found)

        self._hand_over(job, loop)
        return await future

    def do_later(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """As `do`, for work that nobody waits for: where it fails, a line of the program's log says so."""
        self._hand_over_gathered()

        def job() -> Callable[[], None]:
            try:
                work(self._connection)
            except sqlite3.Error as error:
                log("OrchestratorManager").info("%s", translated(error, self._path))
            return lambda: None

        self._hand_over(job, asyncio.get_running_loop())

    async def close(self) -> None:
        self._closed = True
        self._hand_over_gathered()
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    # In the loop's thread

    def _gathered_all(self) -> None:
        self._gathering = False
        if self._gathered:
            self._flush()

    def _flush(self) -> None:
        if self._committing:
            return  # they are taken together when this commit is done
        if self._handed_over or self._turns:
            self._hand_over_gathered()
            return
        jobs, self._gathered = self._gathered, []
        began = time.perf_counter()
        problems = self._commit(jobs)
        if time.perf_counter() - began > _SHORT_S:
            self._turns = _TURNS
        _answer(jobs, problems)

    def _hand_over_gathered(self) -> None:
        jobs, self._gathered = self._gathered, []
        if not jobs:
            return
        self._committing = True

        def job() -> Callable[[], None]:
            problems = self._commit(jobs)
            return lambda: self._committed(jobs, problems)

        self._hand_over(job, jobs[0].future.get_loop())

    def _hand_over(self, job: _Job, loop: asyncio.AbstractEventLoop) -> None:
        self._handed_over += 1
        self._jobs.put((job, loop))

    def _came_back(self, settle: Callable[[], None]) -> None:
        self._handed_over -= 1
        settle()

    def _committed(self, jobs: Sequence[_Append], problems: Sequence[StoreError | None]) -> None:
        self._committing = False
        self._turns = max(self._turns - 1, 0)
        _answer(jobs, problems)
        if self._gathered:
            self._flush()

    # In the log's own thread

    def _work(self) -> None:
        try:
            while (given := self._jobs.get()) is not None:
                job, loop = given
                settle = job()
                try:
                    loop.call_soon_threadsafe(self._came_back, settle)
                except RuntimeError:
                    # When the loop is closed, nobody waits for the result any more.
                    if not loop.is_closed():
                        raise
        finally:
            self._connection.close()

    # In either

    def _commit(self, jobs: Sequence[_Append]) -> list[StoreError | None]:
        """One transaction for all of them. What became of each, in order."""
        problems: list[StoreError | None] = []
        good: list[_Append] = []
        try:
            if jobs[0].expected_seq != self._last:
                self._last = last_seq(self._connection)
            last = self._last
            for job in jobs:
                try:
                    require_sequence(last, job.expected_seq, job.events)
                except SequenceTaken as error:
                    problems.append(error)
                    continue
                problems.append(None)
                if job.events:
                    good.append(job)
                    last += len(job.events)
            if good:
                self._tell("before", good)
                self._insert(list(chain.from_iterable(job.row_values for job in good)))
                self._last = last
        except (sqlite3.Error, OSError) as error:
            return self._undone(error, jobs, problems)
        if good:
            self._tell("after", good)
        return problems

    def _insert(self, values: Sequence[Any]) -> None:
        step = 4 * _BLOCK
        if len(values) <= step:
            self._connection.execute(_insertion(len(values) // 4), values)  # a transaction by itself
            return
        self._connection.execute("BEGIN IMMEDIATE")
        for start in range(0, len(values), step):
            block = values[start : start + step]
            self._connection.execute(_insertion(len(block) // 4), block)
        self._connection.execute("COMMIT")

    def _undone(
        self, error: Exception, jobs: Sequence[_Append], problems: Sequence[StoreError | None]
    ) -> list[StoreError | None]:
        try:
            # SQLite rolls back by itself when the disk is full; rolling back twice is an error of its own.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.IntegrityError):
                # Numbers are unique: another process has used these.
                self._last = last_seq(self._connection)
        except sqlite3.Error as again:
            error = again
        known = [*problems, *[None] * (len(jobs) - len(problems))]
        if isinstance(error, sqlite3.IntegrityError):
            return [
                problem or _taken(self._last, job.expected_seq)
                for job, problem in zip(jobs, known, strict=True)
            ]
        return [problem or translated(error, self._path) for problem in known]

    def _tell(self, when: str, jobs: Sequence[_Append]) -> None:
        if self._watch is not None:
            self._watch(when, [event for job in jobs for event in job.events])


@lru_cache
def _insertion(rows: int) -> str:
    return "INSERT INTO events VALUES " + ",".join(["(?,?,?,?)"] * rows)  # noqa: S608 - only their number varies


def _answer(jobs: Sequence[_Append], problems: Sequence[StoreError | None]) -> None:
    for job, problem in zip(jobs, problems, strict=True):
        _settle(job.future, problem=problem)


def _settle(future: asyncio.Future[Any], result: object = None, *, problem: StoreError | None = None) -> None:
    if future.done():
        return
    if problem is None:
        future.set_result(result)
    else:
        future.set_exception(problem)


def read_closed(path: Path, after: int = 0) -> list[Event]:
    """The events of a log that nobody holds. Raises NotFound, NewerSchema or StoreError."""
    with looking(path) as connection:
        return list(read_events(connection, after)) if connection is not None else []
