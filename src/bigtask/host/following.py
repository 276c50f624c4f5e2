"""Recorded events on their way to clients: in order, without gap or repeat, whoever holds the run meanwhile.

A follower is a place in a log, not a buffer: one that is slow reads older events from the log again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress

import msgspec

from bigtask.core.events import Event
from bigtask.errors import HolderGone, NotFound
from bigtask.host.custody import Custody
from bigtask.host.home import RunFolder
from bigtask.host.link import RunLink
from bigtask.host.lock import reading
from bigtask.host.log_file import looking, read_events
from bigtask.host.socket import SocketLink

PAGE = 256
_LOOK_EVERY_S = 0.5
"""How long another process's doing may stay unseen; what this process does is told at once."""
_SOON_S = 0.05
_TEXTS = 2_048
_TEXT_LIMIT = 16 * 1024


class Following:
    def __init__(self, custody: Custody) -> None:
        self._custody = custody
        self._texts: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._reading: dict[tuple[str, int, int], asyncio.Task[list[Event] | None]] = {}

    def text(self, run_id: str, event: Event) -> bytes:
        """The event as clients see it, made once however many there are."""
        key = (run_id, event.seq)
        found = self._texts.get(key)
        if found is None:
            found = msgspec.json.encode(event.public(run_id))
            if len(found) <= _TEXT_LIMIT:
                self._texts[key] = found
                if len(self._texts) > _TEXTS:
                    self._texts.popitem(last=False)
        return found

    async def page(self, folder: RunFolder, after: int, limit: int) -> list[Event]:
        """The events recorded after number `after`, at most `limit`. Raises NotFound or StoreError."""
        while True:
            link: RunLink | None = self._custody.local(folder.id)
            if link is None:
                read = await self._read(folder, after, limit)
                if read is not None:
                    return read
                link = SocketLink(folder.socket)
            try:
                return await _first(link.follow(after, stay=False), limit)
            except HolderGone:
                # The holder has just ended, or is just beginning.
                await self._custody.changed(_SOON_S)

    async def _read(self, folder: RunFolder, after: int, limit: int) -> list[Event] | None:
        """Watchers of a run go through it side by side: what several want at the same time is read once."""
        key = (folder.id, after, limit)
        task = self._reading.get(key)
        if task is None:
            task = self._reading[key] = asyncio.create_task(
                asyncio.to_thread(_read_page, folder, after, limit)
            )
            task.add_done_callback(lambda done: self._read_ended(key, done))
        return await asyncio.shield(task)

    def _read_ended(self, key: tuple[str, int, int], task: asyncio.Task[list[Event] | None]) -> None:
        del self._reading[key]
        if not task.cancelled():
            task.exception()  # marked as seen: asyncio would log it where nobody waits

    async def follow(self, folder: RunFolder, after: int = 0) -> AsyncGenerator[Event, None]:
        """From `after` on, until the custody ends or the run is deleted."""
        seen: object = None
        while not self._custody.ending:
            link = self._custody.local(folder.id)
            if link is not None:
                with suppress(HolderGone):
                    async for event in link.follow(after):
                        yield event
                        after = event.seq
                seen = None
                # The holder here has ended; the custody is about to forget it, or to take the run up anew.
                if self._custody.local(folder.id) is link:
                    await self._custody.changed(_LOOK_EVERY_S)
                continue
            stamp = _stamp(folder)
            if stamp is None:
                return
            if stamp != seen:
                try:
                    found = await self._read(folder, after, PAGE)
                except NotFound:
                    return
                if found:
                    for event in found:
                        yield event
                        after = event.seq
                    continue
                if found is None:
                    with suppress(HolderGone):
                        async for event in SocketLink(folder.socket).follow(after):
                            yield event
                            after = event.seq
                else:
                    seen = stamp
            await self._custody.changed(_LOOK_EVERY_S)


async def _first(events: AsyncIterator[Event], limit: int) -> list[Event]:
    found: list[Event] = []
    async for event in events:
        found.append(event)
        if len(found) == limit:
            break
    return found


def _read_page(folder: RunFolder, after: int, limit: int) -> list[Event] | None:
    """None while a process holds the run. Raises NotFound where it is gone."""
    try:
        with reading(folder.lock) as free:
            if not free:
                return None
            with looking(folder.log) as connection:
                return list(read_events(connection, after, limit)) if connection is not None else []
    except FileNotFoundError:
        raise NotFound(f"there is no run {folder.id} any more") from None


def _stamp(folder: RunFolder) -> object:
    """Another one when somebody may have written, or holds the run; None when it is gone."""
    try:
        lock = folder.lock.stat()
        return (folder.log.stat().st_mtime_ns, lock.st_mtime_ns, lock.st_size)
    except FileNotFoundError:
        return None if not folder.log.exists() else ()
