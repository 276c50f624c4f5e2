"""What an editor's text reaches while it is open: the run that it is about, and the person."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Protocol

import click

from bigtask.agents.table import AgentTable
from bigtask.cli.following import Following
from bigtask.cli.frame import Frame
from bigtask.cli.reading import is_held, linked, load
from bigtask.cli.screen import note
from bigtask.cli.steering import ask
from bigtask.core.commands import AnyCommand
from bigtask.core.run import Run
from bigtask.errors import Conflict
from bigtask.host.home import RunFolder
from bigtask.host.link import RunLink, named

Knows = Callable[[str], bool]
"""Whether there is an agent of that name."""


class Way(Protocol):
    def knows(self, name: str) -> bool:
        """Whether there is an agent of that name."""

    async def run(self) -> Run:
        """As it is by now."""

    async def ask(self, command: AnyCommand) -> object: ...

    async def goes_on(self, problems: Sequence[str]) -> bool:
        """Whether the person wants to go on editing a text that can't be used, and why it can't."""


class LooseRun:
    """The way to a run that this process doesn't hold: while the editor is open others may carry it out.

    `seen` and `held` are the run, and whether somebody carries it out, as they were when last looked at.
    """

    def __init__(self, frame: Frame, folder: RunFolder, why: str) -> None:
        """`why` is the command that the run is attached to for."""
        self._frame = frame
        self._folder = folder
        self._why = why
        self.seen: Run
        self.held = False

    @property
    def name(self) -> str:
        """What the run is called in a command."""
        return self._frame.name_of(self._folder)

    def knows(self, name: str) -> bool:
        return self._frame.agents.knows(name)

    async def run(self) -> Run:
        self.seen, self.held = await load(self._folder), is_held(self._folder)
        return self.seen

    async def ask(self, command: AnyCommand) -> None:
        self.seen, self.held = await ask(self._frame, self._folder, self._why, command)

    async def goes_on(self, problems: Sequence[str]) -> bool:
        for problem in problems:
            note(f"  - {problem}")
        if not (os.isatty(0) and os.isatty(2)):
            return False
        return click.confirm("Go on editing?", default=True, err=True)


class FollowedRun:
    """The way to a run that this process follows, with the person at its terminal. What can't be used opens
    again in the editor, which shows why; to save it unchanged is to have enough."""

    def __init__(self, following: Following, agents: AgentTable) -> None:
        self._following = following
        self._agents = agents

    def knows(self, name: str) -> bool:
        return self._agents.knows(name)

    async def run(self) -> Run:
        # What its holder has recorded may not have come here yet.
        return await linked(self._link, self._following.folder.id)

    async def ask(self, command: AnyCommand) -> None:
        await self._link.ask(named(command))

    @property
    def _link(self) -> RunLink:
        if self._following.link is None:
            raise Conflict("nobody carries the run out at this moment: try again")
        return self._following.link

    async def goes_on(self, problems: Sequence[str]) -> bool:
        return True
