"""What became of every task, with its evidence; and the one shape in which states are counted."""

from __future__ import annotations

from bigtask.core.run import Run, TaskRecord
from bigtask.core.states import ENDED, AttemptState, TaskState
from bigtask.core.values import Value


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
    remarks: tuple[str, ...] = ()


def counts(run: Run) -> dict[str, int]:
    """`total` and one count for every task state; the counts sum to the total."""
    return {"total": len(run.tasks), **{state.value: run.counts[state] for state in TaskState}}


def percent(run: Run) -> float:
    """Share of tasks that have ended, 0 to 100."""
    return 100.0 * sum(run.counts[state] for state in ENDED) / len(run.tasks) if run.tasks else 0.0


def ledger(run: Run) -> tuple[Entry, ...]:
    """In plan order."""
    return tuple(_entry(record) for record in run.tasks.values())


def _entry(record: TaskRecord) -> Entry:
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
        remarks=remarks(record),
    )


def remarks(record: TaskRecord) -> tuple[str, ...]:
    """What was missed, mended or assumed: where there is one of these, a result isn't simply green."""
    attempt = record.attempt
    if attempt is None:
        return ()
    found: list[str] = []
    if attempt.report is not None and attempt.report.quality != "strict":
        found.append(f"the answer was {attempt.report.quality}")
    if attempt.reasked:
        found.append(f"asked again {attempt.reasked} times")
    evidence = attempt.evidence
    if evidence is not None:
        found += [f"claimed but unchanged: {path}" for path in evidence.claimed_unchanged]
        found += [f"changed but not claimed: {path}" for path in evidence.changed_unclaimed]
        found += [f"outside its scope: {path}" for path in evidence.outside_scope]
    if attempt.evidence is not None:
        ran = {check.command for check in attempt.checks}
        wanted = [check.command for check in record.task.checks if check.command is not None]
        found += [f"check not run, nobody had seen it: {' '.join(c)}" for c in wanted if c not in ran]
    found += [f"check failed: {' '.join(check.command)}" for check in attempt.checks if not check.passed]
    crashes = sum(a.state in (AttemptState.CRASHED, AttemptState.LOST) for a in record.attempts)
    if crashes:
        found.append(f"{crashes} earlier attempts ended without an answer")
    warnings = attempt.report.data.get("warnings", ()) if attempt.report is not None else ()
    return (*found, *(f"the agent warns: {warning}" for warning in warnings))


def output_files(run: Run) -> tuple[str, ...]:
    """Every file that merged work changed, relative to the run's directory, sorted."""
    found: set[str] = set()
    for record in run.tasks.values():
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
