"""What lies between two plans, as edits; and edits that were made to one plan, made to a later one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from bigtask.core.edits import AddTask, DropTask, Edit, MergeTasks, ReorderTasks, SetTask, apply
from bigtask.core.values import Plan, Task
from bigtask.errors import InvalidPlan

Merged = Mapping[str, tuple[str, ...]]
"""For a task of the later plan, the ids of those in the earlier one that it takes the place of."""

NOTHING_MERGED: Merged = {}


def difference(before: Plan, tasks: Sequence[Task], merged: Merged = NOTHING_MERGED) -> tuple[Edit, ...]:
    """Edits after which the plan has exactly these tasks in this order; none where it has them already.

    Raises InvalidPlan where no edits could lead there: an id that stands twice, a merge of tasks that aren't
    there or of one that stays beside it.
    """
    wanted = {task.id: task for task in tasks}
    found = [
        f"the id {id} is used twice"
        for id, number in Counter(task.id for task in tasks).items()
        if number > 1
    ]
    gone_into = {id: into for into, ids in merged.items() for id in ids}
    found += [
        f"{id} is merged into {into} and stands beside it: delete one of them"
        for id, into in gone_into.items()
        if id in wanted and id != into
    ]
    if found:
        raise InvalidPlan(found)
    dropped = [task.id for task in before.tasks if task.id not in wanted and task.id not in gone_into]
    edits: list[Edit] = [DropTask(id=id) for id in dropped]
    edits += [MergeTasks(ids=ids, task=wanted[into]) for into, ids in merged.items()]
    # Those change dependencies of others as well: what is still to be set shows when they are made.
    there = {task.id: task for task in apply(before, edits).tasks}
    edits += [AddTask(task=task) for task in tasks if task.id not in there]
    for task in tasks:
        fields = _changed(there[task.id], task) if task.id in there else {}
        if fields:
            edits.append(SetTask(id=task.id, fields=fields))
    if [*there, *(id for id in wanted if id not in there)] != list(wanted):
        edits.append(ReorderTasks(ids=tuple(wanted)))
    return tuple(edits)


def _changed(old: Task, new: Task) -> dict[str, object]:
    return {
        field.encode_name: msgspec.to_builtins(getattr(new, field.name))
        for field in msgspec.structs.fields(Task)
        if getattr(old, field.name) != getattr(new, field.name)
    }


def redirected(before: Plan, tasks: Sequence[Task], merged: Merged = NOTHING_MERGED) -> tuple[Task, ...]:
    """The tasks, where one depends on something that is gone, depending on what that was merged into, or on
    what that depended on: as when it is dropped by itself. Ids that never were stay, for others to find."""
    kept = {task.id for task in tasks}
    gone_into = {id: into for into, ids in merged.items() for id in ids}
    needs = {task.id: task.dependencies for task in before.tasks}

    def instead(id: str, on_the_way: frozenset[str]) -> tuple[str, ...]:
        if id in gone_into:
            return (gone_into[id],)
        if id in kept or id not in needs:
            return (id,)
        further = on_the_way | {id}
        return tuple(new for old in needs[id] if old not in further for new in instead(old, further))

    return tuple(
        _depending(task, [new for id in task.dependencies for new in instead(id, frozenset())])
        for task in tasks
    )


def _depending(task: Task, ids: Sequence[str]) -> Task:
    # A task never depends on itself for having taken the place of one that it depended on.
    own = task.id in task.dependencies
    unique = tuple(dict.fromkeys(id for id in ids if own or id != task.id))
    return msgspec.structs.replace(task, dependencies=unique)


def rebased(plan: Plan, edits: Sequence[Edit]) -> tuple[Plan, tuple[Edit, ...]]:
    """The plan with those edits that can be made to it, and those that can't. Its revision stays: nothing is
    decided by it."""
    result, left = plan, []
    for edit in edits:
        there = {task.id for task in result.tasks}
        if isinstance(edit, ReorderTasks):
            edit = ReorderTasks(ids=tuple(id for id in edit.ids if id in there))
        try:
            result = apply(result, (edit,))
        except InvalidPlan:
            left.append(edit)
    return Plan(revision=plan.revision, tasks=result.tasks), tuple(left)
