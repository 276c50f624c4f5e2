"""Asking one thing of a run: of the process that carries it out, or of its log when nobody does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from bigtask.cli.frame import Frame
from bigtask.cli.reading import linked
from bigtask.core.commands import AnyCommand
from bigtask.core.run import Run
from bigtask.errors import HolderGone
from bigtask.host import access
from bigtask.host.home import RunFolder
from bigtask.host.link import RunLink, named

T = TypeVar("T")


async def ask(frame: Frame, folder: RunFolder, why: str, command: AnyCommand) -> tuple[Run, bool]:
    """The run after the command, and whether somebody carries it out."""

    wanted = named(command)

    async def work(link: RunLink) -> Run:
        await link.ask(wanted)
        return await linked(link, folder.id)

    while True:
        try:
            return await through(frame, folder, why, work)
        except HolderGone:
            # Whether it was done isn't known. Asked again under its name, it isn't done twice.
            continue


async def through(
    frame: Frame, folder: RunFolder, why: str, work: Callable[[RunLink], Awaitable[T]]
) -> tuple[T, bool]:
    """What `work` finds over the link, and whether somebody carries the run out. Nothing is started by it:
    looking and steering must not begin to spend."""
    async with access.attach(folder, frame.agents, who=f"bigtask {why}", idle=True) as link:
        return await work(link), not link.held_here
