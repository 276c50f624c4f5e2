"""A world around a run: it folds, settles and checks as a holder does, without disk, clock or chance.

After every event the state is held against its own rules and against a fresh fold of everything that was
recorded, read back from JSON.
"""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from typing import Any

import msgspec
import pytest

from bigtask.core import commands as c
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core import plan as plans
from bigtask.core.decide import decide, wakes_at
from bigtask.core.evolve import begin, evolve, fold
from bigtask.core.reactions import observe
from bigtask.core.run import Run
from bigtask.core.states import ENDED, LIVE, NOT_BEGUN, RESTING, AttemptState, Phase, TaskState
from bigtask.core.values import (
    AGGREGATION,
    PLANNING,
    RESERVED,
    VERIFICATION,
    Evidence,
    PhaseSettings,
    Report,
    Settings,
    Source,
    Task,
    Usage,
)

RUN_ID = "01hzzzzzzzzzzzzzzzzzzzzzzz"
RESUMABLE = ("patient",)
"""The agent of this name can continue a session; `plain`, the usual one, can't."""


def task(id: str, *needs: str, **fields: Any) -> Task:
    return Task(id=id, title=f"Do {id}", dependencies=needs, **fields)


def phases(*enabled: Phase) -> dict[str, PhaseSettings]:
    return {phase: PhaseSettings(enabled=phase in enabled) for phase in Phase}


class World:
    """A run that isn't started yet. `now` is in milliseconds and moves only by `pass_time`."""

    def __init__(self, *, source: Source | None = None, check: bool = True, **settings: Any) -> None:
        created = e.Created(
            template_id="custom",
            template={"id": "custom"},
            request="Do everything\nand well",
            source=source or Source(kind="git", cwd="/project", root="/project"),
            settings=Settings(**{"agent": "plain", "retry_delay_ms": 1_000, **settings}),
        )
        self.now = 1_000_000
        self.events = [e.Event(1, self.now, created)]
        self.run = begin(RUN_ID, self.events[0])
        self._check = check

    def record(self, *happened: e.Happened) -> tuple[e.Happened, ...]:
        for data in happened:
            event = e.Event(self.run.seq + 1, self.now, data)
            evolve(self.run, event)
            self.events.append(event)
            if self._check:
                require_consistent(self.run)
                require_same(self.run, refolded(self.events))
        return happened

    def settle(self) -> None:
        while happened := decide(self.run, self.now):
            self.record(*happened)
        require_alive(self.run)

    def ask(self, command: c.AnyCommand) -> tuple[e.Happened, ...]:
        """What the command led to by itself; what follows from it is recorded too."""
        happened = self.record(*c.obey(self.run, command, resumable=RESUMABLE))
        self.settle()
        return happened

    def see(self, seen: o.Observation, *, jitter: float = 0.0) -> tuple[e.Happened, ...]:
        happened = self.record(*observe(self.run, seen, jitter=jitter, resumable=RESUMABLE))
        self.settle()
        return happened

    def pass_time(self, ms: int) -> World:
        self.now += ms
        self.settle()
        return self

    # The words of most tests

    def who(self, id: str) -> dict[str, Any]:
        record = self.run.record(id)
        assert record is not None
        return {"task_id": id, "attempt": len(record.attempts)}

    def open(self, id: str) -> World:
        who = self.who(id)
        self.see(o.Opened(**who, session_id=f"{id}-{who['attempt']}", branch=f"b/{id}"))
        return self

    def report(self, id: str, status: str = "completed", **data: Any) -> World:
        data = {"status": status, "summary": f"{id} is done", **data}
        self.see(o.Reported(**self.who(id), report=Report(data=data), usage=Usage(input_tokens=10)))
        if id == AGGREGATION and id in self.run.integrating:
            self.see(o.Integrated(**self.who(id), evidence=Evidence()))
        return self

    def merge(self, id: str, *files: str) -> World:
        self.see(o.Integrated(**self.who(id), evidence=Evidence(files=files or (f"{id}.md",))))
        return self

    def complete(self, *ids: str) -> World:
        for id in ids:
            self.report(id)
            if id not in RESERVED:
                self.merge(id)
        return self

    def fall(self, id: str, reason: str = "it broke") -> World:
        self.see(o.Failed(**self.who(id), reason=reason))
        return self

    def states(self) -> dict[str, str]:
        return {id: record.state.value for id, record in self.run.tasks.items()}

    def state(self, id: str) -> TaskState:
        record = self.run.record(id)
        assert record is not None
        return record.state

    def live(self) -> list[str]:
        return sorted(self.run.live)

    def types(self) -> list[str]:
        return [event.type for event in self.events]

    def last(self, kind: type[e.Happened]) -> Any:
        return next(event.data for event in reversed(self.events) if isinstance(event.data, kind))


def started(*tasks: Task, **settings: Any) -> World:
    """A confirmed run in its execution phase, with only planning before it and nothing after it."""
    world = planned(*tasks, **{"yes": True, **settings})
    assert world.run.confirmed
    return world


def planned(*tasks: Task, **settings: Any) -> World:
    """A run whose plan has just been made."""
    world = World(**{"phases": phases(Phase.TASK_PLANNING, Phase.WORKER_EXECUTION), **settings})
    world.ask(c.Start())
    world.report(PLANNING, tasks=[written(each) for each in tasks])
    return world


def written(task: Task) -> dict[str, Any]:
    """As an agent writes it."""
    fields = msgspec.structs.asdict(task)
    checks = [{k: v for k, v in msgspec.structs.asdict(check).items() if v} for check in task.checks]
    return {**{name: value for name, value in fields.items() if value is not None}, "checks": checks}


def refolded(events: list[e.Event]) -> Run:
    return fold(RUN_ID, [e.Event(x.seq, x.at, e.decode(x.type, e.encode(x.data))) for x in events])


def require_same(one: Run, other: Run) -> None:
    assert _plain(one) == _plain(other)
    assert queued(one) == queued(other)


def _plain(run: Run) -> Any:
    fields = {field.name: getattr(run, field.name) for field in dataclasses.fields(run)}
    del fields["queue"]
    return msgspec.json.decode(msgspec.json.encode(fields))


def queued(run: Run) -> list[str]:
    """What is in the queue, most urgent first, whatever holds it back."""
    queue = copy.deepcopy(run.queue)
    queue.release_all()
    for id in run.tasks:
        queue.release(id)
    found = []
    while (id := queue.peek(0, lambda _: None)) is not None:
        queue.discard(id)
        found.append(id)
    assert not len(queue)
    return found


def require_consistent(run: Run) -> None:
    """Everything that is derived says the same as what it is derived from."""
    records = {record.task.id: record for record in run.all_records()}
    tasks = run.tasks
    assert run.counts == {**dict.fromkeys(TaskState, 0), **Counter(r.state for r in tasks.values())}
    current = {id: r.attempt for id, r in records.items() if r.attempt}
    assert run.live == {id: a.number for id, a in current.items() if a.state in LIVE}
    assert not any(a.state in LIVE | RESTING for r in records.values() for a in r.attempts[:-1])
    merging = {id: current[id].number for id, r in records.items() if r.state is TaskState.INTEGRATING}
    assert run.integrating == merging
    for id, record in records.items():
        assert [a.number for a in record.attempts] == list(range(1, len(record.attempts) + 1))
        if record.state is TaskState.RUNNING:
            assert current[id].state in LIVE | RESTING
        if record.state is TaskState.INTEGRATING:
            assert current[id].state is AttemptState.REPORTED
        if record.state in (TaskState.COMPLETED, TaskState.PARTIAL):
            assert current[id].state.value == record.state.value
        needs = [tasks[need] for need in record.task.dependencies]
        assert record.missing == sum(not need.met for need in needs)
        assert record.half_met == sum(need.half_done for need in needs)
        if record.state in NOT_BEGUN:
            blocked = TaskState.BLOCKED if record.half_met else TaskState.PENDING
            assert record.state is (blocked if record.missing else TaskState.READY)
    assert queued(run) == sorted(
        (id for id, record in tasks.items() if record.state is TaskState.READY), key=run.rank.__getitem__
    )
    assert all(waiting.id == id for id, waiting in run.waiting.items())
    assert all(waiting.task_id in (None, *records) for waiting in run.waiting.values())
    if run.plan is not None:
        assert tuple(tasks) == tuple(task.id for task in run.plan.tasks)
        assert run.dependents == plans.dependents_of(run.plan.tasks)
    spent = sum((a.usage for r in records.values() for a in r.attempts), start=Usage())
    assert run.used.input_tokens == spent.input_tokens
    assert run.used.cost_usd == pytest.approx(spent.cost_usd)
    if run.outcome is not None:
        assert not run.live
        assert not run.integrating
        assert not run.waiting
        assert not run.paused
        assert not run.pausing


def require_alive(run: Run) -> None:
    """Somebody or something will move the run on: it never stands still without a reason."""
    resting = any(r.attempt and r.attempt.state is AttemptState.PAUSED for r in run.all_records())
    assert (
        not run.started
        or run.outcome is not None
        or run.paused
        or run.live
        or run.integrating
        or run.waiting
        or resting
        or wakes_at(run) is not None
    ), {id: record.state.value for id, record in run.tasks.items()}
    if any(id in run.live for id in (AGGREGATION, VERIFICATION)):
        assert all(record.state in ENDED for record in run.tasks.values()), "it looks at unfinished work"
