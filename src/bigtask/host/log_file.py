"""The file of a log: its tables, how they came to be, and what may be opened.

    events     seq, at, type, data       never changed, never removed
    schemas    from_seq, schema          in which schema the events from there on were written
    snapshots  seq, made_by, state       see `bigtask.host.snapshot`: a shortcut, never needed

`PRAGMA user_version` is the schema of the file as a whole. Only whoever appends brings an older file up to
date; reading leaves it as it is.
"""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bigtask.core.events import Event, decode
from bigtask.errors import NewerSchema, NotFound, StoreError, StoreFull
from bigtask.host.upcasters import UPCASTERS, Upcaster, changed_since, upcast

SCHEMA = 2
_APPLICATION_ID = 0x62746B31
_BUSY_S = 10.0
_PRIMARY = 0xFF
_SHARED = 64 * 1024

_STEPS: dict[int, Sequence[str]] = {
    1: (
        """CREATE TABLE events (
            seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, type TEXT NOT NULL, data BLOB NOT NULL)""",
        f"PRAGMA application_id={_APPLICATION_ID}",
    ),
    2: (
        "CREATE TABLE schemas (from_seq INTEGER PRIMARY KEY, schema INTEGER NOT NULL)",
        "INSERT INTO schemas SELECT 1, 1 WHERE EXISTS (SELECT 1 FROM events)",
        "CREATE TABLE snapshots (seq INTEGER PRIMARY KEY, made_by TEXT NOT NULL, state BLOB NOT NULL)",
    ),
}
"""What makes a file of each schema out of one of the schema before."""


def connect(path: Path) -> sqlite3.Connection:
    """To append: durable at every commit, by a write-ahead log that is synced each time (`synchronous=FULL`).
    A file that isn't there is made, one of an older schema brought up to date.

    Raises NewerSchema, or StoreError for what isn't a log; then nothing was changed.
    """
    with _opened(path, keep=True) as connection:
        version = _require_schema(connection, path)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        if version < SCHEMA:
            _bring_up_to_date(connection)
    return connection


@contextmanager
def looking(path: Path) -> Iterator[sqlite3.Connection | None]:
    """A log that nobody holds, to read from; None for a file that has nothing in it yet. Raises NotFound,
    NewerSchema or StoreError, also for what sqlite3 raises inside the block."""
    if not path.exists():
        raise NotFound(f"{path} isn't there")
    with _opened(path) as connection:
        yield connection if _require_schema(connection, path) else None


@contextmanager
def _opened(path: Path, *, keep: bool = False) -> Iterator[sqlite3.Connection]:
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        yield connection
    except BaseException as error:
        keep = False
        if isinstance(error, sqlite3.Error):
            raise translated(error, path) from None
        raise
    finally:
        if connection is not None and not keep:
            connection.close()


def _require_schema(connection: sqlite3.Connection, path: Path) -> int:
    """Looks before anything is changed; 0 for a new file."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    ours = connection.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION_ID
    if not ours and (version or connection.execute("SELECT 1 FROM sqlite_master").fetchone()):
        raise StoreError(f"{path} can't be used as a log: it is a database of something else")
    if version > SCHEMA:
        raise NewerSchema(
            f"{path} was written by a newer bigtask (schema {version}, this one knows {SCHEMA}): "
            "upgrade bigtask; nothing was changed"
        )
    return version


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Looked at again: another process may have been at it just now.
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        for step in range(version + 1, SCHEMA + 1):
            for statement in _STEPS[step]:
                connection.execute(statement)
        connection.execute(
            "INSERT OR REPLACE INTO schemas SELECT coalesce(max(seq), 0) + 1, ? FROM events", (SCHEMA,)
        )
        connection.execute(f"PRAGMA user_version={SCHEMA}")
        connection.execute("COMMIT")
    except BaseException:
        # SQLite rolls back by itself when the disk is full; rolling back twice is an error of its own.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def last_seq(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])


def schema_of(connection: sqlite3.Connection) -> int:
    """The file's, which may be older than ours where nobody has appended to it since."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def read_events(
    connection: sqlite3.Connection,
    after: int = 0,
    limit: int | None = None,
    *,
    upcasters: Mapping[int, Mapping[str, Upcaster]] = UPCASTERS,
) -> Iterator[Event]:
    """In order, as today's version has them. Raises StoreError, naming the event that can't be read."""
    written = deque(_schemas(connection))
    schema, is_old = 1, False
    rows = connection.execute(
        "SELECT seq, at, type, data FROM events WHERE seq > ? ORDER BY seq LIMIT ?",
        (after, -1 if limit is None else limit),
    )
    for seq, at, type_name, data in rows:
        while written and written[0][0] <= seq:
            schema = written.popleft()[1]
            is_old = changed_since(schema, upcasters)
        try:
            name, today = upcast(schema, type_name, data, upcasters) if is_old else (type_name, data)
            yield Event(seq, at, decode(name, today))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise StoreError(f"event {seq} ({type_name}) can't be read: {error}") from None


def _schemas(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    """From which event on which schema was written."""
    if schema_of(connection) < 2:
        return [(1, 1)]
    return connection.execute("SELECT from_seq, schema FROM schemas ORDER BY from_seq").fetchall()


def _room(path: Path) -> int:
    """Bytes that are free where it lies."""
    there = os.statvfs(path.parent)
    return there.f_bavail * there.f_frsize


def translated(error: Exception, path: Path) -> StoreError:
    code = getattr(error, "sqlite_errorcode", None) or sqlite3.SQLITE_OK
    full = code == sqlite3.SQLITE_FULL or "disk is full" in str(error)
    # Where SQLite needs room only to begin, for what it shares in memory, it calls that an I/O error.
    if full or (code & _PRIMARY == sqlite3.SQLITE_IOERR and _room(path) < _SHARED):
        return StoreFull(f"the disk is full: free some space for {path.parent}; the run goes on by itself")
    return StoreError(f"{path} can't be used as a log: {error}")
