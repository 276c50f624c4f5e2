"""Following a run over the deaths of those that carry it out: whoever follows takes over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from bigtask.agents.table import AgentTable
from bigtask.core.commands import AnyCommand
from bigtask.core.events import Event
from bigtask.core.evolve import begin, evolve
from bigtask.core.hooks import due
from bigtask.core.run import Run
from bigtask.errors import HolderGone
from bigtask.host.access import attach
from bigtask.host.home import RunFolder
from bigtask.host.link import RunLink, named

Adopt = Callable[[RunFolder], Awaitable[bool]]
"""Whether a server carries the run out from here on, where nobody did."""


class Watcher(Protocol):
    """What is told, in this order: `see` for everything that is recorded already, `attached`, then `see`
    for each event as it comes."""

    def see(self, run: Run, event: Event, *, fresh: bool) -> None:
        """`run` has the event folded in. `fresh` is false for what had happened before we came."""

    def attached(self, run: Run, *, held_here: bool, again: bool) -> None:
        """`again`: whoever held the run before is gone."""


class Following:
    """`run` is None until the first event, `link` while nobody is attached to."""

    def __init__(
        self, folder: RunFolder, agents: AgentTable, watcher: Watcher, *, who: str, adopt: Adopt
    ) -> None:
        self.folder = folder
        self.adopted = False
        """A server carries the run out because we asked it to."""
        self.run: Run | None = None
        self.link: RunLink | None = None
        self._agents = agents
        self._watcher = watcher
        self._who = who
        self._adopt = adopt
        self._first: AnyCommand | None = None
        self._asked: int | None = None

    @property
    def held_here(self) -> bool:
        return self.link is not None and self.link.held_here

    async def follow(self, first: Callable[[Run], AnyCommand | None], *, stay: bool = True) -> None:
        """Follows until the run and its hooks have ended. `first` gives the command that is asked of the run
        at the beginning, if any. Without `stay` it returns when that command is answered, where another
        process carries the run out.

        Raises what the command raises, RunBusy, or a StoreError.
        """
        while True:
            self.adopted = await self._adopt(self.folder) or self.adopted
            try:
                async with attach(self.folder, self._agents, who=self._who) as link:
                    try:
                        if await self._attached(link, first, stay=stay):
                            return
                    finally:
                        self.link = None
            except HolderGone:
                # The next `attach` finds out whether another process holds the run now.
                continue

    async def _attached(
        self, link: RunLink, first: Callable[[Run], AnyCommand | None], *, stay: bool
    ) -> bool:
        """Whether there is nothing more to follow."""
        self.link = link
        again = self._asked is not None
        await self._catch_up(link, fresh=again)
        assert self.run is not None
        self._watcher.attached(self.run, held_here=link.held_here, again=again)
        if self._asked is None:
            command = self._first or first(self.run)
            if command is not None:
                # Asked again under its name, if this holder dies as well before it has answered.
                self._first = named(command)
                self._asked = await link.ask(self._first)
            else:
                self._asked = self.run.seq
            if not stay and not link.held_here:
                await self._catch_up(link, fresh=True)
                return True
        if self._ended():
            return True
        async for event in link.follow(self.run.seq):
            self._fold(event, fresh=True)
            if self._ended():
                return True
        return False

    async def _catch_up(self, link: RunLink, *, fresh: bool) -> None:
        async for event in link.follow(self.run.seq if self.run else 0, stay=False):
            self._fold(event, fresh=fresh)

    def _fold(self, event: Event, *, fresh: bool) -> None:
        if self.run is None:
            self.run = begin(self.folder.id, event)
        else:
            evolve(self.run, event)
        self._watcher.see(self.run, event, fresh=fresh)

    def _ended(self) -> bool:
        run = self.run
        if run is None or run.outcome is None or due(run):
            return False
        return run.seq >= (self._asked or 0)
