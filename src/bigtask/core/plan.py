"""What makes a plan usable, and what can be known of it before anything runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from bigtask.core.values import Check, Plan, Settings, Task, Value

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
_TAKEN = {"main"}


class Misfit(Value, omit_defaults=False):
    """Why a plan can't be used. `field` is the JSON name of the task's field that has to change; both are
    empty where it is the plan as a whole."""

    sentence: str
    task_id: str = ""
    field: str = ""


def task_from_answer(data: Mapping[str, Any]) -> Task:
    """A task as an agent writes it (keys in snake_case); the protocol has checked the types."""
    return Task(
        id=data["id"],
        title=data["title"],
        description=data["description"],
        scope=tuple(data.get("scope", ())),
        priority=data.get("priority", 5),
        dependencies=tuple(dict.fromkeys(data.get("dependencies", ()))),
        estimated_tokens=data.get("estimated_tokens"),
        estimated_minutes=data.get("estimated_minutes"),
        checks=tuple(
            Check(command=tuple(check["command"]) if "command" in check else None, claim=check.get("claim"))
            for check in data.get("checks", ())
        ),
        agent=data.get("agent"),
        model=data.get("model"),
    )


def lies_inside(path: str) -> bool:
    """Whether a scope entry, relative to the run's directory, can't point out of it."""
    return not path.startswith("/") and ".." not in path.split("/") and "\0" not in path


def problems(
    tasks: Sequence[Task],
    settings: Settings,
    *,
    agents: Iterable[str] | None = None,
    inside: Callable[[str], bool] = lies_inside,
) -> tuple[str, ...]:
    """Why the tasks can't be a plan, as sentences, all of them. `inside` says of a scope whether it lies
    in the run's directory; `agents` are the names that exist."""
    return tuple(one.sentence for one in misfits(tasks, settings, agents=agents, inside=inside))


def misfits(
    tasks: Sequence[Task],
    settings: Settings,
    *,
    agents: Iterable[str] | None = None,
    inside: Callable[[str], bool] = lies_inside,
) -> tuple[Misfit, ...]:
    """What `problems` says in sentences, each with its place in the plan."""
    known = {task.id for task in tasks}
    found: list[Misfit] = []
    if len(tasks) < settings.min_tasks:
        found.append(Misfit(sentence=f"there are {len(tasks)} tasks: at least {settings.min_tasks} needed"))
    if len(tasks) > settings.max_tasks:
        found.append(
            Misfit(sentence=f"there are {len(tasks)} tasks: at most {settings.max_tasks} allowed, merge some")
        )
    seen: set[str] = set()
    for task in tasks:
        found += (
            Misfit(sentence=sentence, task_id=task.id, field=field)
            for field, sentence in _of_one(task, settings, known, inside)
        )
        if task.id in seen:
            found.append(Misfit(sentence=f"the id {task.id} is used twice", task_id=task.id, field="id"))
        seen.add(task.id)
        if agents is not None and task.agent is not None and task.agent not in agents:
            said = f"task {task.id} wants the agent {task.agent}, which doesn't exist"
            found.append(Misfit(sentence=said, task_id=task.id, field="agent"))
    if settings.require_dependencies and len(tasks) > 1 and not any(task.dependencies for task in tasks):
        found.append(Misfit(sentence="no task has dependencies, and this template requires them"))
    circle = cycle(tasks)
    if circle:
        said = "the dependencies go in a circle: " + " -> ".join(circle)
        found.append(Misfit(sentence=said, task_id=circle[0], field="dependencies"))
    return tuple(found)


def _of_one(
    task: Task, settings: Settings, known: set[str], inside: Callable[[str], bool]
) -> Iterator[tuple[str, str]]:
    if not _ID.fullmatch(task.id):
        said = f"the id {task.id!r} isn't usable: 1 to 48 of a-z, 0-9, - and _, a letter or digit first"
        yield "id", said
    if task.id in _TAKEN:
        yield "id", f"the id {task.id} is reserved: choose another"
    if not task.title.strip():
        yield "title", f"task {task.id} has no title"
    if not 1 <= task.priority <= 10:
        said = f"task {task.id} has priority {task.priority}: 1 (most urgent) to 10 is possible"
        yield "priority", said
    if settings.require_scope and not task.scope:
        yield "scope", f"task {task.id} has no scope, and this template requires one"
    for dependency in task.dependencies:
        if dependency not in known:
            yield "dependencies", f"task {task.id} depends on {dependency}, which doesn't exist"
    for path in task.scope:
        if not inside(path):
            said = f"task {task.id} has {path!r} in its scope, which lies outside the run's directory"
            yield "scope", said
    for check in task.checks:
        if (check.command is None) == (check.claim is None) or check.command == ():
            yield "checks", f"task {task.id} has a check that is neither one command nor one claim"


def cycle(tasks: Sequence[Task]) -> tuple[str, ...]:
    """The ids along a circle of dependencies, the first one again at the end; empty if there is none."""
    needs = {task.id: task.dependencies for task in tasks}
    done: set[str] = set()
    for start in needs:
        path: list[str] = []
        on_path: set[str] = set()
        stack = [(start, iter(needs[start]))] if start not in done else []
        if stack:
            path.append(start)
            on_path.add(start)
        while stack:
            node, rest = stack[-1]
            for other in rest:
                if other in on_path:
                    return (*path[path.index(other) :], other)
                if other in needs and other not in done:
                    stack.append((other, iter(needs[other])))
                    path.append(other)
                    on_path.add(other)
                    break
            else:
                stack.pop()
                path.pop()
                on_path.discard(node)
                done.add(node)
    return ()


def order(tasks: Sequence[Task]) -> list[Task]:
    """Every task after those that it depends on, otherwise as in the plan. The plan has no cycle."""
    by_id = {task.id: task for task in tasks}
    missing = {task.id: len(task.dependencies) for task in tasks}
    dependents = dependents_of(tasks)
    result = [task for task in tasks if not missing[task.id]]
    for task in result:
        for id in dependents.get(task.id, ()):
            missing[id] -= 1
            if not missing[id]:
                result.append(by_id[id])
    return result


def dependents_of(tasks: Sequence[Task]) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for task in tasks:
        for dependency in task.dependencies:
            result.setdefault(dependency, []).append(task.id)
    return result


def weight(task: Task) -> float:
    """How long a task is expected to take, in minutes or whatever stands for them in this plan."""
    if task.estimated_minutes is not None:
        return max(task.estimated_minutes, 0.0)
    if task.estimated_tokens is not None:
        return max(task.estimated_tokens / 10_000, 0.0)
    return 1.0


def remaining_paths(tasks: Sequence[Task]) -> dict[str, float]:
    """The weight of the heaviest chain from each task to an end of the plan, itself included."""
    dependents = dependents_of(tasks)
    paths: dict[str, float] = {}
    for task in reversed(order(tasks)):
        paths[task.id] = weight(task) + max((paths[id] for id in dependents.get(task.id, ())), default=0.0)
    return paths


Area = tuple[str, ...]
"""A folder or file as its parts."""


def areas(task: Task) -> tuple[Area, ...]:
    """Where a task may write: the fixed part of each scope entry, before the first wildcard."""
    return tuple({_area(path): None for path in task.scope})


def _area(path: str) -> Area:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    for index, part in enumerate(parts):
        if any(sign in part for sign in "*?["):
            return tuple(parts[:index])
    return tuple(parts)


def overlap(some: Iterable[Area], others: Iterable[Area]) -> bool:
    """Whether one of `some` and one of `others` are the same place, or one lies in the other."""
    others = tuple(others)
    return any(a[: len(b)] == b or b[: len(a)] == a for a in some for b in others)


def overlapping_pairs(tasks: Sequence[Task], *, limit: int) -> list[tuple[str, str]]:
    """The first pairs, in plan order, that may write in the same place and could run together.

    Only direct dependencies are looked at: being over-careful costs some waiting, never a conflict.
    """
    at: dict[Area, list[Task]] = {}
    below: dict[Area, list[Task]] = {}
    found: dict[tuple[str, str], None] = {}
    for task in tasks:
        mine = areas(task)
        for area in mine:
            above = (at.get(area[:depth], ()) for depth in range(len(area) + 1))
            for other in chain(*above, below.get(area, ())):
                if other.id in task.dependencies or task.id in other.dependencies:
                    continue
                found[other.id, task.id] = None
                if len(found) == limit:
                    return list(found)
        for area in mine:
            at.setdefault(area, []).append(task)
            for depth in range(len(area)):
                below.setdefault(area[:depth], []).append(task)
    return list(found)


def warnings(plan: Plan) -> tuple[str, ...]:
    """What a person should know before confirming."""
    return tuple(
        f"{first} and {second} may change the same files: they run one after the other"
        for first, second in overlapping_pairs(plan.tasks, limit=20)
    )
