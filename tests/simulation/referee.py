"""Holds a run against what is promised of every run, event by event as they get onto the disk.

It keeps a fold of its own, made of what was read back from the disk, and books of its own beside it.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict

from bigtask.core import events as e
from bigtask.core import plan as plans
from bigtask.core.evolve import begin, evolve, fold
from bigtask.core.run import Run
from bigtask.core.states import LIVE, AttemptState, IllegalMove, TaskState
from bigtask.core.values import RESERVED
from core.world import require_consistent, require_same

RUN_ID = "01hzzzzzzzzzzzzzzzzzzzzzzz"
_WHOLE_EVERY = 40


class Violation(AssertionError):
    """Something that is promised of every run didn't hold."""


class Referee:
    def __init__(self) -> None:
        self.run: Run | None = None
        self.told = 0
        """The last event that somebody outside was told of."""
        self._digest = hashlib.blake2b(digest_size=12)
        self._alive: dict[str, int] = {}
        self._spawned: dict[str, int] = defaultdict(int)
        self._completed: set[str] = set()
        self._commanded: set[str] = set()
        self._sessions: set[tuple[int, str, int]] = set()
        self._by_hand: set[str] = set()
        """What a person answered for: that comes in beside whoever is at work by then."""

    @property
    def digest(self) -> str:
        """Of everything that was recorded: the same for the same seed."""
        return self._digest.hexdigest()

    def recorded(self, event: e.Event, row: bytes) -> None:
        self._digest.update(b"%d %d %s %s\n" % (event.seq, event.at, event.type.encode(), row))
        if self.run is None:
            self.run = begin(RUN_ID, event)
            return
        run = self.run
        if event.seq != run.seq + 1:
            raise Violation(f"event {event.seq} follows event {run.seq}")
        self._read(run, event.data)
        try:
            evolve(run, event)
        except (IllegalMove, AssertionError, KeyError) as error:
            raise Violation(f"event {event.seq} ({event.type}) isn't legal: {error!r}") from error
        self._look(run, event.data)
        if event.seq % _WHOLE_EVERY == 0:
            self.look_closely()

    def _read(self, run: Run, data: e.Happened) -> None:
        """What the event says, against the books, before it is folded in."""
        id: str = getattr(data, "task_id", "")
        match data:
            case e.WorkerSpawned():
                if id in self._alive:
                    raise Violation(f"{id} is spawned while attempt {self._alive[id]} lives")
                if id in self._completed:
                    raise Violation(f"{id} is completed and nobody asked for it, and it is done again")
                self._spawned[id] += 1
                self._by_hand.discard(id)
                if data.attempt != self._spawned[id]:
                    raise Violation(f"{id} goes from attempt {self._spawned[id] - 1} to {data.attempt}")
                self._alive[id] = data.attempt
            case e.WorkerResumed():
                if self._alive.setdefault(id, data.attempt) != data.attempt:
                    raise Violation(f"attempt {data.attempt} of {id} goes on while {self._alive[id]} lives")
            case e.WorkerReported():
                said, quality = data.report.summary, data.report.quality
                if quality != "edited" and id != "@planning" and said != f"{id} by attempt {data.attempt}":
                    raise Violation(f"attempt {data.attempt} of {id} is credited with {said!r}")
                self._alive.pop(id, None)
                if quality == "edited":
                    self._by_hand.add(id)
            case e.WorkerSettling():
                self._by_hand.add(id)
            case e.WorkerCompleted():
                self._completed.add(id)
            case e.WorkerLost():
                record = run.record(id)
                state = record.attempts[data.attempt - 1].state if record is not None else None
                if state is AttemptState.REPORTED and id not in RESERVED:
                    raise Violation(f"attempt {data.attempt} of {id} had reported, and is lost")
                self._gone(id, data.attempt)
            case e.WorkerCancelled() | e.AttemptEnded() | e.WorkerPaused() | e.WorkerPartial():
                reason = getattr(data, "reason", "")
                own = f"{id} by attempt {data.attempt}"
                credited = " by attempt " in reason and id not in self._by_hand
                if credited and not reason.rstrip(")").endswith(own):
                    raise Violation(f"attempt {data.attempt} of {id} ends for {reason!r}")
                self._gone(id, data.attempt)
            case e.Commanded():
                if data.id in self._commanded:
                    raise Violation(f"the command {data.id} was obeyed twice")
                self._commanded.add(data.id)
            case e.WorkerReopened():
                if id in self._completed and not data.by:
                    raise Violation(f"{id} is completed, and it is reopened by nobody")
                # A phase that judges the whole judges it again.
                self._completed -= {id, "@aggregation", "@verification"}
            case _:
                pass

    def _gone(self, id: str, attempt: int | None) -> None:
        if attempt is not None and self._alive.get(id) == attempt:
            del self._alive[id]

    def _look(self, run: Run, data: e.Happened) -> None:
        """The state after the event."""
        if run.live != self._alive:
            raise Violation(f"alive are {self._alive}, and the run says {run.live}")
        if len(run.live) > run.settings.slots and isinstance(data, e.WorkerSpawned | e.WorkerResumed):
            raise Violation(f"{len(run.live)} attempts are alive on {run.settings.slots} slots: {run.live}")
        if isinstance(data, e.WorkerSpawned | e.WorkerResumed):
            self._look_for_neighbours(run, data.task_id)
        if run.counts != {**dict.fromkeys(TaskState, 0), **Counter(r.state for r in run.tasks.values())}:
            raise Violation("the counters don't agree with the tasks")
        id = getattr(data, "task_id", None)
        record = run.record(id) if id else None
        if record is not None:
            live = [attempt.number for attempt in record.attempts if attempt.state in LIVE]
            if live != ([run.live[id]] if id in run.live else []):
                raise Violation(f"of {id} the attempts {live} are alive")

    def _look_for_neighbours(self, run: Run, id: str) -> None:
        """The person was told that tasks which may write in the same place run one after the other."""
        mine = run.areas.get(id, ())
        for other in (*run.live, *run.integrating):
            if other != id and other not in self._by_hand and plans.overlap(mine, run.areas.get(other, ())):
                raise Violation(f"{id} and {other} are at work in the same place")

    def look_closely(self) -> None:
        assert self.run is not None
        try:
            require_consistent(self.run)
        except AssertionError as error:
            raise Violation(f"the state contradicts itself: {_short(error)}") from error

    def compare(self, run: Run, events: list[e.Event], pending: list[e.Event]) -> None:
        """A holder's `run` against the fold of what is on the disk and of what it was about to record."""
        try:
            folded = fold(RUN_ID, [*events, *pending])
        except IllegalMove as error:
            raise Violation(f"what it was about to record doesn't follow the log: {error}") from error
        try:
            require_same(folded, run)
        except AssertionError as error:
            raise Violation(f"the state isn't the fold of the log: {_short(error)}") from error

    def acknowledged(self, seq: int, durable: int) -> None:
        if seq > durable:
            raise Violation(f"event {seq} was acknowledged, and the disk has {durable}")
        self.told = max(self.told, seq)

    def opens(self, life: int, task_id: str, attempt: int) -> None:
        """A session begins."""
        assert self.run is not None
        record = self.run.record(task_id)
        if record is None or len(record.attempts) < attempt:
            raise Violation(f"attempt {attempt} of {task_id} begins, and isn't recorded")
        if (life, task_id, attempt) in self._sessions:
            raise Violation(f"attempt {attempt} of {task_id} has two sessions")
        self._sessions.add((life, task_id, attempt))

    def closes(self, life: int, task_id: str, attempt: int) -> None:
        self._sessions.discard((life, task_id, attempt))

    def needs_workspace(self, task_id: str, attempt: int) -> bool:
        """Whether the log says that the attempt's work is still to be done or to be merged."""
        assert self.run is not None
        if task_id in RESERVED:
            return False
        return self.run.is_live(task_id, attempt) or self.run.integrating.get(task_id) == attempt


def _short(error: AssertionError) -> str:
    return str(error)[:600]
