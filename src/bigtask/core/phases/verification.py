"""Verification: commands, run by bigtask on the merged whole, then `@verification`'s verdict on it.

With `autoFix` a verdict that isn't good enough becomes tasks of a repair round, which go through
execution and merging like any other.
"""

from __future__ import annotations

import shlex
from itertools import chain, count

from bigtask.core import claims
from bigtask.core.edits import AddTask, Edit
from bigtask.core.events import Happened, PhaseChanged, PlanChanged, WorkerReopened
from bigtask.core.phases import reserved
from bigtask.core.phases.aggregation import anything_merged
from bigtask.core.run import Run
from bigtask.core.states import Phase
from bigtask.core.values import VERIFICATION, CheckResult, Report, Task

GOOD = ("passed", "passed_with_warnings")
_SHOWN = 4_000
"""Characters of what a command printed last."""


def proceed(run: Run, now: int) -> tuple[Happened, ...] | None:
    if not run.settings.phase(Phase.VERIFICATION).enabled or not anything_merged(run):
        return None
    waiting = reserved.proceed(run, VERIFICATION, now)
    if waiting is not None or not run.settings.auto_fix or run.fix_round >= run.settings.max_fixes:
        return waiting
    # Without a verdict, where a person went on without one, nobody knows what to repair.
    return _repair_round(run) if run.verdict is not None and not passed(run) else None


def passed(run: Run) -> bool:
    """Commands that failed and claims that don't hold outweigh a verdict that says otherwise."""
    verdict = run.verdict
    good = verdict is not None and verdict.status in GOOD
    return good and not red_commands(run) and not claims.failing(run)


def red_commands(run: Run) -> tuple[CheckResult, ...]:
    """Of those that were run on the merged whole, the ones that didn't end with 0."""
    record = run.reserved.get(VERIFICATION)
    attempt = record.attempt if record is not None else None
    return tuple(check for check in attempt.checks if not check.passed) if attempt is not None else ()


def why_not(run: Run) -> str:
    """What keeps the run from having passed, facts before opinions; empty where nobody said."""
    reasons = [_how_red(check) for check in red_commands(run)]
    reasons += [f"not as claimed: {claim.claim}" for claim in claims.failing(run)]
    verdict = run.verdict
    if verdict is None:
        record = run.reserved.get(VERIFICATION)
        reasons.append(record.reason if record is not None else "")
    elif verdict.status not in GOOD:
        reasons.append(verdict.summary)
    return "; ".join(reason for reason in reasons if reason)


def read(run: Run, report: Report) -> tuple[Happened, ...]:
    """The answer is the verdict itself; the run keeps it with the attempt."""
    return ()


def _repair_round(run: Run) -> tuple[Happened, ...]:
    """One task an error or a claim that doesn't hold; a single one where only commands failed."""
    assert run.plan is not None
    assert run.verdict is not None
    number = run.fix_round + 1
    errors = [
        issue for issue in run.verdict.data.get("issues", ()) if issue.get("severity", "error") == "error"
    ]
    edits: list[Edit] = [
        AddTask(task=_repair(_unused(run, f"fix-{number}-{index}"), issue))
        for index, issue in enumerate(errors, 1)
    ]
    edits += [
        AddTask(task=_repair(_unused(run, f"fix-{number}-{index}"), _untrue(claim)))
        for index, claim in enumerate(claims.failing(run), len(errors) + 1)
    ]
    edits = edits or [
        AddTask(
            task=Task(
                id=_unused(run, f"fix-{number}"),
                title="Repair what verification found",
                description=_what_is_red(run, run.verdict),
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


def _untrue(claim: claims.Claim) -> dict[str, object]:
    return {"description": f"It was claimed that {claim.claim}. It isn't so.", "location": claim.evidence}


def _what_is_red(run: Run, verdict: Report) -> str:
    """All that the one who repairs it gets to see."""
    red = red_commands(run)
    if not red:
        return verdict.summary or "The verdict was that the result isn't good enough, without a reason."
    parts = ["On everything that was merged so far, these commands failed."]
    parts += [_in_full(check) for check in red]
    parts += [f"The verdict: {verdict.summary}"] if verdict.summary else []
    return "\n\n".join(parts)


def _in_full(check: CheckResult) -> str:
    printed = check.output[-_SHOWN:].strip()
    return f"{_how_red(check)}:\n{printed}" if printed else f"{_how_red(check)} and printed nothing"


def _how_red(check: CheckResult) -> str:
    ended = "didn't end in time" if check.exit_status is None else f"ended with {check.exit_status}"
    return f"`{shlex.join(check.command)}` {ended}"


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
