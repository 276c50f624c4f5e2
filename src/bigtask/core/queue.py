"""Which task may start next, kept so that asking costs the same for ten tasks and for ten thousand."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from itertools import chain
from operator import itemgetter

Rank = tuple[int, float, int]
"""Priority, minus the remaining path, place in the plan: less is more urgent."""

Entry = tuple[str, Rank, int]
"""A task's id, its rank, and the time before which it may not start (ms since the epoch), 0 for none."""


class ReadyQueue:
    """Tasks whose dependencies are met, most urgent first: priority, then longest remaining path, then
    plan order. The order is part of the contract: the same outcomes give the same answer.

    Entries that no longer hold stay in the heaps until they come up; `_token` tells which one is current.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[Rank, int, str]] = []
        self._held: list[tuple[int, int, str, Rank]] = []
        self._parked: dict[str, list[tuple[Rank, int, str]]] = {}
        self._token: dict[str, int] = {}
        self._pushed = 0

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> ReadyQueue:
        """A queue that gives the same answers as the one whose `entries` these are."""
        queue = cls()
        for id, rank, not_before in entries:
            queue.push(id, rank, not_before=not_before)
        return queue

    def entries(self) -> list[Entry]:
        """Everything in the queue, most urgent first. Tasks that stand back for another one are given like
        all others: a new queue made of these entries finds the clash again."""
        ready = chain(self._heap, *self._parked.values())
        found = [(id, rank, 0) for rank, token, id in ready if self._token.get(id) == token]
        found += [(id, rank, due) for due, token, id, rank in self._held if self._token.get(id) == token]
        return sorted(found, key=itemgetter(1))

    def __len__(self) -> int:
        return len(self._token)

    def push(self, id: str, rank: Rank, *, not_before: int = 0) -> None:
        self._pushed += 1
        self._token[id] = self._pushed
        if not_before:
            heapq.heappush(self._held, (not_before, self._pushed, id, rank))
        else:
            heapq.heappush(self._heap, (rank, self._pushed, id))

    def discard(self, id: str) -> None:
        self._token.pop(id, None)

    def release(self, id: str) -> None:
        """What stood back because of `id` may be looked at again."""
        for entry in self._parked.pop(id, ()):
            heapq.heappush(self._heap, entry)

    def peek(self, now: int, clash: Callable[[str], str | None]) -> str | None:
        """The task to start now, or None. `clash` names the task that another has to wait for because
        both write in the same place; it stands back until that one is released."""
        held = self._held
        while held and held[0][0] <= now:
            _, token, id, rank = heapq.heappop(held)
            heapq.heappush(self._heap, (rank, token, id))
        heap = self._heap
        while heap:
            entry = heap[0]
            _, token, id = entry
            if self._token.get(id) != token:
                heapq.heappop(heap)
                continue
            other = clash(id)
            if other is None:
                return id
            self._parked.setdefault(other, []).append(heapq.heappop(heap))
        return None

    def next_due(self) -> int | None:
        """When the first task that is held back may start, or None."""
        while self._held:
            due, token, id, _ = self._held[0]
            if self._token.get(id) == token:
                return due
            heapq.heappop(self._held)
        return None

    def release_all(self) -> None:
        """Nothing is held back by time any more."""
        for _, token, id, rank in self._held:
            heapq.heappush(self._heap, (rank, token, id))
        self._held.clear()
