from __future__ import annotations

import asyncio

import pytest

from bigtask.core.events import Event, WorkerMessage
from bigtask.host.feed import _PAGE, _TAIL, Feed
from bigtask.host.log import MemoryLog

LONG = _TAIL + 2 * _PAGE + 7


def events(first: int, last: int) -> list[Event]:
    return [
        Event(n, n, WorkerMessage(task_id="a", attempt=1, offset=n, length=1)) for n in range(first, last + 1)
    ]


async def published(feed: Feed, log: MemoryLog, first: int, last: int) -> None:
    await log.append(first - 1, events(first, last))
    feed.publish(events(first, last))


async def numbers(feed: Feed, after: int = 0, *, stay: bool = True) -> list[int]:
    return [event.seq async for event in feed.follow(after, stay=stay)]


@pytest.mark.parametrize("after", [0, 1, 500, LONG - _TAIL - 1, LONG - _TAIL, LONG - 1, LONG, LONG + 5])
async def test_a_follower_begins_at_any_place_without_gap_or_repeat(after):
    log = MemoryLog()
    feed = Feed(log, 0)
    await published(feed, log, 1, LONG)
    assert await numbers(feed, after, stay=False) == list(range(after + 1, LONG + 1))


async def test_what_was_recorded_before_is_read_from_the_log():
    log = MemoryLog(events(1, 5))
    feed = Feed(log, 5)
    assert await numbers(feed, stay=False) == [1, 2, 3, 4, 5]
    await published(feed, log, 6, 7)
    assert await numbers(feed, 3, stay=False) == [4, 5, 6, 7]


async def test_followers_get_what_comes_and_end_when_the_feed_is_closed():
    log = MemoryLog()
    feed = Feed(log, 0)
    async with asyncio.TaskGroup() as group:
        followers = [group.create_task(numbers(feed, after)) for after in (0, 2, 5)]
        for seq in range(1, 7):
            await published(feed, log, seq, seq)
            await asyncio.sleep(0)
        feed.close()
    assert [task.result() for task in followers] == [[1, 2, 3, 4, 5, 6], [3, 4, 5, 6], [6]]
    assert await numbers(feed, 4) == [5, 6], "who comes late still reads everything"


async def test_who_reads_slowly_reads_older_events_from_the_log_again():
    log = MemoryLog()
    feed = Feed(log, 0)
    await published(feed, log, 1, 3)
    follower = feed.follow()
    got = [(await anext(follower)).seq]
    await published(feed, log, 4, LONG)
    feed.close()
    got += [event.seq async for event in follower]
    assert got == list(range(1, LONG + 1))


async def test_nobody_sees_what_is_in_the_log_but_not_published_yet():
    log = MemoryLog(events(1, 3))
    feed = Feed(log, 2)
    assert await numbers(feed, stay=False) == [1, 2]


async def test_who_does_not_stay_gets_what_was_recorded_when_it_asked():
    log = MemoryLog()
    feed = Feed(log, 0)
    assert await numbers(feed, stay=False) == []
    await published(feed, log, 1, 2)
    follower = feed.follow(stay=False)
    first = await anext(follower)
    feed.close()
    assert [first.seq, *[event.seq async for event in follower]] == [1, 2]
