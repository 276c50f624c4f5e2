"""Whether a stored run is whole: its file, the order of its events, what they mean together, its snapshot."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from bigtask.core.events import Event
from bigtask.core.evolve import begin, evolve
from bigtask.core.run import Run
from bigtask.core.states import LIVE, NOT_BEGUN, TaskState
from bigtask.errors import StoreError
from bigtask.host import snapshot as snapshots
from bigtask.host.log_file import read_events, schema_of

ILLEGAL = (AssertionError, LookupError, AttributeError, TypeError, ValueError, ArithmeticError)
"""What the fold raises for events that can be read and can't have happened like this."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A log that was found to be right. `schema` is None where the log's own file couldn't be looked at;
    `snapshot` is the number of the event after which a snapshot was made, None without one; `other_snapshot`
    says that there is a snapshot of another version, which doesn't count here."""

    run: Run
    attempts: int
    schema: int | None = None
    pages: int = 0
    snapshot: int | None = None
    other_snapshot: bool = False


def verify_file(connection: sqlite3.Connection, run_id: str) -> Verified:
    """Raises StoreError, saying what is wrong and with which event it begins."""
    said = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
    if said != ["ok"]:
        raise StoreError(f"the file is damaged: {'; '.join(said)}")
    found = snapshots.newest(connection)
    kept = snapshots.opened(found) if found is not None else None

    def compare(run: Run) -> None:
        if kept is not None and run.seq == kept.seq and _comparable(run) != _comparable(kept):
            raise StoreError(f"the snapshot after event {run.seq} isn't what the events up to there lead to")

    verified = verify_events(read_events(connection), run_id, after_each=compare)
    return replace(
        verified,
        schema=schema_of(connection),
        pages=int(connection.execute("PRAGMA page_count").fetchone()[0]),
        snapshot=kept.seq if kept is not None else None,
        other_snapshot=found is not None and kept is None,
    )


def verify_events(
    events: Iterable[Event], run_id: str, *, after_each: Callable[[Run], None] = lambda run: None
) -> Verified:
    """As for a log, for events without a file, such as those of an export."""
    run: Run | None = None
    for event in events:
        run = step(run, event, run_id)
        after_each(run)
    if run is None:
        raise StoreError("the log is empty: its run was never made whole")
    for contradiction in contradictions(run):
        raise StoreError(f"after event {run.seq}, the last, {contradiction}")
    return Verified(run=run, attempts=sum(len(record.attempts) for record in run.all_records()))


def step(run: Run | None, event: Event, run_id: str) -> Run:
    """The run with the event folded in, whoever wrote it. Raises StoreError, naming the event."""
    due = 1 if run is None else run.seq + 1
    if event.seq != due:
        raise StoreError(f"event {due} is missing: event {event.seq} comes in its place")
    try:
        if run is None:
            return begin(run_id, event)
        evolve(run, event)
    except ILLEGAL as error:
        said = str(error) or type(error).__name__
        raise StoreError(f"event {event.seq} ({event.type}) can't follow what was before: {said}") from None
    return run


def contradictions(run: Run) -> Iterator[str]:
    """Where what is counted isn't what is there, as ends of sentences."""
    records = {record.task.id: record for record in run.all_records()}
    counted = {**dict.fromkeys(TaskState, 0), **Counter(record.state for record in run.tasks.values())}
    if run.counts != counted:
        yield f"{_counts(run.counts)} are counted, and {_counts(counted)} are there"
    for id, record in records.items():
        numbers = [attempt.number for attempt in record.attempts]
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"{id} has the attempts {numbers}"
        live = record.attempt is not None and record.attempt.state in LIVE
        if (id in run.live) != live:
            yield f"{id} {'holds' if id in run.live else 'lacks'} a slot, and its attempt says otherwise"
        merging = record.state is TaskState.INTEGRATING
        if (id in run.integrating) != merging:
            yield f"{id} is {record.state}, and {'not ' if merging else ''}listed as being merged"
        needs = [run.tasks[need] for need in record.task.dependencies if need in run.tasks]
        if record.missing != sum(not need.met for need in needs):
            yield f"{id} waits for {record.missing} tasks, and {sum(not n.met for n in needs)} aren't met"
        if record.state in NOT_BEGUN and (record.state is TaskState.READY) != (not record.missing):
            yield f"{id} is {record.state} while {record.missing} tasks before it aren't met"
    ready = sorted(id for id, record in run.tasks.items() if record.state is TaskState.READY)
    if sorted(id for id, _, _ in run.queue.entries()) != ready:
        yield f"{len(run.queue)} tasks are in the queue, and {len(ready)} are ready"


def _counts(counts: dict[TaskState, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in counts.items() if number) or "no tasks"


def _comparable(run: Run) -> Any:
    """Without the times in its queue: a holder looks at the clock, and takes out what is due."""
    whole = msgspec.json.decode(snapshots.encoded(run))
    return {**whole, "queue": [entry[:2] for entry in whole["queue"]]}
