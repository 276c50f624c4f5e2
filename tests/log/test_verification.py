"""A fault in a stored run is found, and said with the event that it begins with."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from bigtask.core.evolve import fold
from bigtask.core.run import Run
from bigtask.core.states import TaskState
from bigtask.errors import StoreError
from bigtask.host.log import SqliteLog, read_closed
from bigtask.host.log_file import SCHEMA, looking
from bigtask.host.snapshot import encoded, keep
from bigtask.host.verification import Verified, contradictions, verify_events, verify_file

from .make_corpus import RUN_ID, stored


@pytest.fixture
async def log(tmp_path: Path) -> Path:
    """A run whose snapshot is of the middle."""
    path = tmp_path / "log.db"
    path.write_bytes(next(log for log in stored() if log.stem == "failures").read_bytes())
    opened = SqliteLog(path)
    events = await opened.read()
    await opened.do(lambda connection: keep(connection, 30, encoded(fold(RUN_ID, events[:30]))))
    await opened.close()
    return path


def verified(log: Path) -> Verified:
    with looking(log) as connection:
        assert connection is not None
        return verify_file(connection, RUN_ID)


def test_a_whole_log_is_told_with_figures(log: Path) -> None:
    found = verified(log)
    assert (found.run.seq, len(found.run.tasks), found.attempts) == (55, 4, 10)
    assert (found.schema, found.snapshot, found.other_snapshot) == (SCHEMA, 30, False)
    assert found.pages > 3


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM events WHERE seq = 12", "event 12 is missing: event 13 comes in its place"),
        ("DELETE FROM events WHERE seq = 1", "event 1 is missing"),
        ("UPDATE events SET data = '{' WHERE seq = 9", r"event 9 \(.*\) can't be read"),
        (
            "UPDATE events SET type = 'worker:dreamt' WHERE seq = 9",
            r"event 9 \(worker:dreamt\) can't be read",
        ),
        (
            """UPDATE events SET type = 'worker:completed', data = '{"taskId": "breaks", "attempt": 7}'
            WHERE seq = 20""",
            r"event 20 \(worker:completed\) can't follow what was before: there is no attempt 7",
        ),
        (
            """UPDATE events SET type = 'orchestrator:answered', data = '{"waitingId": "w9", "answer": "yes"}'
            WHERE seq = 20""",
            r"event 20 \(orchestrator:answered\) can't follow what was before: 'w9'",
        ),
        ("DELETE FROM events", "the log is empty"),
    ],
)
def test_an_event_that_is_missing_or_cannot_be_is_named(log: Path, statement: str, said: str) -> None:
    connection = sqlite3.connect(log)
    connection.execute(statement)
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match=said):
        verified(log)


def test_a_snapshot_that_says_something_else_is_found(log: Path) -> None:
    events = read_closed(log)
    run = fold(RUN_ID, events[:30])
    run.tasks["breaks"].failures += 1
    connection = sqlite3.connect(log, isolation_level=None)
    keep(connection, 30, encoded(run))
    connection.close()
    with pytest.raises(StoreError, match="the snapshot after event 30 isn't what the events"):
        verified(log)


def test_a_snapshot_of_another_version_is_said_and_no_fault(log: Path) -> None:
    connection = sqlite3.connect(log, isolation_level=None)
    connection.execute("UPDATE snapshots SET made_by = 'bigtask 0.0.1', state = x'00'")
    connection.close()
    found = verified(log)
    assert (found.snapshot, found.other_snapshot) == (None, True)


def test_a_damaged_file_is_found(log: Path) -> None:
    content = bytearray(log.read_bytes())
    page = 4096
    assert len(content) > 6 * page
    content[4 * page + 200 : 4 * page + 900] = b"\xa5" * 700
    log.write_bytes(content)
    with pytest.raises(StoreError):
        verified(log)


def miscount(run: Run) -> None:
    run.counts[TaskState.COMPLETED] += 1


def unlist_live(run: Run) -> None:
    run.live["breaks"] = 1


def unlist_merging(run: Run) -> None:
    run.integrating["breaks"] = 1


def renumber(run: Run) -> None:
    run.tasks["breaks"].attempts[0].number = 5


def wait_for_nobody(run: Run) -> None:
    run.tasks["depends"].missing = 3


def queue_what_is_over(run: Run) -> None:
    run.queue.push("breaks", (1, 0.0, 0))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (miscount, "4 completed, 1 partial are counted, and 3 completed, 1 partial are there"),
        (unlist_live, "breaks holds a slot"),
        (unlist_merging, "breaks is completed, and listed as being merged"),
        (renumber, r"breaks has the attempts \[5, 2, 3\]"),
        (wait_for_nobody, "depends waits for 3 tasks, and 0 aren't met"),
        (queue_what_is_over, "1 tasks are in the queue, and 0 are ready"),
    ],
)
def test_every_counter_is_held_against_what_it_counts(
    log: Path, spoil: Callable[[Run], None], said: str
) -> None:
    events = read_closed(log)
    assert list(contradictions(fold(RUN_ID, events))) == []

    def at_the_end(run: Run) -> None:
        if run.seq == len(events):
            spoil(run)

    with pytest.raises(StoreError, match=f"after event 55, the last, .*{said}"):
        verify_events(events, RUN_ID, after_each=at_the_end)
