"""Events of earlier schemas are read as today's, in the order in which the schemas came."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from bigtask.core.events import Cancelled, Event, Resumed, Started
from bigtask.errors import StoreError
from bigtask.host.log import SCHEMA, SqliteLog
from bigtask.host.log_file import read_events
from bigtask.host.upcasters import UPCASTERS, Upcaster, changed_since, upcast


def begun(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "orchestrator:begun", {"who": data["by"]}


def started(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "orchestrator:started", {"by": data["who"].title()}


TABLE: dict[int, dict[str, Upcaster]] = {
    1: {"orchestrator:first": begun},
    2: {},
    3: {"orchestrator:begun": started},
}


def test_every_schema_but_the_last_says_what_changed_after_it() -> None:
    assert sorted(UPCASTERS) == list(range(1, SCHEMA))


@pytest.mark.parametrize(
    ("schema", "type_name", "data", "today"),
    [
        (1, "orchestrator:first", b'{"by": "ada"}', ("orchestrator:started", b'{"by":"Ada"}')),
        (2, "orchestrator:begun", b'{"who": "ada"}', ("orchestrator:started", b'{"by":"Ada"}')),
        (3, "orchestrator:begun", b'{"who": "ada"}', ("orchestrator:started", b'{"by":"Ada"}')),
        (4, "orchestrator:begun", b"{}", ("orchestrator:begun", b"{}")),
        (2, "orchestrator:first", b"{}", ("orchestrator:first", b"{}")),
        (1, "orchestrator:paused", b"not looked at", ("orchestrator:paused", b"not looked at")),
    ],
)
def test_an_event_goes_through_each_schema_after_its_own(
    schema: int, type_name: str, data: bytes, today: tuple[str, bytes]
) -> None:
    assert upcast(schema, type_name, data, TABLE) == today


def test_only_what_may_have_changed_is_looked_at() -> None:
    assert [changed_since(schema, TABLE) for schema in (1, 2, 3, 4)] == [True, True, True, False]
    assert not changed_since(1, {1: {}})


@pytest.fixture
async def older(tmp_path: Path) -> sqlite3.Connection:
    """A log whose first two events are of schema 1, the third of 2."""
    log = SqliteLog(tmp_path / "log.db")
    await log.append(0, [Event(1, 5, Resumed()), Event(2, 6, Resumed()), Event(3, 7, Cancelled(by="Bo"))])
    await log.close()
    connection = sqlite3.connect(tmp_path / "log.db", isolation_level=None)
    connection.execute(
        "UPDATE events SET type = 'orchestrator:first', data = '{\"by\": \"ada\"}' WHERE seq < 3"
    )
    connection.execute("DELETE FROM schemas")
    connection.execute("INSERT INTO schemas VALUES (1, 1), (3, 4)")
    return connection


async def test_a_log_is_read_by_the_schema_that_each_event_was_written_in(older: sqlite3.Connection) -> None:
    today = [Event(1, 5, Started(by="Ada")), Event(2, 6, Started(by="Ada")), Event(3, 7, Cancelled(by="Bo"))]
    for after in range(4):
        assert list(read_events(older, after, upcasters=TABLE)) == today[after:]
    older.close()


async def test_an_old_event_that_lacks_what_its_type_always_had_is_named(older: sqlite3.Connection) -> None:
    for data in ("{}", "[]", "{"):
        older.execute("UPDATE events SET data = ? WHERE seq = 2", (data,))
        with pytest.raises(StoreError, match=r"event 2 \(orchestrator:first\) can't be read"):
            list(read_events(older, upcasters=TABLE))
    older.close()
