"""The views for pipes: one line an event, for people or for programs."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext

import click

from bigtask.cli.event_line import Reach
from bigtask.cli.event_lines import line_of, printed
from bigtask.cli.frame import print_json
from bigtask.core.events import Event
from bigtask.core.run import Run
from bigtask.core.time_left import Stopwatch


class PlainView:
    """Lines on stderr: stdout is for the result."""

    def __init__(self) -> None:
        self._watch = Stopwatch()

    def see(self, run: Run, event: Event, *, fresh: bool) -> None:
        self._watch.see(event)
        self._watch.stand(run.paused or run.outcome is not None)
        if not fresh:
            return
        line = line_of(run, event)
        if line.reach >= Reach.PIPE:
            self.say(printed(line, event.at, run))

    def attached(self, run: Run, *, held_here: bool, again: bool) -> None:
        if again:
            how = "going on with it here" if held_here else "another process goes on with it"
            self.say(f"the process that carried the run out has ended: {how}")

    def say(self, words: str, style: str = "") -> None:
        click.echo(words, err=True)

    def notice(self, problem: str) -> None:
        self.say(problem)

    def away(self) -> AbstractContextManager[None]:
        return nullcontext()

    def tick(self) -> None:
        """Lines don't change."""

    def elapsed_ms(self) -> float:
        return self._watch.read(time.time() * 1000)


class JsonView(PlainView):
    """Events on stdout; words for people still go to stderr. `whole`: from the run's first event on."""

    def __init__(self, *, whole: bool) -> None:
        super().__init__()
        self._whole = whole

    def see(self, run: Run, event: Event, *, fresh: bool) -> None:
        if fresh or self._whole:
            print_json(event.public(run.id))
