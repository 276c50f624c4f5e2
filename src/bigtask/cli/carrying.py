"""Carrying a run out at the terminal: follow it, show it, ask what waits, stop when the person says so."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from bigtask.cli import ci_report
from bigtask.cli.following import Following, Watcher
from bigtask.cli.frame import (
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_WAITING,
    Frame,
    carry_out,
    exit_status,
    print_json,
)
from bigtask.cli.keyboard import is_ours
from bigtask.cli.lines import JsonView, PlainView
from bigtask.cli.next_steps import answers, next_steps
from bigtask.cli.standing import stands_still
from bigtask.core.commands import AnyCommand, Pause
from bigtask.core.events import Event
from bigtask.core.hooks import due
from bigtask.core.run import Run
from bigtask.core.states import WaitingKind
from bigtask.core.values import Waiting
from bigtask.errors import BigtaskError
from bigtask.host.home import RunFolder
from bigtask.host.lock import holder_of
from bigtask.server.adopting import adopted
from bigtask.words import one_line

if TYPE_CHECKING:
    from bigtask.cli.editing import FollowedRun
    from bigtask.cli.editor import Draft

_TICK_S = 0.12
_QUIET_S = 0.3
"""So long nothing must come before a run counts as standing still: what a command leads to comes in turn."""
_DRAIN_S = 5.0
_END_S = 2.0
_PATIENCE_WITH_HOOKS_S = 2.0

First = Callable[[Run], AnyCommand | None]
"""What is asked of a run at the beginning, by where it stands. Raises BigtaskError."""


class View(Watcher, Protocol):
    def say(self, words: str, style: str = "") -> None: ...

    def notice(self, problem: str) -> None:
        """Something that the person typed can't be done."""

    def tick(self) -> None: ...

    def away(self) -> AbstractContextManager[None]:
        """The terminal is another program's while the block runs."""

    def elapsed_ms(self) -> float: ...


class _Ending(Enum):
    FOLLOWED = auto()
    WAITING = auto()
    INTERRUPTED = auto()
    UNHEARD = auto()
    """Whoever read our results has gone."""


async def carry(
    frame: Frame,
    folder: RunFolder,
    first: First,
    *,
    as_json: bool,
    stay: bool = True,
    whole: bool = True,
    reports: Path | None = None,
) -> int:
    """The exit status. Without `stay`, another process's run is only asked, not followed. `whole`: JSON
    begins with the first event that the run has, else with the first that comes. With a folder for `reports`
    nobody is asked and nothing is drawn, and they are written at the end, however that comes."""
    carrying = _Carrying(frame, folder, as_json=as_json, stay=stay, whole=whole, plain=reports is not None)
    if reports is not None:
        ci_report.require_writable(reports)
    status = carrying.last_word(await carrying.go(first))
    if reports is not None and carrying.run is not None:
        ci_report.write(carrying.run, reports)
    return status


def ask_and_carry(
    frame: Frame,
    run_id: str,
    command: AnyCommand,
    *,
    watch: bool,
    as_json: bool,
    reports: Path | None = None,
) -> int:
    """What a command for a run that exists does: if no process carries the run out, this one does. Without
    `watch` another process's run is only asked."""
    folder = frame.find(run_id)
    return carry_out(
        lambda: carry(
            frame,
            folder,
            lambda run: command,
            as_json=as_json,
            # Reports are written of the end of a run, so its end is waited for.
            stay=watch or reports is not None,
            whole=False,
            reports=reports,
        )
    )


class _Carrying:
    def __init__(
        self, frame: Frame, folder: RunFolder, *, as_json: bool, stay: bool, whole: bool, plain: bool
    ) -> None:
        self._frame = frame
        self._folder = folder
        self._as_json = as_json
        self._plain = plain
        self._stay = stay
        self._asks = False
        self._view = self._make_view(whole=whole)
        self._following = Following(folder, frame.agents, self, who=frame.who, adopt=adopted)
        self._leave: asyncio.Future[_Ending] = asyncio.get_running_loop().create_future()
        self._background: set[asyncio.Task[None]] = set()
        self._rests = asyncio.Event()
        self._last_event = time.monotonic()
        self._stopping = False
        self._editing = False
        self._told_of_hooks = False
        self._held_here = False

    def _make_view(self, *, whole: bool) -> View:
        if self._as_json:
            return JsonView(whole=whole)
        if self._plain or not sys.stderr.isatty() or os.environ.get("TERM", "") in ("", "dumb"):
            return PlainView()
        from rich.console import Console

        from bigtask.cli.live import LiveView

        self._asks = is_ours(0)
        console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        return LiveView(
            console, who=self._frame.author, send=self._send if self._asks else None, edit=self._edit
        )

    @property
    def run(self) -> Run | None:
        return self._following.run

    async def go(self, first: First) -> _Ending:
        shown: AbstractContextManager[None] = getattr(self._view, "shown", nullcontext)()
        with shown, self._signals():
            following = asyncio.create_task(self._following.follow(first, stay=self._stay))
            try:
                return await self._watch(following)
            finally:
                tasks = {following, *self._background}
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
                for task in tasks:
                    # What went wrong was told where it mattered; asking for it keeps asyncio from telling it.
                    if not task.cancelled():
                        task.exception()

    async def _watch(self, following: asyncio.Task[None]) -> _Ending:
        waits: set[asyncio.Future[_Ending] | asyncio.Task[None]] = {following, self._leave}
        while True:
            await asyncio.wait(waits, timeout=_TICK_S, return_when=asyncio.FIRST_COMPLETED)
            if self._leave.done():
                return self._leave.result()
            if following.done():
                following.result()
                return _Ending.FOLLOWED
            self._view.tick()
            self._tell_of_hooks()
            if not self._asks and not self._stopping and self._stands_still():
                return _Ending.WAITING

    def _stands_still(self) -> bool:
        """Somebody else's run may be answered where it is carried out."""
        run = self._following.run
        ours = self._following.held_here or self._following.adopted
        if run is None or not ours or time.monotonic() - self._last_event < _QUIET_S:
            return False
        return stands_still(run, int(time.time() * 1000))

    def _tell_of_hooks(self) -> None:
        """Why nothing seems to happen after the end."""
        run = self._following.run
        if run is None or run.outcome is None or self._told_of_hooks:
            return
        if time.monotonic() - self._last_event < _PATIENCE_WITH_HOOKS_S:
            return
        self._told_of_hooks = True
        waiting = ", ".join(dict.fromkeys(hook.value for _, hook in due(run)))
        if waiting:
            self._view.say(f"the run is over, its hook {waiting} isn't (Ctrl-C ends it)")

    # What following tells

    def see(self, run: Run, event: Event, *, fresh: bool) -> None:
        self._last_event = time.monotonic()
        if run.paused or run.outcome is not None:
            self._rests.set()
        else:
            self._rests.clear()
        try:
            self._view.see(run, event, fresh=fresh)
        except BrokenPipeError:
            self._leave_with(_Ending.UNHEARD)

    def attached(self, run: Run, *, held_here: bool, again: bool) -> None:
        self._held_here = held_here
        self._last_event = time.monotonic()
        self._view.attached(run, held_here=held_here, again=again)
        if again or run.outcome is not None:
            return
        if not held_here and self._stay:
            self._view.say(f"{holder_of(self._folder.lock)} carries the run out: following it")
        elif held_here and run.started and not run.paused:
            self._view.say("nobody carried the run out: going on with it here")

    # What the person wants

    def _send(self, command: AnyCommand) -> None:
        self._do(self._ask(command))

    def _do(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _ask(self, command: AnyCommand) -> None:
        link = self._following.link
        if link is None:
            self._view.notice("nobody carries the run out at this moment: try again")
            return
        try:
            await link.ask(command)
        except BigtaskError as error:
            self._view.notice(str(error))

    def _edit(self, waiting: Waiting) -> None:
        if not self._editing:
            self._editing = True
            self._do(self._edit_text(waiting))

    async def _edit_text(self, waiting: Waiting) -> None:
        from bigtask.cli.editing import FollowedRun
        from bigtask.cli.editor import draft

        said = ""
        plan, name = waiting.kind is WaitingKind.PLAN, self._frame.name_of(self._folder)
        way = FollowedRun(self._following, self._frame.agents)
        try:
            with self._view.away(), draft(".toml" if plan else ".json") as text:
                try:
                    said = await (self._plan(way, text) if plan else self._answer(way, text, waiting))
                finally:
                    if text.keep:
                        again = f"edit {name} --from" if plan else f"answer {name} {waiting.id} edit --data"
                        self._view.say(f"what you wrote is kept: bigtask {again} {text.path}", "yellow")
        except (BigtaskError, OSError) as error:
            said = str(error)
        finally:
            self._editing = False
        self._view.notice(said)

    async def _plan(self, way: FollowedRun, text: Draft) -> str:
        from bigtask.cli.plan_editing import edit_plan

        edited = await edit_plan(way, text, by=self._frame.who)
        return "" if edited is not None else "the plan stays as it is"

    async def _answer(self, way: FollowedRun, text: Draft, waiting: Waiting) -> str:
        from bigtask.cli.answer_editing import edit_answer

        given = await edit_answer(way, text, waiting, by=self._frame.author)
        return "" if given else f"{waiting.id} still waits for its answer"

    @contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        ends = (signal.SIGTERM, signal.SIGHUP)
        for number in ends:
            loop.add_signal_handler(number, self._leave_with, _Ending.INTERRUPTED)
        try:
            yield
        finally:
            for number in (signal.SIGINT, *ends):
                loop.remove_signal_handler(number)

    def _interrupt(self) -> None:
        if self._editing:
            # This Ctrl-C was meant for the editor.
            return
        run = self._following.run
        rests = run is None or run.paused or not run.started or run.outcome is not None
        if self._stopping or run is None or rests or not self._following.held_here:
            self._leave_with(_Ending.INTERRUPTED)
            return
        self._stopping = True
        at_work = len(run.live) + len(run.integrating)
        waits = f", waiting for {at_work} at work to stop" if at_work else ""
        self._view.say(f"pausing{waits} (Ctrl-C again ends at once)", "yellow")
        self._do(self._pause())

    async def _pause(self) -> None:
        link = self._following.link
        if link is not None:
            try:
                await link.ask(Pause(by=self._frame.who))
                if not await self._rests_within(_DRAIN_S):
                    await link.ask(Pause(by=self._frame.who, now=True))
                    await self._rests_within(_END_S)
            except BigtaskError as error:
                self._view.notice(str(error))
        run = self._following.run
        if run is None or run.outcome is None:
            self._leave_with(_Ending.INTERRUPTED)

    async def _rests_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._rests.wait()
        except TimeoutError:
            return False
        return True

    def _leave_with(self, ending: _Ending) -> None:
        if not self._leave.done():
            self._leave.set_result(ending)

    # The end

    def last_word(self, ending: _Ending) -> int:
        run = self._following.run
        if ending is _Ending.UNHEARD:
            # Nobody reads the output any more: flushing it at exit would fail with a traceback.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return EXIT_INTERRUPTED
        if run is None:
            return EXIT_INTERRUPTED
        name = self._frame.name_of(self._folder)
        if self._as_json:
            from bigtask.cli.result import result_json

            print_json(result_json(run))
        elif run.outcome is not None:
            self._print_result(run, name)
        if ending is _Ending.INTERRUPTED:
            click.echo(_how_it_was_left(run, name, held_here=self._held_here), err=True)
            return EXIT_INTERRUPTED
        if run.outcome is not None:
            return exit_status(run)
        if ending is _Ending.WAITING:
            click.echo("\n".join(_how_to_go_on(run, name)), err=True)
            return EXIT_WAITING
        click.echo(
            f"{holder_of(self._folder.lock)} goes on with it: `bigtask watch {name}` follows", err=True
        )
        return EXIT_OK

    def _print_result(self, run: Run, name: str) -> None:
        from rich.console import Console

        from bigtask.cli.result import result_lines

        if sys.stderr.isatty():
            click.echo(err=True)
        terminal = False if self._plain else None
        console = Console(highlight=False, markup=False, emoji=False, force_terminal=terminal)
        for line in result_lines(run, name=name, elapsed_ms=self._view.elapsed_ms()):
            console.print(line, soft_wrap=True)


def _how_it_was_left(run: Run, name: str, *, held_here: bool) -> str:
    if run.outcome is not None and due(run):
        return f"stopped before its hooks had ended: `bigtask watch {name}` runs them again"
    if run.outcome is not None:
        return f"stopped: `bigtask show {name}` shows the run"
    if not held_here:
        return f"not following any more, the run goes on: `bigtask watch {name}` follows it again"
    how = "paused" if run.paused else "stopped"
    verb = "resume" if run.started else "start"
    return f"{how}: `bigtask {verb} {name}` or the same command goes on"


def _how_to_go_on(run: Run, name: str) -> Iterator[str]:
    """For each thing that the run waits for, what it is and the commands that settle it, once this process
    has ended."""
    if not run.started or run.paused:
        yield f"the run {'is paused' if run.paused else 'has not been started'}"
        yield from (f"  {step.command}" for step in next_steps(run, name, held=False))
    for waiting in run.waiting.values():
        who = f"{waiting.task_id} needs you" if waiting.task_id else "the run needs you"
        yield f"{who} ({waiting.id}): {one_line(waiting.question, 400)}"
        yield from (f"  {command}" for command in answers(waiting, name))
        if waiting.kind is WaitingKind.BUDGET or (waiting.kind is not WaitingKind.PLAN and not run.paused):
            yield f"  and then bigtask resume {name}"
