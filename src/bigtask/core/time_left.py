"""How long a run has been worked on, and how long it will take from here."""

from __future__ import annotations

import msgspec

from bigtask.core.estimate import makespan
from bigtask.core.events import Event, Recovered, Resumed, Started
from bigtask.core.plan import weight
from bigtask.core.run import Run, TaskRecord
from bigtask.core.states import ENDED, TaskState
from bigtask.core.values import Task

_SEEN_LOW, _SEEN_HIGH = 0.8, 1.5
_GUESSED_LOW, _GUESSED_HIGH = 0.6, 2.0
_NEVER_QUITE_DONE = 0.9
"""A task that takes longer than expected still has a tenth to go."""


class Stopwatch:
    """Time that a run was carried out, in ms: neither pauses nor gaps between two holders count."""

    def __init__(self) -> None:
        self._sum = 0
        self._last: int | None = None
        self._stands = False

    def see(self, event: Event) -> None:
        if isinstance(event.data, Started):
            self._last = event.at
        if self._last is None:
            return
        if not self._stands and not isinstance(event.data, Recovered | Resumed):
            self._sum += max(event.at - self._last, 0)
        self._last = event.at

    def stand(self, still: bool) -> None:
        """Whether the run rests from here on: it is paused, or has ended."""
        self._stands = still

    def read(self, now: float) -> float:
        if self._last is None:
            return 0.0
        return self._sum if self._stands else self._sum + max(now - self._last, 0)


def minutes_left(run: Run, now: float) -> tuple[float, float] | None:
    """A range for the tasks that haven't ended, from how long the ended ones took, else from the plan's own
    figures. None when neither says anything."""
    pace = _pace(run)
    if pace is None and run.estimate is None:
        return None
    left = [record for record in run.tasks.values() if record.state not in ENDED]
    if not left:
        return None
    open_ids = {record.task.id for record in left}
    tasks = tuple(_rest(record, pace or 1.0, open_ids, now) for record in left)
    minutes = makespan(tasks, run.settings.slots)
    low, high = (_GUESSED_LOW, _GUESSED_HIGH) if pace is None else (_SEEN_LOW, _SEEN_HIGH)
    return minutes * low, minutes * high


def _pace(run: Run) -> float | None:
    """Minutes for each unit of weight."""
    minutes = expected = 0.0
    for record in run.tasks.values():
        attempt = record.attempt
        if record.state is TaskState.COMPLETED and attempt is not None and attempt.ended_at is not None:
            minutes += (attempt.ended_at - attempt.started_at) / 60_000
            expected += weight(record.task)
    return minutes / expected if minutes > 0 and expected > 0 else None


def _rest(record: TaskRecord, pace: float, open_ids: set[str], now: float) -> Task:
    whole = weight(record.task) * pace
    done = 0.0
    attempt = record.attempt
    if record.state is TaskState.RUNNING and attempt is not None and whole > 0:
        passed = (now - attempt.started_at) / 60_000 / whole
        done = attempt.percent / 100 if attempt.percent is not None else passed
    return msgspec.structs.replace(
        record.task,
        estimated_minutes=whole * (1 - min(max(done, 0.0), _NEVER_QUITE_DONE)),
        dependencies=tuple(id for id in record.task.dependencies if id in open_ids),
    )
