"""A workload: a graph of tasks with durations, and how many of them may run at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class InvalidWorkload(Exception):
    """The file isn't a workload; the message is one sentence."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Everything is in the order of the file. `durations` are seconds, 0 for a task that does nothing."""

    name: str
    slots: int
    durations: Mapping[str, float]
    dependencies: Mapping[str, Sequence[str]]
    dependents: Mapping[str, Sequence[str]] = field(init=False)
    order: Sequence[str] = field(init=False)
    """Every task after those that it depends on."""

    def __post_init__(self) -> None:
        dependents: dict[str, list[str]] = {id: [] for id in self.durations}
        for id, needed in self.dependencies.items():
            for other in needed:
                if other not in dependents:
                    raise InvalidWorkload(f"{self.name}: {id} depends on {other}, which doesn't exist")
                dependents[other].append(id)
        object.__setattr__(self, "dependents", dependents)
        object.__setattr__(self, "order", self._ordered())

    def _ordered(self) -> Sequence[str]:
        missing = {id: len(needed) for id, needed in self.dependencies.items()}
        order = [id for id, count in missing.items() if not count]
        for id in order:
            for other in self.dependents[id]:
                missing[other] -= 1
                if not missing[other]:
                    order.append(other)
        if len(order) < len(missing):
            raise InvalidWorkload(f"{self.name}: the dependencies go in a circle")
        return order

    @property
    def ids(self) -> Sequence[str]:
        return tuple(self.durations)

    @property
    def timed(self) -> bool:
        """Whether any task takes time. Without, there is no lower bound to compare with."""
        return any(self.durations.values())


def load(path: Path) -> Workload:
    """Reads `{"name", "maxWorkers", "tasks": [{"id", "dur", "deps"}]}`. Raises InvalidWorkload, OSError."""
    try:
        return _workload(json.loads(path.read_text()))
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidWorkload(f"{path} isn't a workload: {error!r}") from None


def _workload(data: Any) -> Workload:
    tasks = data["tasks"]
    if len({task["id"] for task in tasks}) < len(tasks):
        raise InvalidWorkload(f"{data['name']}: an id is used twice")
    return Workload(
        name=data["name"],
        slots=int(data["maxWorkers"]),
        durations={task["id"]: float(task["dur"]) for task in tasks},
        dependencies={task["id"]: tuple(task["deps"]) for task in tasks},
    )
