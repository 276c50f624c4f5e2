"""The figures of one run, from its recording and from what the processes used meanwhile."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kit import process_tree
from kit.bounds import list_schedule_s, lower_bound_s
from kit.recording import Recording, now, peak, problems


@dataclass(frozen=True, kw_only=True)
class Window:
    """The time that is measured, in seconds of `recording.now`, and what was used in it."""

    began: float
    ended: float
    cpu_s: float
    peak_mb: float

    @property
    def wall_s(self) -> float:
        return self.ended - self.began


class Stopwatch:
    """`begin` once everything is set up, `stop` when the last result is back."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._cpu_s = 0.0

    def begin(self) -> None:
        gc.collect()
        self._cpu_s = process_tree.cpu_s()
        self._began = now()

    def stop(self) -> Window:
        ended = now()
        assert self._began is not None, "stopped before it began"
        return Window(
            began=self._began,
            ended=ended,
            cpu_s=process_tree.cpu_s() - self._cpu_s,
            peak_mb=process_tree.peak_mb(),
        )


def figures(
    recording: Recording, window: Window, *, system: str, variant: str, **more: Any
) -> dict[str, Any]:
    """The line that a runner prints. `errors` is empty when the run was right; everything else is a time, a
    size or a count with its unit in its name, and None where the workload can't say."""
    workload = recording.workload
    tasks = len(workload.ids)
    bound_s = lower_bound_s(workload)
    errors = problems(recording)
    gaps = sorted(_gaps(recording))
    return {
        "system": system,
        "variant": variant,
        "workload": workload.name,
        "tasks": tasks,
        "slots": workload.slots,
        "wall_s": round(window.wall_s, 5),
        "cpu_s": round(window.cpu_s, 4),
        "peak_mb": round(window.peak_mb, 1),
        "wall_us_per_task": round(window.wall_s / tasks * 1e6, 1),
        "cpu_us_per_task": round(window.cpu_s / tasks * 1e6, 1),
        "bound_s": round(bound_s, 5),
        "list_schedule_s": round(list_schedule_s(workload), 5),
        "over_bound": round(window.wall_s / bound_s, 4) if bound_s else None,
        "over_real_bound": _over_real_bound(recording, window) if bound_s and not errors else None,
        "idle_us_per_task": round(idle_s(recording, window.began) / tasks * 1e6, 1),
        "gap_p50_us": _at(gaps, 0.5),
        "gap_p95_us": _at(gaps, 0.95),
        "most_at_once": peak(recording),
        "load": round(os.getloadavg()[0], 2),
        "errors": list(errors),
        **more,
    }


def _over_real_bound(recording: Recording, window: Window) -> float:
    """Against the bound of the durations that the tasks really took: sleeps overshoot, which isn't the
    scheduler's fault, unless it is what kept the loop from waking them."""
    return round(window.wall_s / lower_bound_s(recording.workload, recording.durations()), 4)


def _gaps(recording: Recording) -> Sequence[float]:
    """Seconds between the end of a task's last dependency and its start. Where slots are short they hold the
    wait for one."""
    needed = recording.workload.dependencies
    return [
        at - max(recording.ends[other] for other in needed[id])
        for id, at in recording.starts.items()
        if needed.get(id) and all(other in recording.ends for other in needed[id])
    ]


def _at(sorted_s: Sequence[float], share: float) -> float | None:
    return round(sorted_s[int(len(sorted_s) * share)] * 1e6, 1) if sorted_s else None


def idle_s(recording: Recording, began: float) -> float:
    """Slot time that stood idle although a task could have used it: the integral over the run of the lesser
    of free slots and ready tasks."""
    workload = recording.workload
    changes: list[tuple[float, int, int]] = []
    for id, at in recording.starts.items():
        needed = workload.dependencies.get(id, ())
        ready = max((recording.ends.get(other, at) for other in needed), default=began)
        changes += [(ready, 1, 0), (at, -1, 1), (recording.ends.get(id, at), 0, -1)]
    idle, before, ready_tasks, running = 0.0, began, 0, 0
    for at, more_ready, more_running in sorted(changes):
        idle += (at - before) * min(max(workload.slots - running, 0), max(ready_tasks, 0))
        before = at
        ready_tasks += more_ready
        running += more_running
    return idle
