"""Runs as they are recorded by now, each with what stands in the way of reading it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from bigtask.core.events import Event
from bigtask.core.evolve import fold
from bigtask.core.run import Run
from bigtask.errors import BigtaskError
from bigtask.host import access
from bigtask.host.home import RunFolder
from bigtask.host.link import RunLink
from bigtask.host.lock import reading
from bigtask.host.source import RunSource
from bigtask.host.verification import step

_LOOK_EVERY_S = 0.3


@dataclass(frozen=True, kw_only=True)
class Glance:
    """Exactly one of `run` and `error`; `held` says whether a process carries the run out now."""

    folder: RunFolder
    run: Run | None = None
    error: str = ""
    held: bool = False


async def load(folder: RunFolder) -> Run:
    """Raises what `access.read_run` raises."""
    return await access.read_run(folder)


def is_held(folder: RunFolder) -> bool:
    with reading(folder.lock) as free:
        return not free


async def glance(folder: RunFolder) -> Glance:
    try:
        held = is_held(folder)
        return Glance(folder=folder, run=await load(folder), held=held)
    except BigtaskError as error:
        return Glance(folder=folder, error=str(error))
    except OSError as error:
        return Glance(folder=folder, error=f"{folder.path} can't be read: {error.strerror}")


async def glances(folders: Iterable[RunFolder]) -> list[Glance]:
    """In the order given. One run that doesn't answer holds up none of the others."""
    return list(await asyncio.gather(*(glance(folder) for folder in folders)))


async def recorded(source: RunSource, *, follow: bool) -> AsyncIterator[tuple[Run, Event]]:
    """Each event in the log with the run after it, the same value every time; with `follow` also what comes,
    until the run has ended, whoever holds it. Raises StoreError where an event can't follow the others."""
    run: Run | None = None
    while True:
        found = await source.events()
        for event in found[run.seq if run is not None else 0 :]:
            run = step(run, event, source.id)
            yield run, event
        if not follow or (run is not None and run.outcome is not None):
            return
        await asyncio.sleep(_LOOK_EVERY_S)


async def linked(link: RunLink, run_id: str) -> Run:
    """The run behind a link, as it is now."""
    return fold(run_id, [event async for event in link.follow(stay=False)])
