"""A run over time as SVG that needs no script: as dashboard/static/core/river.js draws it at its end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote

from bigtask.core.states import AttemptState
from bigtask.report.timeline import Bar, Timeline
from bigtask.words import duration, one_line, plain

_WIDTH = 1200
_HEAD = 44
_LANE = 34
_BAR = 24
_TRUNK = 56
_LETTER = 6.6
_LABELLED = 34
_MARGIN = 0.015
_TICKS = 8
_STEPS_MS = tuple(
    seconds * 1000
    for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
)

PHASES = {
    "analysis": "Analysis",
    "taskPlanning": "Planning",
    "workerExecution": "Work",
    "aggregation": "Bringing together",
    "verification": "Verification",
}
STATES = {
    AttemptState.COMPLETED: "done",
    AttemptState.PARTIAL: "done in part",
    AttemptState.TIMEOUT: "out of time",
    AttemptState.NEEDS_REVIEW: "needs a look",
    AttemptState.QUARANTINED: "held back",
}


def text(words: str) -> str:
    """Text of a page, whatever is in it."""
    return escape(plain(words))


def anchor(task_id: str) -> str:
    """The name of a task's place in the page."""
    return f"task-{quote(task_id, safe='')}"


def clock(at: int) -> str:
    """Everybody reads the same page, wherever they are: UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%H:%M:%S")


def river(timeline: Timeline) -> str:
    return "".join(_River(timeline).parts())


class _River:
    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        span = max(timeline.ended - timeline.began, 1000)
        self._from = timeline.began - span * _MARGIN
        self._span = span * (1 + 3 * _MARGIN)
        self._trunk = _HEAD + max(timeline.lanes, 1) * _LANE + _TRUNK / 2
        self._height = _HEAD + max(timeline.lanes, 1) * _LANE + _TRUNK

    def parts(self) -> Iterator[str]:
        yield (
            f'<svg class="river" viewBox="0 0 {_WIDTH} {self._height}" role="group" '
            'aria-label="The run over time">'
        )
        yield from self._frame()
        for kind, spans in (("limit", self._timeline.limits), ("seam", self._timeline.seams)):
            for span in spans:
                x, width = self._x(span.began), max(self._wide(span.began, span.ended), 2)
                said = (
                    f"limited for {duration(span.ended - span.began)}"
                    if kind == "limit"
                    else f"nobody carried it out from {clock(span.began)} to {clock(span.ended)}"
                )
                yield (
                    f'<g class="{kind}"><title>{said}</title><rect x="{x:.1f}" y="{_HEAD}" '
                    f'width="{width:.1f}" height="{self._trunk - _HEAD:.0f}"></rect></g>'
                )
        x, width = self._x(self._timeline.began), self._wide(self._timeline.began, self._timeline.ended)
        yield (
            f'<line class="trunk" x1="{x:.1f}" x2="{x + width:.1f}" y1="{self._trunk}" '
            f'y2="{self._trunk}"></line>'
        )
        for bar in self._timeline.bars:
            yield from self._drop(bar)
        yield from self._threads()
        for bar in self._timeline.bars:
            yield self._bar(bar)
        yield "</svg>"

    def _x(self, at: float) -> float:
        return (at - self._from) / self._span * _WIDTH

    def _wide(self, began: float, ended: float) -> float:
        return (ended - began) / self._span * _WIDTH

    def _y(self, lane: int) -> float:
        return _HEAD + lane * _LANE + (_LANE - _BAR) / 2

    def _frame(self) -> Iterator[str]:
        wanted = self._span / _TICKS
        step = next((step for step in _STEPS_MS if step >= wanted), _STEPS_MS[-1])
        at = -(-int(self._from) // step) * step
        while at <= self._from + self._span:
            x = self._x(at)
            yield (
                f'<g class="tick"><line x1="{x:.1f}" x2="{x:.1f}" y1="20" y2="{self._height}"></line>'
                f'<text x="{x + 4:.1f}" y="14">{clock(at)}</text></g>'
            )
            at += step
        for phase in self._timeline.phases:
            x, width = self._x(phase.began), self._wide(phase.began, phase.ended)
            name = PHASES.get(phase.name, phase.name)
            label = f'<text x="{x + 7:.1f}" y="33">{text(_cut(name, width - 12))}</text>'
            yield (
                f'<g class="phase"><title>{text(name)}</title><rect x="{x:.1f}" y="20" width="{width:.1f}" '
                f'height="18" rx="3"></rect>{label if width > _LABELLED else ""}</g>'
            )
        for lane in range(1, self._timeline.lanes, 2):
            yield (
                f'<rect class="lane odd" x="0" y="{_HEAD + lane * _LANE}" width="{_WIDTH}" '
                f'height="{_LANE}"></rect>'
            )

    def _drop(self, bar: Bar) -> Iterator[str]:
        if bar.merged_at is None:
            return
        begin, end, y = self._x(min(bar.ended, bar.merged_at)), self._x(bar.merged_at), self._y(bar.lane)
        top = y + _BAR
        yield (
            f'<g class="drop {bar.worth}"><path d="M{begin:.1f} {top}C{begin:.1f} {self._trunk - 14} '
            f'{end:.1f} {top + 14} {end:.1f} {self._trunk}"></path>'
            f'<circle cx="{end:.1f}" cy="{self._trunk}" r="4.5"></circle></g>'
        )

    def _threads(self) -> Iterator[str]:
        for task, others, at in self._timeline.conflicts:
            begin = self._place(task, at)
            for other in others:
                end = self._place(other, at)
                if begin is None or end is None:
                    continue
                middle, top = (begin[0] + end[0]) / 2, min(begin[1], end[1]) - 18
                yield (
                    f'<path class="thread over" d="M{begin[0]:.1f} {begin[1]} Q{middle:.1f} {top} '
                    f'{end[0]:.1f} {end[1]}"><title>{text(task)} and {text(other)} were in conflict'
                    "</title></path>"
                )

    def _place(self, task: str, at: int) -> tuple[float, float] | None:
        found = [bar for bar in self._timeline.bars if bar.task_id == task and bar.began <= at]
        return (self._x(found[-1].ended), self._y(found[-1].lane) + _BAR / 2) if found else None

    def _bar(self, bar: Bar) -> str:
        x, y, width = self._x(bar.began), self._y(bar.lane), max(self._wide(bar.began, bar.ended), 3)
        name = bar.title if bar.reserved else bar.task_id
        label = _cut(name + (f" · {bar.number}" if bar.number > 1 else ""), width - 14)
        stands = STATES.get(bar.state, bar.state.value)
        said = f"{one_line(bar.title)}, attempt {bar.number}: {stands}, {duration(bar.ended - bar.began)}"
        half = (
            f'<rect class="fill" x="{x:.1f}" y="{y + _BAR / 2}" width="{width:.1f}" '
            f'height="{_BAR // 2}" rx="5"></rect>'
        )
        # Who listens is told all of it by `said`.
        shown = f'<text aria-hidden="true" x="{x + 8:.1f}" y="{y + 16}">{text(label)}</text>'
        kinds = f"bar {bar.state.value} {bar.worth}{' reserved' if bar.reserved else ''}"
        drawn = (
            f'<g class="{kinds}"><title>{text(said)}</title>'
            f'<rect class="body" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="5"></rect>'
            f"{half if bar.worth == 'half' else ''}"
            f"{shown if width > _LABELLED else ''}</g>"
        )
        if bar.reserved:
            return drawn
        return f'<a href="#{anchor(bar.task_id)}" aria-label="{text(said)}">{drawn}</a>'


def _cut(words: str, width: float) -> str:
    most = int(width / _LETTER)
    line = one_line(words)
    return line if len(line) <= most else f"{line[: most - 1]}…" if most > 2 else ""
