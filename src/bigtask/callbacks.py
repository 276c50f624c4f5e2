"""What a program is called with when something has happened, over all runs that its module works with."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import NamedTuple

from bigtask.core.events import TYPES, Event
from bigtask.errors import BigtaskError, InvalidInput
from bigtask.host.following import Following
from bigtask.host.home import RunFolder
from bigtask.sink import log
from bigtask.templates.changes import EVENTS
from bigtask.templates.listed import Listed
from bigtask.templates.manager import TemplateManager
from bigtask.templates.shape import suggestion


class TemplateEvent(NamedTuple):
    """`type` is `template:loaded`, `created`, `updated`, `deleted` or `error`."""

    type: str
    template: Listed


Callback = Callable[[str, Event | TemplateEvent], object]
"""Called with the run's id and the event; for a template's with its id."""


class Callbacks:
    """Nothing is followed while nobody wants to hear. What a callback raises is told to the event loop's
    exception handler, and the others are called all the same."""

    def __init__(self, following: Following, templates: TemplateManager) -> None:
        self._following = following
        self._wanted: list[tuple[str, Callback]] = []
        self._places: dict[str, int] = {}
        """Of each run that is followed, up to where it isn't news."""
        self._tasks: set[asyncio.Task[None]] = set()
        templates.on("*", lambda kind, listed: self._tell(listed.id, TemplateEvent(kind, listed)))

    def on(self, event_type: str, callback: Callback) -> Callable[[], None]:
        """Raises InvalidInput for a type that no event has, and for what would have to be awaited."""
        known = (*TYPES, *EVENTS)
        if event_type not in (*known, "*"):
            raise InvalidInput(f"{event_type!r} isn't a type of events{suggestion(event_type, known)}")
        if inspect.iscoroutinefunction(callback):
            raise InvalidInput(
                "a callback is called, not awaited: let it start a task, or use `async for … in events(…)`"
            )
        entry = (event_type, callback)
        self._wanted.append(entry)

        def off() -> None:
            with suppress(ValueError):
                self._wanted.remove(entry)

        return off

    @property
    def wanted(self) -> bool:
        return bool(self._wanted)

    def hears(self, run_id: str) -> bool:
        return run_id in self._places

    def listen(self, folder: RunFolder, after: int) -> None:
        """Tells from `after` on what happens in the run, until `close`."""
        if self._wanted and folder.id not in self._places:
            self._places[folder.id] = after
            task = asyncio.create_task(self._follow(folder, after), name=f"callbacks of {folder.id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """When everything that is recorded by now has been told. The custody has ended before."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._places.clear()
        await asyncio.sleep(0)  # the last callbacks have their turn

    async def _follow(self, folder: RunFolder, after: int) -> None:
        try:
            async with aclosing(self._following.follow(folder, after)) as events:
                async for event in events:
                    self._tell(folder.id, event)
        except BigtaskError as error:
            log("OrchestratorModule").error("callbacks hear no more of run %s: %s", folder.id, error)
        self._places.pop(folder.id, None)

    def _tell(self, id: str, event: Event | TemplateEvent) -> None:
        for wanted, callback in self._wanted:
            if wanted in ("*", event.type):
                try:
                    loop = asyncio.get_running_loop()
                except RuntimeError:
                    callback(id, event)  # templates can be changed where no loop runs
                else:
                    loop.call_soon(callback, id, event)
