"""The `desktop` agent in the conformance suite: each behaviour by a scripted agent behind the page."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from bigtask.agents.protocol import Agent
from desktop.setting import Setting, setting

_ELSEWHERE = frozenset({"reports by a tool", "reports usage", "dies", "exits"})
"""It has no tools of ours and no process, and its usage has a price of its own: tests/desktop/ has these in
their own form."""


@contextmanager
def desktop_showing(behaviour: str, steps: Sequence[Mapping[str, Any]]) -> Iterator[Agent | None]:
    if behaviour in _ELSEWHERE:
        yield None
        return
    turns = [{"steps": list(steps)}] if behaviour != "answers" else []
    with set_up({"process": False, "turns": turns}) as place:
        yield place.agent()


@contextmanager
def answering_desktop() -> Iterator[Agent]:
    with set_up({"process": False}) as place:
        yield place.agent()


@contextmanager
def set_up(played_by: Agent | Mapping[str, Any]) -> Iterator[Setting]:
    """As `setting`, on an event loop of its own: the test has none yet, or another one."""
    ready: Future[tuple[Setting, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def keep() -> None:
        over = asyncio.Event()
        async with setting(played_by) as place:
            ready.set_result((place, asyncio.get_running_loop(), over))
            await over.wait()

    def work() -> None:
        try:
            asyncio.run(keep())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        place, loop, over = ready.result()
        try:
            yield place
        finally:
            loop.call_soon_threadsafe(over.set)
    finally:
        thread.join()
