"""In which order parts of one document belong."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from bigtask.core.plan import dependents_of
from bigtask.core.values import Task


def order(tasks: Sequence[Task]) -> tuple[str, ...]:
    """The ids in plan order, but each after those that it depends on: it was written with them before it."""
    places = {task.id: place for place, task in enumerate(tasks)}
    missing = {task.id: len(task.dependencies) for task in tasks}
    dependents = dependents_of(tasks)
    ready = [(place, id) for id, place in places.items() if not missing[id]]
    found = []
    while ready:
        _, id = heapq.heappop(ready)
        found.append(id)
        for other in dependents.get(id, ()):
            missing[other] -= 1
            if not missing[other]:
                heapq.heappush(ready, (places[other], other))
    return tuple(found)
