"""Sending to many at little cost: fewer writes, one timer, and the same bounds as without."""

from __future__ import annotations

import asyncio

import pytest

from bigtask.server.gathering import Gathered
from bigtask.server.patience import Patience


class Kept(asyncio.Transport):
    """Keeps what it is given to write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed_after: int | None = None

    def write(self, data: bytes) -> None:  # type: ignore[override] # all that is written here are bytes
        self.writes.append(data)

    def close(self) -> None:
        self.closed_after = len(self.writes)

    def get_write_buffer_size(self) -> int:
        return 0


async def test_what_a_turn_writes_goes_out_at_once_and_in_its_order() -> None:
    below = Kept()
    way = Gathered(below)
    for part in (b"one ", b"two ", b"three"):
        way.write(part)
    assert below.writes == []
    assert way.get_write_buffer_size() == 13
    await asyncio.sleep(0)
    assert below.writes == [b"one two three"]
    assert way.get_write_buffer_size() == 0


async def test_much_is_handed_on_before_the_turn_ends() -> None:
    below = Kept()
    way = Gathered(below)
    for _ in range(100):
        way.write(b"x" * 1_024)
        assert way.get_write_buffer_size() < 64 * 1_024
    assert sum(map(len, below.writes)) == 64 * 1_024


async def test_nothing_is_lost_when_the_connection_is_closed() -> None:
    below = Kept()
    way = Gathered(below)
    way.write(b"the last word")
    way.close()
    assert below.writes == [b"the last word"]
    assert below.closed_after == 1


async def test_who_isnt_waited_for_any_longer_is_told_so_and_what_comes_next_is_bounded_anew() -> None:
    patience = Patience(0.02)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await patience.bound(never())
    await patience.bound(asyncio.sleep(0))
    patience.end()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_limit_is_of_one_wait_and_not_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, now = asyncio.get_running_loop(), [0.0]
    patience = Patience(1.0)

    async def slowly() -> None:
        now[0] += 0.6
        await asyncio.sleep(0)

    with monkeypatch.context() as clock:
        clock.setattr(loop, "time", lambda: now[0])
        for _ in range(20):
            await patience.bound(slowly())
        now[0] += 0.6
        await asyncio.sleep(0)  # nothing is being waited for now: the timer ends by itself
        await asyncio.sleep(0)
        patience.end()


async def test_a_cancelling_from_outside_is_no_lack_of_patience() -> None:
    patience = Patience(30)
    task = asyncio.create_task(patience.bound(never()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    patience.end()


async def never() -> None:
    await asyncio.get_running_loop().create_future()
