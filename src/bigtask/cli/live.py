"""The live view: a picture at the bottom of the terminal, what lasts above it, questions answered there."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from bigtask.cli.asking import command_of, question_of, sentence, to_edit
from bigtask.cli.event_line import MOODS, Line, Reach
from bigtask.cli.event_lines import line_of, name_width
from bigtask.cli.keyboard import Keyboard
from bigtask.cli.painter import Painter
from bigtask.cli.picture import Slots, foot, picture
from bigtask.cli.plan_table import plan_table
from bigtask.core.commands import AnyCommand
from bigtask.core.events import Answered, Event, PlanChanged, WaitingRaised, WorkerSkipped
from bigtask.core.run import Run
from bigtask.core.states import WaitingKind
from bigtask.core.time_left import Stopwatch
from bigtask.core.values import Waiting
from bigtask.errors import InvalidInput
from bigtask.words import both_ends, one_line

_QUESTION = 160
_ROWS_OF_TROUBLE = 4
"""So many may say what went wrong; `show` has all of it."""


class LiveView:
    """`send` takes what the person at the keyboard wants, `edit` what is to be written in an editor; without
    `send` nobody is asked."""

    def __init__(
        self,
        console: Console,
        *,
        who: str,
        send: Callable[[AnyCommand], None] | None,
        edit: Callable[[Waiting], None],
    ) -> None:
        self._console = console
        self._painter = Painter(console)
        self._keyboard = Keyboard(self._entered)
        self._who = who
        self._send = send
        self._edit = edit
        self._slots = Slots()
        self._watch = Stopwatch()
        self._run: Run | None = None
        self._asked: str | None = None
        self._questions: dict[str, str] = {}
        """By their ids, for when they are answered: the picture that asked them is gone then."""
        self._said = ""

    @contextmanager
    def shown(self) -> Iterator[None]:
        """The terminal is ours while the block runs; log lines come above the picture."""
        with ExitStack() as stack:
            stack.callback(self._painter.close)
            stack.enter_context(_logs_to(self))
            if self._send is not None:
                stack.enter_context(self._keyboard.listening(sys.stdin.fileno()))
            yield

    @contextmanager
    def away(self) -> Iterator[None]:
        """The terminal is another program's while the block runs."""
        with self._painter.away(), self._keyboard.away():
            yield

    def see(self, run: Run, event: Event, *, fresh: bool) -> None:
        self._run = run
        self._watch.see(event)
        self._watch.stand(run.paused or run.outcome is not None)
        if not fresh:
            return
        line = line_of(run, event)
        if isinstance(event.data, WaitingRaised):
            waiting = event.data.waiting
            self._questions[waiting.id] = waiting.question
        elif isinstance(event.data, Answered) and event.data.waiting_id in self._questions:
            question = one_line(self._questions.pop(event.data.waiting_id), _QUESTION)
            line = replace(line, detail=f"{line.detail} ({question})")
        if line.reach is Reach.ALL and not (self._send and isinstance(event.data, WaitingRaised)):
            self._painter.say(lasting(line, run, self._console.width))
        if isinstance(event.data, WaitingRaised) and line.what == "needs you":
            self._painter.ring()
        if _plan_to_confirm(run) and isinstance(event.data, WaitingRaised | PlanChanged | WorkerSkipped):
            self._show_plan(run)

    def attached(self, run: Run, *, held_here: bool, again: bool) -> None:
        if again:
            how = "going on with it here" if held_here else "another process goes on with it"
            self.say(f"the process that carried the run out has ended: {how}", "yellow")
        elif _plan_to_confirm(run):
            self._show_plan(run)

    def say(self, words: str, style: str = "dim") -> None:
        self._painter.say(Text(words, style=style))

    def notice(self, problem: str) -> None:
        """Beside the question, until something else is typed."""
        self._said = problem

    def tick(self) -> None:
        run = self._run
        if run is None:
            return
        question = question_of(run)
        asked = question.id if question is not None else None
        if asked != self._asked:
            # What was typed was meant for a question that is settled by now.
            self._asked, self._said, self._keyboard.text = asked, "", ""
        now = time.time() * 1000
        width, height = self._console.size
        below = list(
            foot(
                question,
                typed=self._keyboard.text if self._send is not None else None,
                said=self._said,
                width=width,
            )
        )
        self._painter.paint(
            picture(
                run,
                self._slots.rows(run),
                now=now,
                elapsed_ms=self._watch.read(now),
                size=(width, height),
                foot=below,
            )
        )

    def elapsed_ms(self) -> float:
        return self._watch.read(time.time() * 1000)

    def _entered(self, typed: str) -> None:
        self._said = ""
        if self._run is None or self._send is None or not typed.strip():
            return
        waiting = to_edit(self._run, typed)
        if waiting is not None:
            self._edit(waiting)
            return
        try:
            self._send(command_of(self._run, typed, who=self._who))
        except InvalidInput as error:
            self._said = sentence(error)

    def _show_plan(self, run: Run) -> None:
        self._painter.say(Text())
        self._painter.say(plan_table(run, self._console.width))


def _plan_to_confirm(run: Run) -> bool:
    return any(waiting.kind is WaitingKind.PLAN for waiting in run.waiting.values())


def lasting(line: Line, run: Run, width: int) -> RenderableType:
    """On one row, or on a few below one another where something went wrong."""
    mark, style = MOODS[line.mood]
    name = name_width(run)
    room = max(width - name - 16, 8)
    row = Table.grid(padding=(0, 2, 0, 0))
    row.add_column(width=name + 2, no_wrap=True, overflow="ellipsis")
    row.add_column(width=9, no_wrap=True)
    detail = line.detail
    if line.mood in ("bad", "amber"):
        row.add_column(width=room, overflow="fold")
        detail = both_ends(detail, _ROWS_OF_TROUBLE * room - 8)
    else:
        row.add_column(width=room, no_wrap=True, overflow="ellipsis")
    row.add_row(
        Text.assemble((f"{mark} ", style), (line.who, "cyan")), Text(line.what, style=style), Text(detail)
    )
    return row


class _Above:
    """A stream for log lines."""

    def __init__(self, view: LiveView) -> None:
        self._view = view

    def write(self, text: str) -> int:
        if text.strip():
            self._view.say(one_line(text))
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""


@contextmanager
def _logs_to(view: LiveView) -> Iterator[None]:
    handlers = [h for h in logging.getLogger("bigtask").handlers if isinstance(h, logging.StreamHandler)]
    before = [handler.setStream(_Above(view)) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in zip(handlers, before, strict=True):
            handler.setStream(stream or sys.stderr)
