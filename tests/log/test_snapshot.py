"""A snapshot and what came after it say what the whole log says, or the snapshot doesn't count."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bigtask.agents.table import AgentTable
from bigtask.core import events as e
from bigtask.core.commands import Start
from bigtask.core.events import Event
from bigtask.core.evolve import evolve, fold
from bigtask.core.queue import ReadyQueue
from bigtask.core.run import Run
from bigtask.core.states import Phase
from bigtask.core.values import Evidence, Plan, Report, Settings, Source, Task, Usage
from bigtask.host import snapshot
from bigtask.host.access import hold, read, read_run
from bigtask.host.home import Home, RunFolder
from bigtask.host.log import SqliteLog, read_closed
from bigtask.host.log_file import looking
from bigtask.host.snapshot import SnapshotLog, decoded, encoded, keep, made_by, newest, opened, restored
from core.world import require_same
from projects import Desk, repository

from .make_corpus import RUN_ID, stored

SHAPE_SEEN = (8, "a4f768b1b50fde59")
"""`SHAPE` and the digest of what it is the number of. Where the digest has changed, so have the fields of a
run: raise `SHAPE` in bigtask/host/snapshot.py by one, and put both here."""


def without_words(schema: Any) -> Any:
    """Docstrings may be mended without anybody's snapshot being lost."""
    if isinstance(schema, list):
        return [without_words(each) for each in schema]
    if isinstance(schema, dict):
        return {
            key: without_words(value)
            for key, value in schema.items()
            if not (key == "description" and isinstance(value, str))
        }
    return schema


def test_the_number_of_the_shape_grows_when_the_shape_changes() -> None:
    told = json.dumps(without_words(snapshot.shape()), sort_keys=True)
    digest = hashlib.sha256(told.encode()).hexdigest()[:16]
    assert (snapshot.SHAPE, digest) == SHAPE_SEEN


# Runs of many shapes: every history of the corpus, cut at every event


def histories() -> list[Any]:
    return [pytest.param(log, id=f"{log.parent.name}/{log.stem}") for log in stored()]


@pytest.mark.parametrize("log", histories())
def test_at_every_event_snapshot_and_tail_are_the_fold_of_the_whole(log: Path, tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(log.read_bytes())
    events = read_closed(tmp_path / "log.db")
    whole = fold(RUN_ID, events)
    for cut in range(1, len(events) + 1):
        before = fold(RUN_ID, events[:cut])
        run = decoded(encoded(before))
        require_same(run, before)
        assert encoded(run) == encoded(decoded(encoded(run)))
        for event in events[cut:]:
            evolve(run, event)
        require_same(run, whole)


def test_a_queue_gives_the_same_answers_after_it_was_stored() -> None:
    queue = ReadyQueue()
    for number in range(20):
        queue.push(f"t{number}", (number % 3, -float(number), number), not_before=50 * (number % 4))
    for id in ("t3", "t9"):
        queue.discard(id)
    queue.push("t9", (0, 0.0, 9))

    def clash(id: str) -> str | None:
        return "other" if id in ("t0", "t8") else None

    assert queue.peek(60, clash) is not None
    again = ReadyQueue.of(queue.entries())
    assert again.entries() == queue.entries()
    assert len(again) == len(queue) == 19
    assert again.next_due() == queue.next_due() == 100
    for each in (queue, again):
        each.release("other")
    while (id := queue.peek(1_000, lambda _: None)) is not None:
        assert again.peek(1_000, lambda _: None) == id
        queue.discard(id)
        again.discard(id)
    assert not len(again)


# What doesn't count


def a_log(tmp_path: Path, name: str = "complete") -> tuple[Path, list[Event]]:
    source = next(log for log in stored() if log.stem == name)
    path = tmp_path / "log.db"
    path.write_bytes(source.read_bytes())
    events = read_closed(path)

    async def bring_up_to_date() -> None:
        await SqliteLog(path).close()

    asyncio.run(bring_up_to_date())
    return path, events


def spoiled(how: str, events: list[Event]) -> Callable[[sqlite3.Connection], None]:
    half = len(events) // 2
    state = encoded(fold(RUN_ID, events[:half]))
    # One that would be noticed if it counted.
    wrong = state.replace(b'"Do the work"', b'"Do other work"')
    assert wrong != state
    future = fold(RUN_ID, events)
    future.seq += 1
    seq, by, stored_state = {
        "another version's": (half, "bigtask 0.0.1, shape 1", zlib.compress(wrong)),
        "of another shape": (half, made_by(), zlib.compress(b'{"id": "x"}')),
        "beyond the log": (future.seq, made_by(), zlib.compress(encoded(future))),
        "of another event": (half + 1, made_by(), zlib.compress(wrong)),
        "of another run": (half, made_by(), zlib.compress(wrong.replace(RUN_ID.encode(), b"0" * 26))),
        "cut": (half, made_by(), zlib.compress(wrong)[:-30]),
        "no JSON": (half, made_by(), zlib.compress(b"\xff\xfe")),
        "empty": (half, made_by(), b""),
    }[how]
    return lambda connection: (
        connection.execute("INSERT INTO snapshots VALUES (?, ?, ?)", (seq, by, stored_state)) and None
    )


@pytest.mark.parametrize(
    "how",
    [
        "another version's",
        "of another shape",
        "beyond the log",
        "of another event",
        "of another run",
        "cut",
        "no JSON",
        "empty",
    ],
)
def test_a_snapshot_that_isnt_ours_in_every_way_is_as_if_it_werent_there(how: str, tmp_path: Path) -> None:
    path, events = a_log(tmp_path)
    connection = sqlite3.connect(path, isolation_level=None)
    spoiled(how, events)(connection)
    found = restored(connection, RUN_ID)
    connection.close()
    assert found is not None
    run, kept = found
    assert kept == 0
    require_same(run, fold(RUN_ID, events))


def test_a_snapshot_that_counts_is_used(tmp_path: Path) -> None:
    """The other tests would pass if none ever were."""
    path, events = a_log(tmp_path)
    state = encoded(fold(RUN_ID, events[:20])).replace(b'"Do the work"', b'"Do other work"')
    connection = sqlite3.connect(path, isolation_level=None)
    keep(connection, 20, state)
    found = restored(connection, RUN_ID)
    connection.close()
    assert found is not None
    run, kept = found
    assert (kept, run.seq, run.created.request) == (20, len(events), "Do other work")


def test_there_is_one_snapshot_and_none_of_what_isnt_in_the_log(tmp_path: Path) -> None:
    path, events = a_log(tmp_path)
    connection = sqlite3.connect(path, isolation_level=None)
    for seq in (5, 20, len(events) + 1):
        keep(connection, seq, b"{}")
    assert connection.execute("SELECT seq FROM snapshots").fetchall() == [(20,)]
    connection.close()


def test_a_log_of_schema_1_has_no_snapshot(tmp_path: Path) -> None:
    log = next(log for log in stored() if log.parent.name == "schema-1")
    (tmp_path / "log.db").write_bytes(log.read_bytes())
    with looking(tmp_path / "log.db") as connection:
        assert connection is not None
        assert newest(connection) is None


# Kept by whoever holds the run


async def test_a_snapshot_is_kept_every_so_many_events_and_at_the_end(tmp_path: Path) -> None:
    source = next(log for log in stored() if log.stem == "failures")
    (tmp_path / "source.db").write_bytes(source.read_bytes())
    events = read_closed(tmp_path / "source.db")
    run = fold(RUN_ID, events[:1])
    file = SqliteLog(tmp_path / "log.db")
    kept: list[int] = []
    try:
        await file.append(0, events[:1])
        log = SnapshotLog(file, run, kept=0, every=20)
        for event in events[1:]:
            evolve(run, event)
            await log.append(event.seq - 1, [event])
            found = await file.do(newest)
            if found is not None and found.seq not in kept:
                kept.append(found.seq)
                require_same(opened(found) or fold(RUN_ID, []), fold(RUN_ID, events[: found.seq]))
        log.keep_last()
    finally:
        await file.close()
    assert kept == [20, 40]
    with looking(tmp_path / "log.db") as connection:
        assert connection is not None
        run_again, seq = restored(connection, RUN_ID) or (None, 0)
        assert seq == 40, "what came after is fewer events than a snapshot is worth"
        assert run_again is not None
        require_same(run_again, fold(RUN_ID, events))


@pytest.mark.integration
async def test_a_holder_that_ends_well_leaves_its_state_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = await a_run(tmp_path)
    async with hold(folder, AgentTable(), who="a test") as link:
        await link.ask(Start())
        async for event in link.follow():
            if event.type == "orchestrator:completed":
                break
        there = link.holder.run
        assert there.seq > 500
    with looking(folder.log) as connection:
        assert connection is not None
        found = newest(connection)
    assert found is not None
    assert found.seq == there.seq
    require_same(await read_run(folder), fold(folder.id, await read(folder)))
    async with hold(folder, AgentTable(), who="the next") as link:
        require_same(link.holder.run, there)


async def a_run(place: Path) -> RunFolder:
    desk = Desk(Home(place / "home"))
    project = repository(place / "project")
    desk.home.path.mkdir()
    off = {"enabled": False}
    desk.template(
        config={"isolation": "none", "maxWorkers": 16},
        phases={"analysis": off, "aggregation": off, "taskPlanning": {"validation": {"maxTasks": 200}}},
    )
    answer = {"do": "answer", "data": {"status": "success", "summary": "Done.", "output_files": []}}
    script = {
        "tasks": [{"id": f"t{number}"} for number in range(130)],
        "turns": [{"when": {"phase": "workerExecution"}, "steps": [answer]}],
    }
    return await desk.create(project, agent=desk.script(script))


# A run of 10,000 tasks

TASKS = 10_000


def many_tasks() -> list[Event]:
    """The tasks hang together in 100 chains; nine of ten are done, and 64 are at work."""
    ids = [f"t{number}" for number in range(TASKS)]
    plan = tuple(
        Task(
            id=id,
            title=f"Do {id}",
            description="Write the module and its page, as the analysis says.",
            scope=(f"src/{id}/**",),
            dependencies=(ids[number - 100],) if number >= 100 else (),
        )
        for number, id in enumerate(ids)
    )
    report = Report(
        data={"status": "success", "summary": "Wrote the module and its page.", "output_files": []}
    )
    source = Source(kind="git", cwd="/project", root="/project")
    happened: list[e.Happened] = [
        e.Created(
            template_id="custom", template={}, request="All", source=source, settings=Settings(agent="plain")
        ),
        e.Started(),
        e.PhaseChanged(phase=Phase.WORKER_EXECUTION),
        e.TasksReady(plan=Plan(revision=1, tasks=plan)),
        e.Confirmed(revision=1),
    ]
    done = TASKS * 9 // 10
    for id in ids[:done]:
        who: dict[str, Any] = {"task_id": id, "attempt": 1}
        happened += (
            e.WorkerSpawned(**who, agent="plain", session_name=f"bigtask_{id}"),
            e.WorkerStarted(**who, session_id=f"session-{id}", branch=f"bigtask/run/{id}/1"),
            e.WorkerReported(**who, report=report, usage=Usage(input_tokens=900), tools={"write": 2}),
            e.WorkerMerged(
                **who, evidence=Evidence(files=(f"src/{id}/a.py",), insertions=9, commit="c0ffee")
            ),
            e.WorkerCompleted(**who),
        )
    for id in ids[done : done + 64]:
        happened.append(e.WorkerSpawned(task_id=id, attempt=1, agent="plain", session_name=f"bigtask_{id}"))
    return [Event(seq, 1_000_000 + seq, data) for seq, data in enumerate(happened, 1)]


def ready(path: Path) -> tuple[Run, int]:
    with looking(path) as connection:
        assert connection is not None
        found = restored(connection, RUN_ID)
    assert found is not None
    return found


@pytest.mark.integration
async def test_a_run_of_ten_thousand_tasks_is_the_same_with_and_without_a_snapshot(tmp_path: Path) -> None:
    events = many_tasks()
    assert len(events) > 45_000
    log = SqliteLog(tmp_path / "log.db")
    try:
        await log.append(0, events)
        whole, kept = ready(tmp_path / "log.db")
        assert (whole.seq, kept, len(whole.live)) == (len(events), 0, 64)
        state = encoded(fold(RUN_ID, events[:-500]))
        await log.do(lambda connection: keep(connection, len(events) - 500, state))
    finally:
        await log.close()
    short, kept = ready(tmp_path / "log.db")
    assert kept == len(events) - 500
    require_same(short, whole)
