"""The state of a run, kept beside its events so that a long log needn't be folded from its beginning.

A snapshot is a shortcut and never needed. It counts only for the very version of bigtask that made it, for
the same events mean the same state only to the same rules, and only where the log reaches as far as it does:
a power cut may have taken the end of one and not of the other. In any other case the whole log is folded.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec

from bigtask.core.events import Event
from bigtask.core.evolve import evolve, fold
from bigtask.core.queue import Entry, ReadyQueue
from bigtask.core.run import Run
from bigtask.host.log import SqliteLog
from bigtask.host.log_file import last_seq, read_events, schema_of

SHAPE = 8
"""Grows by one when the fields of `Run`, or of anything in it, change: a test tells when they have."""

_EVERY = 5_000
_EVERY_OF_TASKS = 4
_WORTH_IT = 500
"""Events. A shorter log is folded in less time than its snapshot takes to be made."""


class Snapshot(msgspec.Struct, frozen=True):
    """A row of `snapshots`: `state` is the run after the event `seq`, as compressed JSON."""

    seq: int
    made_by: str
    state: bytes


@cache
def made_by() -> str:
    return f"bigtask {version('bigtask')}, shape {SHAPE}"


def encoded(run: Run) -> bytes:
    return msgspec.json.encode(run, enc_hook=_plain)


def decoded(state: bytes) -> Run:
    """Raises `msgspec.DecodeError` for what isn't a state of today's shape."""
    return msgspec.json.decode(state, type=Run, dec_hook=_made)


def _plain(value: Any) -> Any:
    assert isinstance(value, ReadyQueue)
    return value.entries()


def _made(kind: type[Any], value: Any) -> ReadyQueue:
    assert kind is ReadyQueue
    return ReadyQueue.of(msgspec.convert(value, list[Entry]))


def shape() -> dict[str, Any]:
    """What `SHAPE` is the number of: every field that a state has, as a JSON schema."""
    return msgspec.json.schema(Run, schema_hook=lambda kind: msgspec.json.schema(list[Entry]))


def keep(connection: sqlite3.Connection, seq: int, state: bytes) -> None:
    """In place of those that there are; not for events that aren't in the log. Raises `sqlite3.Error`."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if last_seq(connection) < seq:
            return
        connection.execute("DELETE FROM snapshots")
        row = (seq, made_by(), zlib.compress(state, 1))
        connection.execute("INSERT INTO snapshots (seq, made_by, state) VALUES (?, ?, ?)", row)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def newest(connection: sqlite3.Connection) -> Snapshot | None:
    """The last one that is stored, whoever made it, if the log reaches as far."""
    if schema_of(connection) < 2:
        return None
    row = connection.execute(
        "SELECT seq, made_by, state FROM snapshots WHERE seq <= (SELECT max(seq) FROM events)"
        " ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    return None if row is None else Snapshot(*row)


def opened(snapshot: Snapshot) -> Run | None:
    """None for one that doesn't count here."""
    if snapshot.made_by != made_by():
        return None
    try:
        run = decoded(zlib.decompress(snapshot.state))
    except (zlib.error, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return run if run.seq == snapshot.seq else None


def restored(connection: sqlite3.Connection, run_id: str) -> tuple[Run, int] | None:
    """The state after the last event: a snapshot and what came after it, or the fold of the whole log; and
    which event the snapshot was made after, 0 without one. None for a log without events. Raises StoreError
    for an event that can't be read."""
    found = newest(connection)
    run = opened(found) if found is not None else None
    if run is None or run.id != run_id:
        events = read_events(connection)
        return (fold(run_id, events), 0) if last_seq(connection) else None
    kept = run.seq
    for event in read_events(connection, kept):
        evolve(run, event)
    return run, kept


class SnapshotLog:
    """A log that keeps a snapshot of its run now and then, while the run is at rest after an append, and at
    the end. Nobody waits for them."""

    def __init__(self, log: SqliteLog, run: Run, *, kept: int, every: int = _EVERY) -> None:
        """`kept` is the event that the newest snapshot was made after."""
        self._log = log
        self._run = run
        self._kept = kept
        self._every = every

    async def append(self, expected_seq: int, events: Sequence[Event]) -> None:
        await self._log.append(expected_seq, events)
        since = self._run.seq - self._kept
        if since >= max(self._every, _EVERY_OF_TASKS * len(self._run.tasks)):
            self._keep()

    async def read(self, after: int = 0, limit: int | None = None) -> list[Event]:
        return await self._log.read(after, limit)

    async def close(self) -> None:
        await self._log.close()

    def keep_last(self) -> None:
        """When the holder has recorded everything, before the log is closed: the next one begins with it."""
        if self._run.seq - self._kept >= min(self._every, _WORTH_IT):
            self._keep()

    def _keep(self) -> None:
        # Now: the next event changes the run in its place.
        seq, state = self._run.seq, encoded(self._run)
        self._kept = seq
        self._log.do_later(lambda connection: keep(connection, seq, state))
