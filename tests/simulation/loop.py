"""An event loop whose time is its own: it never waits, it goes on to the next moment when something is due.

What is ready at one moment runs in an order of chance, as it would with a network and a scheduler in between.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextvars import ContextVar
from itertools import count
from typing import Any


class StandStill(Exception):
    """Nothing is ready and nothing is due: whoever waits would wait for ever."""


class Spinning(Exception):
    """More steps than any run takes: something goes round and round."""


class Numbered(asyncio.Task[Any]):
    """A set of tasks is gone through in the same order each time, since their hashes aren't addresses."""

    number = 0

    def __hash__(self) -> int:
        return self.number


OWNER: ContextVar[list[Numbered]] = ContextVar("OWNER")
"""Where the tasks of the present context are listed; tasks hand it on to those that they start."""


class _Ready(deque[asyncio.Handle]):
    """The loop's queue of what is ready. Each time that something is taken from it is one step."""

    def __init__(self, chance: random.Random, *, in_order: bool, most_steps: int) -> None:
        super().__init__()
        self.steps = 0
        self.in_order = in_order
        self.at_step: tuple[int, Callable[[], None]] | None = None
        self._draw = chance.random
        self._most = most_steps

    def forgive(self) -> None:
        self.at_step, self._most = None, self.steps + 100_000

    def popleft(self) -> asyncio.Handle:
        self.steps += 1
        if self.at_step is not None and self.steps >= self.at_step[0]:
            _, call = self.at_step
            self.at_step = None
            call()
        if self.steps > self._most:
            raise Spinning(f"{self.steps} steps")
        if not self.in_order and len(self) > 1:
            self.rotate(-int(self._draw() * len(self)))
        return super().popleft()


class VirtualLoop(asyncio.BaseEventLoop):
    """Everything that happens on it follows from `chance`. It has no threads, sockets, pipes or signals."""

    def __init__(self, chance: random.Random, *, in_order: bool = False, most_steps: int = 1_000_000) -> None:
        super().__init__()
        self._selector = self
        self._ready = _Ready(chance, in_order=in_order, most_steps=most_steps)
        self._now = 0.0
        self._clock_resolution = 1e-9
        self._numbers = count(1)
        self.complaints: list[str] = []
        """What asyncio had to say of exceptions that nobody took and tasks that nobody waited for."""
        self.set_task_factory(self._make_task)
        self.set_exception_handler(self._complain)

    def time(self) -> float:
        return self._now

    @property
    def steps(self) -> int:
        return self._ready.steps

    def call_at_step(self, step: int, call: Callable[[], None]) -> None:
        """Between two steps, at the earliest before that one. Another call takes its place."""
        self._ready.at_step = (step, call)

    def select(self, timeout: float | None) -> Sequence[Any]:
        """What stands for the wait for input: the time passes at once."""
        if timeout is None:
            raise StandStill("nothing is due")
        self._now += timeout
        return ()

    def forgive(self) -> None:
        """No more limit to the steps, no more call at one of them."""
        self._ready.forgive()

    def _process_events(self, events: Sequence[Any]) -> None:
        """There is no input."""

    def _write_to_self(self) -> None:
        """There is no other thread that could wait for the loop to wake up."""

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any
    ) -> Numbered:
        task = Numbered.__new__(Numbered)
        # Before the rest of it is made: asyncio's own registers ask for the hash.
        task.number = next(self._numbers)
        task.__init__(work, loop=loop, **options)  # type: ignore[misc]  # not called by __new__
        context = options.get("context")
        owned = OWNER.get(None) if context is None else context.get(OWNER)
        if owned is not None:
            owned.append(task)
        return task

    def _complain(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.complaints.append(f"{context['message']}: {error!r}" if error else str(context["message"]))
