"""When everything of a run was under way: bars in lanes, phases, and what happened to the run as a whole.

Times are milliseconds since the epoch, as events have them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bigtask.core.events import (
    Event,
    PhaseChanged,
    Recovered,
    WorkerCancelled,
    WorkerConflict,
    WorkerCrashed,
    WorkerLimited,
    WorkerLost,
    WorkerMerged,
    WorkerStarted,
    WorkerWentOn,
)
from bigtask.core.run import Attempt, Run, TaskRecord
from bigtask.core.states import AttemptState

Worth = Literal["claimed", "half", "proved"]
"""What stands behind an attempt's word."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """`merged_at` is None where nothing of it was merged."""

    task_id: str
    number: int
    title: str
    agent: str
    lane: int
    began: int
    ended: int
    state: AttemptState
    worth: Worth
    reserved: bool
    merged_at: int | None


@dataclass(frozen=True, kw_only=True)
class Span:
    began: int
    ended: int
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Timeline:
    began: int
    ended: int
    lanes: int
    bars: Sequence[Bar]
    phases: Sequence[Span]
    limits: Sequence[Span]
    """While any attempt waited for its account; what overlaps is one."""
    seams: Sequence[Span]
    """Nobody carried the run out."""
    conflicts: Sequence[tuple[str, tuple[str, ...], int]]
    """A task, those whose changes stood in its way, and when."""


@dataclass(kw_only=True)
class _Seen:
    last: int = 0
    phases: list[tuple[int, str]] = field(default_factory=list)
    limited: dict[str, int] = field(default_factory=dict)
    limits: list[Span] = field(default_factory=list)
    seams: list[Span] = field(default_factory=list)
    merged: dict[tuple[str, int], int] = field(default_factory=dict)
    conflicts: list[tuple[str, tuple[str, ...], int]] = field(default_factory=list)


def timeline_of(run: Run, events: Iterable[Event]) -> Timeline:
    """`events` are all that made the run."""
    seen = _Seen()
    for event in events:
        _see(seen, event)
    for task in list(seen.limited):
        _limit_over(seen, task, seen.last)
    ends = [began for began, _ in seen.phases[1:]] + [seen.last]
    bars, lanes = _bars(run, seen)
    return Timeline(
        began=run.created_at,
        ended=max(seen.last, run.created_at),
        lanes=lanes,
        bars=bars,
        phases=[
            Span(began=began, ended=end, name=name)
            for (began, name), end in zip(seen.phases, ends, strict=False)
        ],
        limits=_together(seen.limits),
        seams=seen.seams,
        conflicts=seen.conflicts,
    )


def _see(seen: _Seen, event: Event) -> None:
    # A clock that was put back must not make a span that ends before it begins.
    before, seen.last = seen.last, max(seen.last, event.at)
    match event.data:
        case PhaseChanged(phase=phase):
            seen.phases.append((seen.last, phase.value))
        case Recovered():
            seen.seams.append(Span(began=before, ended=seen.last))
        case WorkerLimited(task_id=task):
            seen.limited.setdefault(task, seen.last)
        case WorkerMerged(task_id=task, attempt=number):
            seen.merged[task, number] = seen.last
        case WorkerConflict(task_id=task, others=others):
            seen.conflicts.append((task, tuple(others), seen.last))
        case WorkerWentOn(task_id=task) | WorkerStarted(task_id=task) | WorkerCancelled(task_id=task):
            _limit_over(seen, task, seen.last)
        case WorkerLost(task_id=task) | WorkerCrashed(task_id=task):
            _limit_over(seen, task, seen.last)
        case _:
            pass


def _limit_over(seen: _Seen, task: str, at: int) -> None:
    began = seen.limited.pop(task, None)
    if began is not None:
        seen.limits.append(Span(began=began, ended=at))


def _together(spans: Sequence[Span]) -> list[Span]:
    found: list[Span] = []
    for span in sorted(spans, key=lambda one: one.began):
        if found and span.began <= found[-1].ended:
            found[-1] = Span(began=found[-1].began, ended=max(found[-1].ended, span.ended))
        else:
            found.append(span)
    return found


def _bars(run: Run, seen: _Seen) -> tuple[list[Bar], int]:
    """Each attempt in the first lane that is free when it begins, and how many lanes that takes."""
    attempts = [(record, attempt) for record in run.all_records() for attempt in record.attempts]
    attempts.sort(key=lambda one: (one[1].started_at, one[0].task.id))
    free: list[int] = []
    bars: list[Bar] = []
    for record, attempt in attempts:
        began = attempt.started_at
        ended = max(attempt.ended_at if attempt.ended_at is not None else seen.last, began)
        lane = next((number for number, since in enumerate(free) if since <= began), len(free))
        free[lane : lane + 1] = [ended]
        reserved = record.task.id in run.reserved
        bars.append(
            Bar(
                task_id=record.task.id,
                number=attempt.number,
                title=record.task.title,
                agent=attempt.agent,
                lane=lane,
                began=began,
                ended=ended,
                state=attempt.state,
                worth=_worth(record, attempt, reserved=reserved),
                reserved=reserved,
                merged_at=None if reserved else seen.merged.get((record.task.id, attempt.number)),
            )
        )
    return bars, len(free)


def _worth(record: TaskRecord, attempt: Attempt, *, reserved: bool) -> Worth:
    """As the page shows it while the run goes on: dashboard/static/core/fold.js."""
    if attempt.state is AttemptState.PARTIAL:
        return "half"
    if attempt.state is not AttemptState.COMPLETED:
        return "claimed"
    if attempt.report is not None and attempt.report.quality != "strict":
        return "half"
    shown = attempt.evidence is not None and bool(attempt.evidence.files)
    checked = any(check.passed for check in attempt.checks)
    return "proved" if reserved or shown or checked else "claimed"
