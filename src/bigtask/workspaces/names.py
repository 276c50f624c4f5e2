"""The names that a run has in a repository. They depend on nothing but their ids.

| ref | what it is |
| --- | --- |
| `refs/heads/bigtask/{run}/main` | the integration branch |
| `refs/heads/bigtask/{run}/{task}/{n}` | the work of one attempt |
| `refs/bigtask/base/{run}` | what the run started from |
| `refs/bigtask/start/{run}/{task}/{n}` | what an attempt started from |
| `refs/bigtask/rescue/{run}/{task}/{n}` | what an attempt left uncommitted |
| `refs/bigtask/onto/{run}/{task}/{n}` | what an attempt's work is being merged with in its workspace |
| `refs/bigtask/work/{run}/{task}/{n}` | that work, as it was before |
| `refs/bigtask/trial/{run}` | the integration branch before the merge that is being checked just now |
| `refs/bigtask/phase/{run}/{n}` | the integration branch when an attempt at a phase began to write in it |
"""

from __future__ import annotations

import re

from bigtask.errors import InvalidInput

INTEGRATION = "main"
"""No task is called this, so that the integration branch and its leftovers have a name of their own."""

BESIDE = "@beside"
"""Likewise, for the worktree that no task works in."""

_RUN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_TASK = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
_ULID = "[0-9a-hjkmnp-tv-z]{26}"
_OURS = re.compile(
    rf"refs/heads/bigtask/({_ULID})/(?:main|[^/]+/[0-9]+)"
    rf"|refs/bigtask/(?:base/({_ULID})|(?:start|rescue)/({_ULID})/[^/]+/[0-9]+)"
)


def run_branches(run_id: str) -> str:
    """What the names of the run's branches begin with, with its slash."""
    return f"bigtask/{_run(run_id)}/"


def integration_branch(run_id: str) -> str:
    return f"bigtask/{_run(run_id)}/{INTEGRATION}"


def attempt_branch(run_id: str, task_id: str, n: int) -> str:
    return f"bigtask/{_run(run_id)}/{_task(task_id)}/{_number(n)}"


def base_ref(run_id: str) -> str:
    return f"refs/bigtask/base/{_run(run_id)}"


def start_ref(run_id: str, task_id: str, n: int) -> str:
    return f"refs/bigtask/start/{_run(run_id)}/{_task(task_id)}/{_number(n)}"


def rescue_ref(run_id: str, task_id: str, n: int) -> str:
    """`task_id` may be `main` or `@beside`: something can be left in those workspaces as well."""
    return f"refs/bigtask/rescue/{_run(run_id)}/{_place(task_id)}/{_number(n)}"


def onto_ref(run_id: str, task_id: str, n: int) -> str:
    return f"refs/bigtask/onto/{_run(run_id)}/{_task(task_id)}/{_number(n)}"


def work_ref(run_id: str, task_id: str, n: int) -> str:
    return f"refs/bigtask/work/{_run(run_id)}/{_task(task_id)}/{_number(n)}"


def trial_ref(run_id: str) -> str:
    return f"refs/bigtask/trial/{_run(run_id)}"


def phase_ref(run_id: str, n: int) -> str:
    return f"refs/bigtask/phase/{_run(run_id)}/{_number(n)}"


def folder(run_id: str, task_id: str, n: int) -> str:
    """The name of a worktree's folder; `task_id` may be `main` or `@beside`.

    Git calls its record of the worktree the same, so two runs of a repository can't share a name.
    """
    return f"{_run(run_id)}.{_place(task_id)}.{_number(n)}"


def run_of(ref: str) -> str | None:
    """Whose ref it is; None for one that no run has made."""
    found = _OURS.fullmatch(ref)
    return next(filter(None, found.groups())) if found else None


def ref(branch: str) -> str:
    return f"refs/heads/{branch}"


def _run(run_id: str) -> str:
    if not _RUN.fullmatch(run_id):
        raise InvalidInput(f"{run_id!r} can't be the id of a run: list the runs and take one of theirs")
    return run_id


def _task(task_id: str) -> str:
    if not _TASK.fullmatch(task_id) or task_id == INTEGRATION:
        raise InvalidInput(f"{task_id!r} can't be the id of a task with a workspace: take one of the plan's")
    return task_id


def _place(task_id: str) -> str:
    return task_id if task_id in (INTEGRATION, BESIDE) else _task(task_id)


def _number(n: int) -> int:
    if n < 1:
        raise InvalidInput(f"{n} can't be the number of an attempt: they count from 1")
    return n
