"""Edits of a plan, as values: the same ones from the CLI, the API and the dashboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

import msgspec

from bigtask.core.values import Plan, Task, Value
from bigtask.errors import InvalidPlan


class AddTask(Value, tag="add", tag_field="op"):
    task: Task


class DropTask(Value, tag="drop", tag_field="op"):
    """Dependents of the task depend on what it depended on."""

    id: str


class SetTask(Value, tag="set", tag_field="op"):
    """`fields` by their JSON names: title, description, dependencies, scope, priority, agent, model,
    checks, estimatedMinutes, estimatedTokens."""

    id: str
    fields: Mapping[str, Any]


class MergeTasks(Value, tag="merge", tag_field="op"):
    """The tasks become one, in the place of the first."""

    ids: tuple[str, ...]
    task: Task


class ReorderTasks(Value, tag="reorder", tag_field="op"):
    """`ids` first, in this order; the others follow as they were."""

    ids: tuple[str, ...]


Edit = AddTask | DropTask | SetTask | MergeTasks | ReorderTasks

_FIXED = {"id"}
_SETTABLE = {name for name in Task.__struct_encode_fields__ if name not in _FIXED}


def touched(edit: Edit) -> tuple[str, ...]:
    """The ids of existing tasks whose work the edit changes; a new order changes none."""
    match edit:
        case DropTask(id=id) | SetTask(id=id):
            return (id,)
        case MergeTasks(ids=ids):
            return ids
        case _:
            return ()


def apply(plan: Plan, edits: Sequence[Edit]) -> Plan:
    """The next revision. Raises InvalidPlan for an edit that can't be made; what the result is worth as a
    whole is for `plan.problems` to say."""
    tasks = {task.id: task for task in plan.tasks}
    for edit in edits:
        for id in (*touched(edit), *(edit.ids if isinstance(edit, ReorderTasks) else ())):
            if id not in tasks:
                raise InvalidPlan([f"there is no task {id}"])
        match edit:
            case AddTask(task=task):
                if task.id in tasks:
                    raise InvalidPlan([f"there is a task {task.id} already"])
                tasks[task.id] = task
            case DropTask(id=id):
                dropped = tasks.pop(id)
                tasks = _redirect(tasks, {id: dropped.dependencies})
            case SetTask(id=id, fields=fields):
                tasks[id] = _with_fields(tasks[id], fields)
            case MergeTasks(ids=ids, task=task):
                tasks = _merged(tasks, ids, task)
            case ReorderTasks(ids=ids):
                tasks = {id: tasks[id] for id in (*ids, *(id for id in tasks if id not in ids))}
            case _:
                assert_never(edit)
    return Plan(revision=plan.revision + 1, tasks=tuple(tasks.values()))


def _with_fields(task: Task, fields: Mapping[str, Any]) -> Task:
    for name in fields:
        if name not in _SETTABLE:
            raise InvalidPlan([f"task {task.id} has no field {name} that can be set"])
    try:
        return msgspec.convert({**msgspec.to_builtins(task), **fields}, Task)
    except msgspec.ValidationError as error:
        raise InvalidPlan([f"task {task.id}: {error}"]) from None


def _merged(tasks: dict[str, Task], ids: tuple[str, ...], task: Task) -> dict[str, Task]:
    if len(ids) < 2 or len(set(ids)) < len(ids):
        raise InvalidPlan(["merging takes two or more different tasks"])
    if task.id in tasks and task.id not in ids:
        raise InvalidPlan([f"there is a task {task.id} already"])
    result = {
        (task.id if id == ids[0] else id): (task if id == ids[0] else old)
        for id, old in tasks.items()
        if id == ids[0] or id not in ids
    }
    return _redirect(result, dict.fromkeys(ids, (task.id,)))


def _redirect(tasks: dict[str, Task], instead: Mapping[str, tuple[str, ...]]) -> dict[str, Task]:
    """Every dependency that `instead` has an entry for is replaced by the ones there."""
    result = {}
    for id, task in tasks.items():
        changed = [new for old in task.dependencies for new in instead.get(old, (old,))]
        unique = tuple(dict.fromkeys(d for d in changed if d != id))
        if unique != task.dependencies:
            task = msgspec.structs.replace(task, dependencies=unique)
        result[id] = task
    return result
