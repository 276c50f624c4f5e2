"""What no scheduler can beat, and what a good one reaches, reckoned from the workload alone."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from kit.workload import Workload

Rank = tuple[float, int, int]
"""Minus the remaining path in seconds, minus the same in tasks, place in the file: less is more urgent."""


def remaining_paths(workload: Workload, weights: Mapping[str, float]) -> dict[str, float]:
    """The weight of the heaviest chain from each task to an end of the graph, itself included."""
    paths: dict[str, float] = {}
    for id in reversed(workload.order):
        paths[id] = weights[id] + max((paths[other] for other in workload.dependents[id]), default=0.0)
    return paths


def lower_bound_s(workload: Workload, durations: Mapping[str, float] | None = None) -> float:
    """The longer of the critical path and of the work divided by the slots; `durations` are those that the
    tasks really took, where they are known."""
    durations = workload.durations if durations is None else durations
    return max(
        max(remaining_paths(workload, durations).values(), default=0.0),
        sum(durations.values()) / workload.slots,
    )


def ranks(workload: Workload) -> dict[str, Rank]:
    """Longest remaining path first; in a graph of tasks that take no time, the one with most tasks."""
    seconds = remaining_paths(workload, workload.durations)
    tasks = remaining_paths(workload, dict.fromkeys(workload.ids, 1.0))
    return {id: (-seconds[id], -int(tasks[id]), place) for place, id in enumerate(workload.ids)}


def list_schedule_s(workload: Workload) -> float:
    """The end of the last task when the most urgent ready task starts whenever a slot is free, at no cost."""
    urgency = ranks(workload)
    missing = {id: len(needed) for id, needed in workload.dependencies.items()}
    ready = [(urgency[id], id) for id, count in missing.items() if not count]
    heapq.heapify(ready)
    running: list[tuple[float, str]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < workload.slots:
            _, id = heapq.heappop(ready)
            heapq.heappush(running, (now + workload.durations[id], id))
        now = running[0][0]
        while running and running[0][0] == now:
            for other in workload.dependents[heapq.heappop(running)[1]]:
                missing[other] -= 1
                if not missing[other]:
                    heapq.heappush(ready, (urgency[other], other))
    return now
