"""The live view of a run as lines of text: a pure function of the run, the time and the size."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from functools import partial

from rich.text import Text

from bigtask.cli.asking import Question
from bigtask.cli.event_line import phase_name
from bigtask.cli.limit_words import limit_words, stall_words
from bigtask.cli.screen import WIDE
from bigtask.core.run import Attempt, Run
from bigtask.core.states import ENDED, AttemptState, Outcome, Phase, TaskState
from bigtask.core.time_left import minutes_left
from bigtask.core.values import PLANNING, RESERVED
from bigtask.words import clock, one_line, span

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_AMBER = "bold yellow"
_ASKING_ROWS = 4
_NOT_DONE = (TaskState.PARTIAL, TaskState.SKIPPED, TaskState.CANCELLED)


class Slots:
    """Rows that tasks keep while they are at work, so that nothing jumps."""

    def __init__(self) -> None:
        self._rows: list[str | None] = []

    def rows(self, run: Run) -> Sequence[str | None]:
        """A task id for each row, None for a free one; the last is never free."""
        at_work = dict.fromkeys((*run.live, *run.integrating))
        self._rows = [id if id in at_work else None for id in self._rows]
        for id in at_work:
            if id in self._rows:
                continue
            if None in self._rows:
                self._rows[self._rows.index(None)] = id
            else:
                self._rows.append(id)
        while self._rows and self._rows[-1] is None:
            self._rows.pop()
        return self._rows


def picture(
    run: Run,
    rows: Sequence[str | None],
    *,
    now: float,
    elapsed_ms: float,
    size: tuple[int, int],
    foot: Sequence[Text] = (),
) -> list[Text]:
    """At most the height less one. `now` in ms since the epoch, `size` is (width, height), `foot` is what
    a person is asked."""
    width, height = size
    head = [Text(), _header(run, now, elapsed_ms, width), _phases(run, now)]
    room = max(height - 1 - len(head) - len(foot), 0)
    shown: list[str | None] = list(rows)
    if len(shown) > room:
        # Attempts that need a person are shown first, even though the rows change places then.
        at_work = [id for id in rows if id is not None]
        shown = [*sorted(at_work, key=partial(_urgency, run))[: max(room - 1, 0)]]
    lines = [_row(run, id, now, width) for id in shown]
    hidden = sum(id is not None for id in rows) - sum(id is not None for id in shown)
    if hidden > 0 and room:
        lines.append(Text(f"  … and {hidden} more at work", style="dim"))
    return [*head, *lines, *foot][: height - 1]


def _header(run: Run, now: float, elapsed_ms: float, width: int) -> Text:
    line = Text()
    if run.tasks:
        share = sum(run.counts[state] for state in ENDED) / len(run.tasks)
        fallen = run.counts[TaskState.FAILED] + run.counts[TaskState.TIMEOUT]
        line.append_text(bar(share * 100, 14 if width < WIDE else 30, "red" if fallen else "green"))
        line.append("  ")
    line.append(headline(run), style="bold")
    line.append(f" · {clock(elapsed_ms)}", style="dim")
    left = minutes_left(run, now) if run.phase is Phase.WORKER_EXECUTION and not run.paused else None
    if left is not None:
        line.append(f" · {span(*left)} left", style="dim")
    if run.used.cost_usd:
        line.append(f" · ${run.used.cost_usd:,.2f}")
    return line


def headline(run: Run) -> str:
    """`7 of 12 done, 2 working, 1 needs you`."""
    if not run.tasks:
        working = phase_name(run.phase) if run.phase is not None else "starting"
        parts = [working]
    else:
        parts = [f"{run.counts[TaskState.COMPLETED]} of {len(run.tasks)} done"]
        working_now = sum(not _needs_person(run, id) for id in (*run.live, *run.integrating))
        if working_now:
            parts.append(f"{working_now} working")
        fallen = run.counts[TaskState.FAILED] + run.counts[TaskState.TIMEOUT]
        others = ((fallen, "failed"), *((run.counts[state], state.value) for state in _NOT_DONE))
        parts += [f"{number} {word}" for number, word in others if number]
    if run.waiting:
        verb = "needs" if len(run.waiting) == 1 else "need"
        parts.append(f"{len(run.waiting)} {verb} you")
    if run.paused or run.pausing:
        parts.append("paused" if run.paused else "pausing")
    return ", ".join(parts)


def _phases(run: Run, now: float) -> Text:
    line = Text()
    enabled = [phase for phase in Phase if run.settings.phase(phase).enabled or phase is run.phase]
    reached = enabled.index(run.phase) if run.phase in enabled else -1
    for place, phase in enumerate(enabled):
        if place:
            line.append("  ")
        if place < reached or run.outcome is Outcome.COMPLETE:
            line.append(f"✓ {phase_name(phase)}", style="green")
        elif place == reached:
            line.append(f"● {phase_name(phase)}", style="bold cyan")
        else:
            line.append(f"○ {phase_name(phase)}", style="dim")
    if run.fix_round:
        line.append(f"  repair round {run.fix_round}", style="yellow")
    return line


def _urgency(run: Run, id: str) -> bool:
    return not _needs_person(run, id)


def _needs_person(run: Run, id: str) -> bool:
    attempt = run.live_attempt(id)
    return attempt is not None and attempt.state is AttemptState.WAITING


def _row(run: Run, id: str | None, now: float, width: int) -> Text:
    if id is None:
        return Text("  ·", style="dim")
    record = run.record(id)
    attempt = record.attempt if record is not None else None
    if record is None or attempt is None:
        return Text()
    wide = width >= WIDE
    name = phase_name(RESERVED[id]) if id in RESERVED else id
    name_width = min(max(12, *(len(id) for id in (id, *run.tasks))), 30 if wide else 20)
    bar_width, since = (20 if wide else 10), clock(now - attempt.started_at)
    mark, said, style = _doing(run, id, attempt, now)
    line = Text()
    line.append(f"{mark} ", style=style)
    line.append(f"{_fit(name, name_width)} ", style=_AMBER if style == _AMBER else "cyan")
    title_width = 0
    if wide and id not in RESERVED:
        title_width = min(max((len(r.task.title) for r in run.tasks.values()), default=0), 36)
        line.append(f"{_fit(one_line(record.task.title, 80), title_width)} ")
        title_width += 1
    percent = 100.0 if record.state is TaskState.INTEGRATING else attempt.percent
    line.append_text(bar(percent, bar_width, "yellow" if style == _AMBER else "cyan"))
    line.append("      " if percent is None else f" {percent:3.0f} %", style="dim")
    used = 2 + name_width + 1 + title_width + bar_width + 6
    room = width - used - 2 - len(since) - 2
    if not said and not wide:
        said = one_line(record.task.title, 80) if id not in RESERVED else ""
    again = f"attempt {attempt.number} · " if attempt.number > 1 else ""
    line.append(f"  {_fit(one_line(again + said, max(room, 1)), max(room, 0))}", style=style)
    line.append(f" {since}", style="dim")
    return line


def _fit(text: str, width: int) -> str:
    line = Text(text)
    line.truncate(width, overflow="ellipsis", pad=True)
    return line.plain


def _doing(run: Run, id: str, attempt: Attempt, now: float) -> tuple[str, str, str]:
    """Mark, words, style."""
    spinner = _SPINNER[int(now / 120) % len(_SPINNER)]
    match attempt.state:
        case AttemptState.WAITING:
            asked = next((w.question for w in run.waiting.values() if w.task_id == id), "")
            return "●", f"needs you: {asked}", _AMBER
        case AttemptState.LIMITED:
            return "◌", limit_words(attempt, now), "yellow"
        case AttemptState.STALLED:
            return "◌", stall_words(attempt, now), "yellow"
        case AttemptState.SPAWNING:
            return spinner, f"waits: {attempt.action}" if attempt.action else "starting", "dim"
        case AttemptState.RUNNING:
            return spinner, attempt.action, ""
        case _:
            return spinner, "a hook looks at the plan" if id == PLANNING else "merging", "green"


def bar(percent: float | None, width: int, style: str) -> Text:
    """Half cells count; None is an empty one."""
    halves = round(max(0.0, min(percent or 0.0, 100.0)) / 100 * width * 2)
    line = Text("━" * (halves // 2), style=style)
    half = "╸" if halves % 2 else ""
    line.append(half, style=style)
    line.append("─" * (width - halves // 2 - len(half)), style="bright_black")
    return line


def foot(question: Question | None, *, typed: str | None, said: str, width: int) -> Iterator[Text]:
    """The question and what can be typed. `typed` is None where nothing can be."""
    if question is None:
        if said:
            yield Text()
            yield Text(said, style="red")
        return
    yield Text()
    more = f"  ({question.more} more after it)" if question.more else ""
    yield from _wrapped(f"{question.text}{more}", f"{question.who}: ", width)
    if typed is None:
        return
    yield Text(question.keys, style="bold")
    if said:
        yield Text(said, style="red")
    line = Text("› ", style=_AMBER)
    line.append(typed[-max(width - 4, 1) :])
    line.append(" ", style="reverse")
    yield line


def _wrapped(text: str, who: str, width: int) -> list[Text]:
    rows = textwrap.wrap(
        who + text, max(width - 1, 10), max_lines=_ASKING_ROWS, placeholder=" …", break_on_hyphens=False
    )
    return [Text(row, style=_AMBER) for row in rows]
