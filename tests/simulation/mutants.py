"""Defences taken out one by one, so that the simulation can be seen to fail without each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from bigtask.core import observations as o
from bigtask.core.decide import decide
from bigtask.core.events import Event, Happened, WorkerReopened, WorkerSpawned
from bigtask.core.phases.reserved import spawned
from bigtask.core.reactions import observe
from bigtask.core.recovery import recover
from bigtask.core.run import Run
from bigtask.core.states import TaskState
from bigtask.host import holder as holders
from bigtask.host.hands import Hands
from bigtask.host.holder import Holder

from .repository import Repository

Patch = tuple[Any, str, Any]
"""Where, under which name, and what stands there instead."""


def no_fencing() -> Patch:
    def careless(run: Run, seen: o.Observation, **options: Any) -> tuple[Happened, ...]:
        record = run.record(seen.task_id)
        current = len(record.attempts) if record is not None else seen.attempt
        return observe(run, msgspec.structs.replace(seen, attempt=current), **options)

    return holders, "observe", careless


def acknowledge_before_append() -> Patch:
    async def append(self: Any, events: list[Event]) -> None:
        if events:
            self.feed.publish(events)
            await asyncio.sleep(0)
            await self._log.append(events[0].seq - 1, events)

    return Holder, "_append", append


def recovery_resets_completed_tasks() -> Patch:
    def careless(run: Run, **options: Any) -> tuple[Happened, ...]:
        done = [record.task.id for record in run.tasks.values() if record.state is TaskState.COMPLETED]
        return (*recover(run, **options), *(WorkerReopened(task_id=id) for id in done))

    return holders, "recover", careless


def spawns_what_lives() -> Patch:
    def careless(run: Run, now: int) -> tuple[Happened, ...]:
        events = decide(run, now)
        starts = [event for event in events if isinstance(event, WorkerSpawned)]
        return (*events, *(msgspec.structs.replace(each, attempt=each.attempt + 1) for each in starts))

    return holders, "decide", careless


def more_than_its_slots() -> Patch:
    def careless(run: Run, now: int) -> tuple[Happened, ...]:
        id = run.queue.peek(now, lambda _: None) if run.live else None
        return (spawned(run, id),) if id is not None else decide(run, now)

    return holders, "decide", careless


def acts_twice() -> Patch:
    act = Hands.act

    def careless(self: Hands, happened: Happened) -> None:
        act(self, happened)
        act(self, happened)

    return Hands, "act", careless


def forgets_to_integrate() -> Patch:
    return holders, "to_integrate", lambda run: {}


def merges_blindly() -> Patch:
    return Repository, "looks", False


MUTANTS: dict[str, Callable[[], Patch]] = {
    "no-fencing": no_fencing,
    "acknowledge-before-append": acknowledge_before_append,
    "recovery-resets-completed-tasks": recovery_resets_completed_tasks,
    "spawns-what-lives": spawns_what_lives,
    "more-than-its-slots": more_than_its_slots,
    "acts-twice": acts_twice,
    "forgets-to-integrate": forgets_to_integrate,
    "merges-blindly": merges_blindly,
}


@contextmanager
def without(mutant: str) -> Iterator[None]:
    """The defence is out while the block runs."""
    where, name, instead = MUTANTS[mutant]()
    before = getattr(where, name)
    setattr(where, name, instead)
    try:
        yield
    finally:
        setattr(where, name, before)
