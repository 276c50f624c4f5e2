"""Verification: the template's commands, run by bigtask, then `@verification`'s verdict on the whole.

With `autoFix` a verdict that isn't good enough becomes tasks of a repair round, which go through
execution and merging like any other.
"""

from __future__ import annotations

from itertools import chain, count

from bigtask.core.edits import AddTask, Edit
from bigtask.core.events import Happened, PhaseChanged, PlanChanged, WorkerReopened
from bigtask.core.phases import reserved
from bigtask.core.phases.aggregation import anything_merged
from bigtask.core.run import Run
from bigtask.core.states import Phase
from bigtask.core.values import VERIFICATION, Report, Task

GOOD = ("passed", "passed_with_warnings")


def proceed(run: Run, now: int) -> tuple[Happened, ...] | None:
    if not run.settings.phase(Phase.VERIFICATION).enabled or not anything_merged(run):
        return None
    waiting = reserved.proceed(run, VERIFICATION, now)
    if waiting is not None or not run.settings.auto_fix or run.fix_round >= run.settings.max_fixes:
        return waiting
    return _repair_round(run) if not passed(run) else None


def passed(run: Run) -> bool:
    """Commands that failed outweigh a verdict that says otherwise."""
    verdict = run.verdict
    attempt = run.reserved[VERIFICATION].attempt if VERIFICATION in run.reserved else None
    checks = attempt.checks if attempt is not None else ()
    return verdict is not None and verdict.status in GOOD and all(check.passed for check in checks)


def read(run: Run, report: Report) -> tuple[Happened, ...]:
    """The answer is the verdict itself; the run keeps it with the attempt."""
    return ()


def _repair_round(run: Run) -> tuple[Happened, ...]:
    """One task an error, or a single one where only commands failed."""
    assert run.plan is not None
    assert run.verdict is not None
    number = run.fix_round + 1
    errors = [
        issue for issue in run.verdict.data.get("issues", ()) if issue.get("severity", "error") == "error"
    ]
    edits: list[Edit] = [
        AddTask(task=_repair(_unused(run, f"fix-{number}-{index}"), issue))
        for index, issue in enumerate(errors, 1)
    ] or [
        AddTask(
            task=Task(
                id=_unused(run, f"fix-{number}"),
                title="Repair what verification found",
                description=run.verdict.summary or "The verification commands failed.",
                priority=1,
            )
        )
    ]
    return (
        PlanChanged(revision=run.plan.revision, edits=tuple(edits), by="autoFix"),
        PhaseChanged(phase=Phase.WORKER_EXECUTION, round=number),
        WorkerReopened(task_id=VERIFICATION, by="autoFix"),
    )


def _unused(run: Run, id: str) -> str:
    """Planners call tasks `fix-1` too."""
    return next(name for name in chain([id], (f"{id}-{n}" for n in count(2))) if name not in run.tasks)


def _repair(id: str, issue: dict[str, object]) -> Task:
    description = str(issue.get("description", ""))
    parts = [description, f"Where: {issue['location']}" if issue.get("location") else ""]
    parts.append(f"Suggested: {issue['suggested_fix']}" if issue.get("suggested_fix") else "")
    return Task(
        id=id,
        title=f"Repair: {description[:60]}",
        description="\n".join(part for part in parts if part),
        priority=1,
    )
