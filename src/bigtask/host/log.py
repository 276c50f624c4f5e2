"""The event log of a run: appended to in order by one holder, read from any place in it.

`append` returns when the events would survive a power cut, and not before: whoever waits for it may tell
the world. `SqliteLog` is the one that runs use; `MemoryLog` keeps the same contract for tests and dry runs.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec

from bigtask.core.events import Event, decode, encode
from bigtask.errors import NewerSchema, NotFound, SequenceTaken, StoreError, StoreFull

SCHEMA = 1
_APPLICATION_ID = 0x62746B31
_BUSY_S = 10.0


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
        raise SequenceTaken(
            f"the log ends with event {last}, not {expected_seq}: another process wrote to it"
        )
    for place, event in enumerate(events, expected_seq + 1):
        if event.seq != place:
            raise SequenceTaken(f"event {event.seq} can't be number {place}")


Watch = Callable[[str, Sequence[Event]], None]
"""Called in the writer's thread with `before` and `after` around each commit: where crash tests cut in."""


class SqliteLog:
    """One connection, used by one thread; appends that arrive together are synced together."""

    def __init__(self, path: Path, *, watch: Watch | None = None) -> None:
        """Opens or makes the log. Raises NewerSchema, or StoreError for what isn't a log."""
        self._path = path
        self._watch = watch
        self._connection = connect(path)
        self._jobs: queue.SimpleQueue[_Append | _Read | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"log {path.parent.name}", daemon=True)
        self._thread.start()

    async def append(self, expected_seq: int, events: Sequence[Event]) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Encoded here: what can't be written is the caller's error, not the writer's end.
        rows = [(event.seq, event.at, event.type, encode(event.data)) for event in events]
        self._jobs.put(_Append(expected_seq, events, rows, future))
        await future

    async def read(self, after: int = 0, limit: int | None = None) -> list[Event]:
        future: asyncio.Future[list[Event]] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Read(after, limit, future))
        return await future

    async def close(self) -> None:
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                if isinstance(job, _Read):
                    _settle(job.future, self._read, job)
                    continue
                jobs, after = self._together(job)
                self._append(jobs)
                if isinstance(after, _Read):
                    _settle(after.future, self._read, after)
                elif after is _CLOSE:
                    return
        finally:
            self._connection.close()

    def _together(self, first: _Append) -> tuple[list[_Append], _Read | object | None]:
        """Every append that is waiting by now, and what stopped the collecting."""
        jobs = [first]
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, None
            if job is None:
                return jobs, _CLOSE
            if isinstance(job, _Read):
                return jobs, job
            jobs.append(job)

    def _append(self, jobs: Sequence[_Append]) -> None:
        connection = self._connection
        good: list[_Append] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            last = connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0]
            for job in jobs:
                try:
                    require_sequence(last, job.expected_seq, job.events)
                except SequenceTaken as error:
                    _call(job.future, job.future.set_exception, error)
                    continue
                connection.executemany(
                    "INSERT INTO events (seq, at, type, data) VALUES (?, ?, ?, ?)",
                    job.rows,
                )
                last += len(job.events)
                good.append(job)
            self._tell("before", good)
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            # SQLite rolls back by itself when the disk is full; rolling back twice is an error of its own.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for job in good or jobs:
                if not job.future.done():
                    _call(job.future, job.future.set_exception, _translate(error, self._path))
            return
        self._tell("after", good)
        for job in good:
            _call(job.future, job.future.set_result, None)

    def _tell(self, when: str, jobs: Sequence[_Append]) -> None:
        if self._watch is not None:
            self._watch(when, [event for job in jobs for event in job.events])

    def _read(self, job: _Read) -> list[Event]:
        return list(read_events(self._connection, job.after, job.limit))


@dataclass(frozen=True, slots=True)
class _Append:
    expected_seq: int
    events: Sequence[Event]
    rows: Sequence[tuple[int, int, str, bytes]]
    future: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class _Read:
    after: int
    limit: int | None
    future: asyncio.Future[list[Event]]


_CLOSE = object()


def _settle(future: asyncio.Future[list[Event]], work: Callable[[_Read], list[Event]], job: _Read) -> None:
    try:
        found = work(job)
    except (sqlite3.Error, StoreError) as error:
        _call(
            future, future.set_exception, error if isinstance(error, StoreError) else StoreError(str(error))
        )
    else:
        _call(future, future.set_result, found)


def _call(future: asyncio.Future[Any], set_outcome: Callable[..., None], value: object) -> None:
    """From the writer's thread into the loop that waits; a loop that is gone doesn't wait any more."""

    def settle() -> None:
        if not future.done():
            set_outcome(value)

    try:
        future.get_loop().call_soon_threadsafe(settle)
    except RuntimeError:
        if not future.get_loop().is_closed():
            raise


def connect(path: Path) -> sqlite3.Connection:
    """Durable at every commit: a write-ahead log that is synced each time (`synchronous=FULL`)."""
    try:
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            version = _require_schema(connection, path)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            if version == 0:
                _make_tables(connection)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise _translate(error, path) from None
    return connection


def _require_schema(connection: sqlite3.Connection, path: Path) -> int:
    """Looks before anything is changed; 0 for a new file."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA:
        raise NewerSchema(
            f"{path} was written by a newer bigtask (schema {version}, this one knows {SCHEMA}): "
            "upgrade bigtask; nothing was changed"
        )
    return version


def _make_tables(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS events ("
        " seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, type TEXT NOT NULL, data BLOB NOT NULL)"
    )
    connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={SCHEMA}")
    connection.execute("COMMIT")


def read_events(connection: sqlite3.Connection, after: int, limit: int | None) -> Iterator[Event]:
    rows = connection.execute(
        "SELECT seq, at, type, data FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
        (after, -1 if limit is None else limit),
    )
    for seq, at, type_name, data in rows:
        try:
            yield Event(seq, at, decode(type_name, data))
        except (KeyError, msgspec.DecodeError) as error:
            raise StoreError(f"event {seq} ({type_name}) can't be read: {error}") from None


def read_closed(path: Path, after: int = 0) -> list[Event]:
    """The events of a log that nobody holds. Raises NotFound, NewerSchema or StoreError."""
    if not path.exists():
        raise NotFound(f"{path} isn't there")
    connection = connect(path)
    try:
        return list(read_events(connection, after, None))
    except sqlite3.Error as error:
        raise _translate(error, path) from None
    finally:
        connection.close()


def _translate(error: Exception, path: Path) -> StoreError:
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_FULL or "disk is full" in str(error):
        return StoreFull(f"the disk is full: free some space for {path.parent}; the run goes on by itself")
    return StoreError(f"{path} can't be used as a log: {error}")
