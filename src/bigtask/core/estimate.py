"""What a plan will take, as a range: the same plan on real agents differs by a factor, not by per cent."""

from __future__ import annotations

import heapq

from bigtask.core.plan import dependents_of, order, remaining_paths, weight
from bigtask.core.values import Estimate, Plan, Settings, Task

_LOW, _HIGH = 0.6, 2.0
USD_PER_MILLION_TOKENS = 5.0
"""A mixed list price of current coding models; only an order of magnitude, and said so in `basis`."""


def of(plan: Plan, settings: Settings) -> Estimate | None:
    """None when the plan gives no figures to reckon with."""
    figures = [t for t in plan.tasks if t.estimated_minutes is not None or t.estimated_tokens is not None]
    if not figures:
        return None
    minutes = makespan(plan.tasks, settings.slots)
    tokens = sum(task.estimated_tokens or 0 for task in plan.tasks)
    cost = tokens / 1e6 * USD_PER_MILLION_TOKENS if settings.costs_money else 0.0
    return Estimate(
        minutes_low=round(minutes * _LOW, 1),
        minutes_high=round(minutes * _HIGH, 1),
        cost_low=round(cost * _LOW, 2),
        cost_high=round(cost * _HIGH, 2),
    )


def makespan(tasks: tuple[Task, ...], slots: int) -> float:
    """Minutes from start to end when the longest remaining path goes first on `slots` slots."""
    paths = remaining_paths(tasks)
    place = {task.id: index for index, task in enumerate(order(tasks))}
    by_id = {task.id: task for task in tasks}
    dependents = dependents_of(tasks)
    missing = {task.id: len(task.dependencies) for task in tasks}
    ready = [(-paths[id], place[id], id) for id, count in missing.items() if not count]
    heapq.heapify(ready)
    running: list[tuple[float, int, str]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < slots:
            _, _, id = heapq.heappop(ready)
            heapq.heappush(running, (now + weight(by_id[id]), place[id], id))
        now, _, id = heapq.heappop(running)
        for other in dependents.get(id, ()):
            missing[other] -= 1
            if not missing[other]:
                heapq.heappush(ready, (-paths[other], place[other], other))
    return now
