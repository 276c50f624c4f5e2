"""Dask: the whole graph handed over at once, one worker in this process with a thread for each slot.

Nothing is durable.
"""

from __future__ import annotations

import sys
import time
from importlib.metadata import version
from typing import Any

from distributed import Client, LocalCluster

from kit.command import given, tell
from kit.figures import Stopwatch, figures
from kit.recording import Recording, now

OPTIONS = {"variant": ("graph/memory",)}


def work(id: str, duration_s: float, _: list[Any]) -> tuple[str, float, float]:
    began = now()
    if duration_s:
        time.sleep(duration_s)
    return id, began, now()


def measure(recording: Recording, variant: str) -> dict[str, Any]:
    workload, watch = recording.workload, Stopwatch()
    # In a graph a text that equals a key stands for that key's result, so the two are kept apart. Dask keeps
    # count of every kind of key, and takes what stands before the hyphen for the kind.
    graph = {
        f"key-{id}": (work, f"task {id}", workload.durations[id], [f"key-{other}" for other in needed])
        for id, needed in workload.dependencies.items()
    }
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=workload.slots, processes=False, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        client.submit(work, "a first one", 0.0, []).result()
        watch.begin()
        results = client.get(graph, list(graph))
        window = watch.stop()
    for id, began, ended in results:
        recording.put(id.removeprefix("task "), began, ended)
    return figures(recording, window, system="dask", variant=variant, version=version("distributed"))


def main() -> int:
    workload, options = given(__doc__, OPTIONS)
    return tell(measure(Recording(workload), options.variant))


if __name__ == "__main__":
    sys.exit(main())
