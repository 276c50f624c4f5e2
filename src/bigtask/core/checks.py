"""Which commands of a plan bigtask runs: an agent proposed them, so somebody has to have agreed."""

from __future__ import annotations

from bigtask.core.run import Run
from bigtask.core.states import Phase, TaskState
from bigtask.core.values import Task, Value

Command = tuple[str, ...]
"""An argument list."""


class Program(Value, omit_defaults=False):
    """A command that a run has bigtask start. `origin` says who wants it, `when` at what moment; `agreed`
    whether it may be run as things stand: by the template, or by somebody who was shown it."""

    command: Command
    origin: str
    when: str
    agreed: bool = True


def runnable(run: Run, task: Task) -> tuple[Command, ...]:
    """Commands of the task's checks that a person was shown with the plan, or allowed beforehand."""
    allowed = run.settings.allowed_commands
    commands = (check.command for check in task.checks if check.command is not None)
    return tuple(command for command in commands if run.shown or command in allowed)


def commands_of_whole(run: Run) -> tuple[Command, ...]:
    """What is run on the merged whole, each once: the template's commands, and the checks of merged tasks,
    which may be green alone and red together."""
    found = dict.fromkeys(run.settings.commands)
    if run.settings.isolation != "none":
        for record in run.tasks.values():
            if record.state in (TaskState.COMPLETED, TaskState.PARTIAL):
                found.update(dict.fromkeys(runnable(run, record.task)))
    return tuple(found)


QUICK_MS = 60_000
TOGETHER_MS = 180_000


def commands_of_merge(run: Run, task_id: str, *, alone: bool) -> tuple[Command, ...]:
    """What is run when the task's work has just been merged, each once: its own checks, unless it was merged
    into nothing else (`alone`), where they ran before; then those of the tasks merged before it, in plan
    order. What took more than a minute is left to the end of the run, and so is what would make it more than
    three minutes together.
    """
    merged = [
        record for record in run.tasks.values() if record.state in (TaskState.COMPLETED, TaskState.PARTIAL)
    ]
    known = {
        check.command: check.took_ms
        for record in (*merged, run.tasks[task_id])
        if record.attempt is not None
        for check in record.attempt.checks
    }
    wanted = () if alone else runnable(run, run.tasks[task_id].task)
    others = (command for record in merged for command in runnable(run, record.task))
    chosen, in_all = [], 0
    for command in dict.fromkeys((*wanted, *others)):
        took = known.get(command, 0)
        if took <= QUICK_MS and in_all + took <= TOGETHER_MS:
            chosen.append(command)
            in_all += took
    return tuple(chosen)


def wanted_by(run: Run, command: Command) -> tuple[str, ...]:
    """`template`, or the ids of the tasks among whose checks the command is."""
    tasks = (
        record.task.id
        for record in run.tasks.values()
        if any(check.command == command for check in record.task.checks)
    )
    return ("template",) if command in run.settings.commands else tuple(tasks)


def programs(run: Run) -> tuple[Program, ...]:
    """Every command that the run wants started, in the order of their moments: to confirm the plan allows
    those of its tasks."""
    settings, template = run.settings, f"template {run.created.template_id}"
    verified = settings.phase(Phase.VERIFICATION).enabled
    found = [
        Program(command=command, origin=template, when=f"as the hook {name}")
        for name, command in settings.hooks.items()
    ]
    if settings.isolation != "none":
        found += [
            Program(command=command, origin=template, when="in each workspace, before work begins there")
            for command in settings.setup
        ]
    wanting: dict[Command, list[str]] = {}
    for record in run.tasks.values():
        if record.state is not TaskState.SKIPPED:
            for check in record.task.checks:
                if check.command is not None:
                    wanting.setdefault(check.command, []).append(record.task.id)
    found += [
        Program(
            command=command,
            origin=", ".join(dict.fromkeys(ids)),
            when="before the work is merged" + (", and on the merged whole" if verified else ""),
            agreed=run.shown or command in settings.allowed_commands,
        )
        for command, ids in wanting.items()
    ]
    if verified:
        found += [
            Program(command=command, origin=template, when="on the merged whole")
            for command in settings.commands
        ]
    return tuple(found)
