"""When each task of a run started and ended, and whether that was a right way to carry the workload out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from kit.workload import Workload

now = time.monotonic
"""Seconds. One clock for the whole machine, so that stamps of other processes can be compared."""


@dataclass
class Recording:
    """Task bodies call `start` and `end`; `put` takes stamps that were made elsewhere."""

    workload: Workload
    starts: dict[str, float] = field(default_factory=dict)
    ends: dict[str, float] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)
    """Tasks that started although they had started before."""

    def start(self, id: str) -> None:
        if id in self.starts:
            self.again.append(id)
        self.starts[id] = now()

    def end(self, id: str) -> None:
        self.ends[id] = now()

    def put(self, id: str, started: float, ended: float) -> None:
        if id in self.starts:
            self.again.append(id)
        self.starts[id] = started
        self.ends[id] = ended

    def durations(self) -> dict[str, float]:
        """Seconds that the tasks really took; sleeping takes a little longer than asked for."""
        return {id: self.ends.get(id, at) - at for id, at in self.starts.items()}


def peak(recording: Recording) -> int:
    """The most tasks that were at work at one moment. One that ends as another starts isn't beside it."""
    moments = [(at, 1) for at in recording.starts.values()] + [(at, -1) for at in recording.ends.values()]
    return max(accumulate(change for _, change in sorted(moments)), default=0)


def problems(recording: Recording) -> tuple[str, ...]:
    """What was wrong with the run, as sentences; empty for a right one."""
    workload, found = recording.workload, []
    if recording.again:
        found.append(f"{_tasks(recording.again)} started twice, {recording.again[0]} first")
    ended = sum(id in recording.ends for id in workload.ids)
    if ended < len(workload.ids):
        found.append(f"{ended} of {len(workload.ids)} tasks ended")
    strange = [id for id in recording.starts if id not in workload.durations]
    if strange:
        found.append(f"{_tasks(strange)} ran outside the workload, {strange[0]} first")
    early = [id for id in recording.starts if id not in strange and _early(recording, id)]
    if early:
        found.append(f"{_tasks(early)} started before a dependency had ended, {early[0]} first")
    most = peak(recording)
    if most > workload.slots:
        found.append(f"{most} tasks ran at once, and only {workload.slots} may")
    return tuple(found)


def _early(recording: Recording, id: str) -> bool:
    at = recording.starts[id]
    needed = recording.workload.dependencies[id]
    return any(recording.ends.get(other, float("inf")) > at for other in needed)


def _tasks(ids: Sequence[str]) -> str:
    return "1 task" if len(ids) == 1 else f"{len(ids)} tasks"
