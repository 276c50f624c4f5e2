"""What became of every task, with its evidence; and the one shape in which states are counted."""

from __future__ import annotations

from bigtask.core import claims
from bigtask.core.claims import Claim
from bigtask.core.run import Run, TaskRecord
from bigtask.core.states import ENDED, AttemptState, TaskState
from bigtask.core.values import AGGREGATION, RESERVED, CheckResult, Evidence, Value


class Entry(Value):
    """One planned task. `quality` says how its last answer was read; `remarks` what a person should know."""

    task_id: str
    title: str
    state: TaskState
    attempts: int
    reason: str = ""
    quality: str = ""
    summary: str = ""
    files: tuple[str, ...] = ()
    insertions: int = 0
    deletions: int = 0
    commit: str | None = None
    checks: tuple[CheckResult, ...] = ()
    """The commands that bigtask ran on the task's work before it was merged."""
    claims: tuple[Claim, ...] = ()
    remarks: tuple[str, ...] = ()


def counts(run: Run) -> dict[str, int]:
    """`total` and one count for every task state; the counts sum to the total."""
    return {"total": len(run.tasks), **{state.value: run.counts[state] for state in TaskState}}


def percent(run: Run) -> float:
    """Share of tasks that have ended, 0 to 100."""
    return 100.0 * sum(run.counts[state] for state in ENDED) / len(run.tasks) if run.tasks else 0.0


def ledger(run: Run) -> tuple[Entry, ...]:
    """In plan order."""
    return tuple(_entry(run, record) for record in run.tasks.values())


def _entry(run: Run, record: TaskRecord) -> Entry:
    attempt = record.attempt
    report = attempt.report if attempt else None
    evidence = attempt.evidence if attempt else None
    return Entry(
        task_id=record.task.id,
        title=record.task.title,
        state=record.state,
        attempts=len(record.attempts),
        reason=record.reason,
        quality=report.quality if report else "",
        summary=report.summary if report else "",
        files=evidence.files if evidence else (),
        insertions=evidence.insertions if evidence else 0,
        deletions=evidence.deletions if evidence else 0,
        commit=evidence.commit if evidence else None,
        checks=attempt.checks if attempt else (),
        claims=claims.judged(run, record.task),
        remarks=all_remarks(run, record),
    )


def all_remarks(run: Run, record: TaskRecord) -> tuple[str, ...]:
    """What was missed, mended or assumed: where there is one of these, a result isn't simply green."""
    return (*remarks(record), *claims.remarks(run, record.task))


def remarks(record: TaskRecord) -> tuple[str, ...]:
    """The part of `all_remarks` that the task's own attempts tell, whatever was said of the whole run."""
    attempt = record.attempt
    if attempt is None:
        return ()
    found: list[str] = []
    if attempt.report is not None and attempt.report.quality != "strict":
        mended = f" ({', '.join(attempt.report.repairs)})" if attempt.report.repairs else ""
        found.append(f"the answer was {attempt.report.quality}{mended}")
    if attempt.reasked:
        found.append("asked again " + ("once" if attempt.reasked == 1 else f"{attempt.reasked} times"))
    found += [f"nobody was asked: {what}" for what in attempt.settled]
    evidence = attempt.evidence
    if evidence is not None:
        # A phase has nothing to write; a task was there to change something.
        if not evidence.files and attempt.report is not None and record.task.id not in RESERVED:
            said = attempt.report.summary.strip() or attempt.report.status
            found.append(f'says "{said}"; nothing in the diff shows it')
        found += [f"claimed but unchanged: {path}" for path in evidence.claimed_unchanged]
        found += [f"changed but not claimed: {path}" for path in evidence.changed_unclaimed]
        found += [f"outside its scope: {path}" for path in evidence.outside_scope]
        found += [
            f"changed in a submodule, and so not part of the result: {path}"
            for path in evidence.in_submodules
        ]
    if attempt.evidence is not None:
        ran = {check.command for check in attempt.checks}
        wanted = [check.command for check in record.task.checks if check.command is not None]
        found += [f"check not run, nobody had seen it: {' '.join(c)}" for c in wanted if c not in ran]
    found += [f"check failed: {' '.join(check.command)}" for check in attempt.checks if not check.passed]
    found += [
        f"while attempt {attempt.number} worked, {changed} changed in the repository"
        for attempt in record.attempts
        for changed in attempt.tampered
    ]
    found += _how_merged(evidence) if evidence is not None else ()
    silent = sum(
        a.state in (AttemptState.CRASHED, AttemptState.LOST) and not a.never_began for a in record.attempts
    )
    if silent:
        attempts = "attempt" if silent == 1 else "attempts"
        found.append(f"{silent} earlier {attempts} ended without an answer")
    warnings = attempt.report.data.get("warnings", ()) if attempt.report is not None else ()
    return (*found, *(f"the agent warns: {warning}" for warning in warnings))


def _how_merged(evidence: Evidence) -> tuple[str, ...]:
    kept = "this task's version is kept" if evidence.side == "theirs" else "what was merged before is kept"
    return (
        *(f"in conflict, {kept}: {path}" for path in evidence.settled),
        *(f"in conflict, and resolved: {path}" for path in evidence.resolved),
        *(f"failed after the merge, and without it too: {' '.join(c)}" for c in evidence.red_before),
    )


def notices(run: Run) -> tuple[str, ...]:
    """What happened to the whole that no task of the plan was asked to do, for people."""
    found = [
        f"{record.task.id}: {said}"
        for record in run.tasks.values()
        if record.attempt is not None and record.attempt.evidence is not None
        for said in _how_merged(record.attempt.evidence)
    ]
    record = run.reserved.get(AGGREGATION)
    attempt = record.attempt if record is not None else None
    if attempt is not None and attempt.evidence is not None and attempt.evidence.files:
        found.append(f"{AGGREGATION} itself changed {', '.join(attempt.evidence.files)}")
    return tuple(found)


def template_warnings(run: Run, phase: str = "") -> tuple[str, ...]:
    """What was odd about the template when the run was made; with `phase`, about the prompt of that name."""
    about = f"/prompts/{phase}" if phase else ""
    return tuple(f"the template: {said}" for said in run.created.warnings if said.startswith(about))


def output_files(run: Run) -> tuple[str, ...]:
    """Every file that merged work changed, relative to the run's directory, sorted."""
    found: set[str] = set()
    for record in run.all_records():
        for attempt in record.attempts:
            if attempt.state in (AttemptState.COMPLETED, AttemptState.PARTIAL) and attempt.evidence:
                found.update(attempt.evidence.files)
    return tuple(sorted(found))


def summary(run: Run) -> str:
    """A sentence or two for people: what was missed first, then what there is."""
    done = run.counts[TaskState.COMPLETED]
    head = f"{done} of {len(run.tasks)} tasks completed" if run.tasks else "nothing was planned"
    said = run.aggregate.summary if run.aggregate is not None else ""
    return ". ".join(part for part in (run.reason, head, said) if part)
