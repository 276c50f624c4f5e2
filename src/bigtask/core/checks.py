"""Which commands of a plan bigtask runs: an agent proposed them, so somebody has to have agreed."""

from __future__ import annotations

from bigtask.core.run import Run
from bigtask.core.values import Task


def runnable(run: Run, task: Task) -> tuple[tuple[str, ...], ...]:
    """Commands of the task's checks that a person was shown with the plan, or allowed beforehand."""
    allowed = run.settings.allowed_commands
    commands = (check.command for check in task.checks if check.command is not None)
    return tuple(command for command in commands if run.shown or command in allowed)
