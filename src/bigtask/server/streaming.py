"""A run's events as Server-Sent Events: `id` is the event's number, by which a client goes on after a cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from bigtask.core.events import Event
from bigtask.host.home import RunFolder
from bigtask.server.parts import Parts

_BEAT_S = 15.0
"""So often something is sent, so that whoever is between doesn't take the connection for dead."""


async def stream(parts: Parts, folder: RunFolder, after: int) -> AsyncIterator[bytes]:
    """Server-sent events of the run after number `after`, until the client goes, the server ends or the run
    is deleted."""
    events = parts.module.following.follow(folder, after)
    parts.traffic.streams += 1
    following: asyncio.Task[Event] | None = None
    try:
        yield b": events of one run, in order\n\n"
        while True:
            following = following or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait({following}, timeout=_BEAT_S)
            if not done:
                yield b": still here\n\n"
                continue
            try:
                event = following.result()
            except StopAsyncIteration:
                return
            following = None
            parts.traffic.told += 1
            yield b"id: %d\nevent: %s\ndata: %s\n\n" % (
                event.seq,
                event.type.encode(),
                parts.module.following.text(folder.id, event),
            )
    finally:
        parts.traffic.streams -= 1
        if following is not None:
            following.cancel()
            await asyncio.wait({following})
        await events.aclose()
