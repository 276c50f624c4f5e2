"""What the world reports of attempts, and which events follow.

Every result passes one gate: only the attempt that the log names as the live one may still report. What a
late one says is refused in the same step that would have recorded it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

from bigtask.core import dependents
from bigtask.core import events as e
from bigtask.core.phases import aggregation, analysis, planning, verification
from bigtask.core.retry import delay_ms
from bigtask.core.run import Grant, Run, TaskRecord
from bigtask.core.states import ATTEMPT_MOVES, RESTING, AttemptState, WaitingKind
from bigtask.core.values import (
    AGGREGATION,
    ANALYSIS,
    PLANNING,
    RESERVED,
    VERIFICATION,
    CheckResult,
    Evidence,
    Report,
    Usage,
    Value,
    Waiting,
)


class Observation(Value):
    task_id: str
    attempt: int


class Opened(Observation):
    session_id: str
    branch: str | None = None


class Progressed(Observation):
    percent: float | None = None
    action: str = ""
    files_done: int | None = None
    files_total: int | None = None


class Spoke(Observation):
    """`length` bytes were added to the transcript at `offset`."""

    offset: int
    length: int


class Reasked(Observation):
    number: int
    errors: tuple[str, ...]


class Asked(Observation):
    """The agent wants to know whether it may."""

    request_id: str
    question: str
    options: tuple[str, ...]


class Limited(Observation):
    kind: str
    reset_ms: int | None = None


class Stalled(Observation):
    quiet_ms: int


class Ended(Observation):
    """The session is over; what it used in all."""

    usage: Usage = Usage()
    tools: Mapping[str, int] = {}


class Reported(Ended):
    report: Report


class Unusable(Ended):
    """The agent was asked again as often as allowed, and still didn't answer in the form wanted."""

    errors: tuple[str, ...]
    answer: str
    """The end of what it said last."""


class Fell(Ended):
    """The attempt came to nothing; `reason` is a sentence for people."""

    reason: str


class Failed(Fell):
    """The agent said so, or it couldn't be begun."""


class TimedOut(Fell):
    """It had no active time left."""


class Crashed(Fell):
    """Its session ended in the middle of a turn."""


class Interrupted(Ended):
    """The turn ended at a safe point because a pause was wanted."""


class Checked(Observation):
    results: tuple[CheckResult, ...]


class Integrated(Observation):
    evidence: Evidence


class Conflicted(Observation):
    files: tuple[str, ...]


class Refused(Observation):
    """The reported work can't be taken as it is: a check is red, or it couldn't be merged."""

    reason: str


_OF_A_MERGE = (Integrated, Conflicted, Refused)
_ENDS = (Ended, Refused)

READ: dict[str, Callable[[Run, Report], tuple[e.Happened, ...]]] = {
    ANALYSIS: analysis.read,
    PLANNING: planning.read,
    AGGREGATION: aggregation.read,
    VERIFICATION: verification.read,
}


def observe(
    run: Run, seen: Observation, *, jitter: float, resumable: Container[str] = ()
) -> tuple[e.Happened, ...]:
    """The events that `seen` leads to; none for what has no meaning any more. `jitter` in [0, 1);
    `resumable` names the agents that can continue a session."""
    record = run.record(seen.task_id)
    if record is None or not 1 <= seen.attempt <= len(record.attempts):
        return ()
    if not may_report(run, seen):
        return _late(record, seen)
    if isinstance(seen, Interrupted):
        return _interrupted(run, record, seen, resumable)
    if isinstance(seen, _ENDS):
        return _ended(run, record, seen, jitter)
    return _noticed(run, record, seen)


def may_report(run: Run, seen: Observation) -> bool:
    """The gate: of the work of its session only the live attempt, of its merge only the one being merged."""
    if isinstance(seen, _OF_A_MERGE):
        return run.integrating.get(seen.task_id) == seen.attempt
    if run.is_live(seen.task_id, seen.attempt):
        return True
    # Verification's commands run before its session, those of a task before its merge.
    return isinstance(seen, Checked) and run.integrating.get(seen.task_id) == seen.attempt


def _late(record: TaskRecord, seen: Observation) -> tuple[e.Happened, ...]:
    state = record.attempts[seen.attempt - 1].state
    if (
        not isinstance(seen, Reported)
        or state in RESTING
        or AttemptState.SUPERSEDED not in ATTEMPT_MOVES[state]
    ):
        return ()
    return (
        e.WorkerSuperseded(
            task_id=seen.task_id, attempt=seen.attempt, reason=f"reported after it was {state.value}"
        ),
    )


def _ended(run: Run, record: TaskRecord, seen: Ended | Refused, jitter: float) -> tuple[e.Happened, ...]:
    """The session is over, or the work that it reported can't be taken."""
    if isinstance(seen, Reported):
        return reported(run, record, seen, jitter)
    who: dict[str, Any] = {"task_id": seen.task_id, "attempt": seen.attempt}
    if isinstance(seen, Unusable):
        return _unusable(run, seen, who)
    if isinstance(seen, Refused):
        end: e.AttemptEnded = e.WorkerFailed(**who, reason=seen.reason)
    else:
        assert isinstance(seen, Fell)
        end = _FALLS[type(seen)](**who, reason=seen.reason, usage=seen.usage, tools=seen.tools)
    return (end, *_after_fall(run, record, jitter))


def _noticed(run: Run, record: TaskRecord, seen: Observation) -> tuple[e.Happened, ...]:
    """The attempt goes on, or its merge has come to something."""
    who: dict[str, Any] = {"task_id": seen.task_id, "attempt": seen.attempt}
    match seen:
        case Opened():
            return (e.WorkerStarted(**who, session_id=seen.session_id, branch=seen.branch),)
        case Progressed():
            return (
                e.WorkerProgress(
                    **who,
                    percent=seen.percent,
                    action=seen.action,
                    files_done=seen.files_done,
                    files_total=seen.files_total,
                ),
            )
        case Spoke():
            return (e.WorkerMessage(**who, offset=seen.offset, length=seen.length),)
        case Reasked():
            return (e.WorkerReasked(**who, number=seen.number, errors=seen.errors),)
        case Asked():
            return _asked(run, record, seen, who)
        case Limited():
            return (e.WorkerLimited(**who, kind=seen.kind, reset_ms=seen.reset_ms),)
        case Stalled():
            return (e.WorkerStalled(**who, quiet_ms=seen.quiet_ms),)
        case Checked():
            return (e.WorkerChecked(**who, results=seen.results),)
        case Integrated():
            return _integrated(run, record, seen, who)
        case Conflicted():
            return (
                e.WorkerConflict(**who, files=seen.files),
                *_review(
                    run,
                    who,
                    WaitingKind.CONFLICT,
                    f"{seen.task_id} changed the same lines as others in {', '.join(seen.files[:5])}: "
                    "try it again on what is merged by now, or go on without it?",
                    {"files": seen.files},
                ),
            )
        case _:
            raise AssertionError(f"nothing says what {type(seen).__name__} means")


def _asked(run: Run, record: TaskRecord, seen: Asked, who: dict[str, Any]) -> tuple[e.Happened, ...]:
    waiting = Waiting(
        id=f"w{run.asked + 1}",
        kind=WaitingKind.PERMISSION,
        question=seen.question,
        options=seen.options,
        request_id=seen.request_id,
        **who,
    )
    raised = e.WaitingRaised(waiting=waiting)
    grant = _granted(run, seen)
    if grant is not None:
        answered = e.Answered(waiting_id=waiting.id, answer=grant.answer, scope=grant.scope, by=grant.by)
        return (raised, answered)
    if record.attempts[seen.attempt - 1].state is AttemptState.WAITING:
        return (raised,)
    return (raised, e.WorkerWaiting(**who, waiting_id=waiting.id))


def _interrupted(
    run: Run, record: TaskRecord, seen: Interrupted, resumable: Container[str]
) -> tuple[e.Happened, ...]:
    paused = e.WorkerPaused(task_id=seen.task_id, attempt=seen.attempt, usage=seen.usage, tools=seen.tools)
    if run.pausing or run.overtaken.get(seen.task_id) != seen.attempt:
        return (paused,)
    return (paused, continued(record, resumable))


def continued(record: TaskRecord, resumable: Container[str]) -> e.WorkerResumed | e.WorkerLost:
    """Inside the interrupted session where the agent can, else as a new attempt."""
    attempt = record.attempt
    assert attempt is not None
    who: dict[str, Any] = {"task_id": record.task.id, "attempt": attempt.number}
    if attempt.session_id is not None and attempt.agent in resumable:
        return e.WorkerResumed(**who)
    return e.WorkerLost(**who, reason="paused, and its agent can't continue a session")


def _granted(run: Run, seen: Asked) -> Grant | None:
    """What a person has answered to this question already, where that still holds: for the run, for the
    task, or once, if the session that asked may have ended before it had the answer."""
    given = run.grants.get(seen.question, {})
    grant = given.get("") or given.get(seen.task_id)
    if grant is None or grant.answer not in seen.options:
        return None
    return grant if grant.scope != "once" or grant.unheard else None


_FALLS: dict[type[Observation], type[e.AttemptEnded]] = {
    Failed: e.WorkerFailed,
    TimedOut: e.WorkerTimeout,
    Crashed: e.WorkerCrashed,
}


def reported(run: Run, record: TaskRecord, seen: Reported, jitter: float) -> tuple[e.Happened, ...]:
    """An accepted answer: a phase reads its own; a worker's work is taken over by the host, which commits,
    checks and merges it, and says so; read-only work has nothing to merge."""
    who: dict[str, Any] = {"task_id": seen.task_id, "attempt": seen.attempt}
    report = seen.report
    first = e.WorkerReported(**who, report=report, usage=seen.usage, tools=seen.tools)
    if seen.task_id in RESERVED:
        if seen.task_id == AGGREGATION and report.status == "failed":
            reason = report.summary or "the agent could not aggregate"
            return (first, e.WorkerFailed(**who, reason=reason), *_after_fall(run, record, jitter))
        return (first, e.WorkerCompleted(**who), *READ[seen.task_id](run, report))
    if report.status in ("failed", "timeout"):
        reason = str(report.data.get("error") or report.summary or "the agent gave no reason")
        kind = e.WorkerFailed if report.status == "failed" else e.WorkerTimeout
        return (first, kind(**who, reason=reason), *_after_fall(run, record, jitter))
    if run.settings.isolation == "none":
        return (first, *_settled(run, record, report, who))
    return (first,)


def _integrated(
    run: Run, record: TaskRecord, seen: Integrated, who: dict[str, Any]
) -> tuple[e.Happened, ...]:
    report = record.attempts[seen.attempt - 1].report
    assert report is not None
    return (e.WorkerMerged(**who, evidence=seen.evidence), *_settled(run, record, report, who))


def _settled(run: Run, record: TaskRecord, report: Report, who: dict[str, Any]) -> tuple[e.Happened, ...]:
    """The work is in: completed, or partial with the question whether others may build on it."""
    if report.status != "partial":
        return (e.WorkerCompleted(**who),)
    by = "template" if run.settings.accept_partial else ""
    partial = e.WorkerPartial(**who, reason=report.summary, by=by)
    return (partial,) if by else (partial, *dependents.ask(run, record.task.id, who["attempt"]))


def _unusable(run: Run, seen: Unusable, who: dict[str, Any]) -> tuple[e.Happened, ...]:
    reason = "the answer isn't in the form wanted: " + "; ".join(seen.errors)
    question = (
        f"{seen.task_id} was asked again, and its answer still can't be used "
        f"({'; '.join(seen.errors[:2])}): write its answer by hand, try it again"
    )
    skippable = seen.task_id not in RESERVED
    return _review(
        run,
        who,
        WaitingKind.ANSWER,
        question + (", or go on without it?" if skippable else "?"),
        {"errors": seen.errors, "answer": seen.answer},
        end=e.WorkerNeedsReview(**who, reason=reason, usage=seen.usage, tools=seen.tools),
        options=("edit", "retry", "skip") if skippable else ("edit", "retry"),
    )


def _review(
    run: Run,
    who: dict[str, Any],
    kind: WaitingKind,
    question: str,
    details: Mapping[str, Any],
    *,
    end: e.WorkerNeedsReview | None = None,
    options: tuple[str, ...] = ("retry", "skip"),
) -> tuple[e.Happened, ...]:
    """The attempt is over and keeps everything; a person says what becomes of it."""
    waiting = Waiting(
        id=f"w{run.asked + 1}", kind=kind, question=question, options=options, details=details, **who
    )
    return (end or e.WorkerNeedsReview(**who, reason=question), e.WaitingRaised(waiting=waiting))


def _after_fall(run: Run, record: TaskRecord, jitter: float) -> tuple[e.Happened, ...]:
    """Either another attempt, or the end of the task and of those that depend on it."""
    id = record.task.id
    delay = delay_ms(record, run.settings, jitter=jitter)
    if delay is not None:
        return (e.WorkerRetrying(task_id=id, attempt=len(record.attempts) + 1, delay_ms=delay),)
    return dependents.skips(run, id, "failed")
