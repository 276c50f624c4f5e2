"""Which events follow from what is observed of attempts.

Every result passes one gate: only the attempt that the log names as the live one may still report. What a
late one says is refused in the same step that would have recorded it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

import msgspec

from bigtask.core import dependents, fallback, permissions, tampering
from bigtask.core import events as e
from bigtask.core.hooks import Hook
from bigtask.core.observations import (
    Asked,
    Brings,
    Checked,
    Conflicted,
    Crashed,
    Ended,
    Failed,
    Fell,
    Held,
    Integrated,
    Interrupted,
    Limited,
    Observation,
    Opened,
    Progressed,
    Reasked,
    Refused,
    Reported,
    Spoke,
    Stalled,
    Tampered,
    TimedOut,
    TimeUp,
    Unavailable,
    Unprepared,
    Unusable,
    Used,
    WentOn,
)
from bigtask.core.phases import (
    aggregation,
    analysis,
    conflicts,
    limits,
    planning,
    preparation,
    trust,
    verification,
)
from bigtask.core.retry import delay_ms
from bigtask.core.run import Attempt, Grant, Run, TaskRecord
from bigtask.core.states import ATTEMPT_MOVES, RESTING, AttemptState, WaitingKind
from bigtask.core.values import (
    AGGREGATION,
    ANALYSIS,
    PLANNING,
    RESERVED,
    VERIFICATION,
    Report,
    Waiting,
)

_HELD_UP = {AttemptState.LIMITED: "limit", AttemptState.STALLED: "stall"}
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
    if isinstance(seen, Tampered):
        return _tampered(run, record, seen)
    if not may_report(run, seen):
        return _late(record, seen)
    if isinstance(seen, Interrupted):
        return _interrupted(run, record, seen, resumable)
    if isinstance(seen, _ENDS):
        return _ended(run, record, seen, jitter, resumable)
    return _noticed(run, record, seen)


def _tampered(run: Run, record: TaskRecord, seen: Tampered) -> tuple[e.Happened, ...]:
    at_work = run.is_live(seen.task_id, seen.attempt) or run.integrating.get(seen.task_id) == seen.attempt
    if seen.held and at_work:
        return tampering.quarantined(run, record, seen.attempt, seen.changed, seen.usage, seen.tools)
    if set(seen.changed) <= set(record.attempts[seen.attempt - 1].tampered):
        return ()
    return (e.WorkerTampered(task_id=seen.task_id, attempt=seen.attempt, changed=seen.changed),)


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


def _ended(
    run: Run, record: TaskRecord, seen: Ended | Refused, jitter: float, resumable: Container[str]
) -> tuple[e.Happened, ...]:
    """The session is over, or the work that it reported can't be taken."""
    if isinstance(seen, Reported):
        return reported(run, record, seen, jitter)
    if isinstance(seen, Crashed) and _can_go_on(record.attempts[seen.attempt - 1], resumable):
        return _gone_on_with(run, seen)
    who: dict[str, Any] = {"task_id": seen.task_id, "attempt": seen.attempt}
    if isinstance(seen, Unavailable):
        used: dict[str, Any] = {"usage": seen.usage, "tools": seen.tools}
        anew = fallback.unavailable(run, **who, reason=seen.reason, others=seen.others, **used)
        if anew:
            return anew
    if isinstance(seen, Unusable):
        return _unusable(run, seen, who)
    if isinstance(seen, Refused):
        if seen.unresolved and record.attempts[seen.attempt - 1].settling:
            return conflicts.again(run, record, seen.attempt, seen.reason)
        end: e.AttemptEnded = e.WorkerFailed(**who, reason=seen.reason, taken_out=seen.taken_out)
    else:
        assert isinstance(seen, Fell)
        end = _FALLS[type(seen)](**who, reason=seen.reason, usage=seen.usage, tools=seen.tools)
    return _fallen(run, record, end, jitter)


def _noticed(run: Run, record: TaskRecord, seen: Observation) -> tuple[e.Happened, ...]:
    """The attempt goes on, or its merge has come to something."""
    who: dict[str, Any] = {"task_id": seen.task_id, "attempt": seen.attempt}
    match seen:
        case Opened():
            return (
                e.WorkerStarted(**who, session_id=seen.session_id, branch=seen.branch, places=seen.places),
            )
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
            return limits.met(run, **who, kind=seen.kind, reset_ms=seen.reset_ms, others=seen.others)
        case Held():
            return (e.WorkerHeld(**who, reason=seen.reason),)
        case WentOn():
            after = _HELD_UP.get(record.attempts[seen.attempt - 1].state)
            return (e.WorkerWentOn(**who, after=after),) if after is not None else ()
        case Used():
            return (e.WorkerUsed(**who, usage=seen.usage, tools=seen.tools),)
        case Stalled():
            return (e.WorkerStalled(**who, quiet_ms=seen.quiet_ms),)
        case TimeUp():
            return (e.WorkerTimeUp(**who, limit_ms=seen.limit_ms),)
        case Unprepared():
            return preparation.failed(
                run, **who, subject=seen.subject, reason=seen.reason, output=seen.output
            )
        case Brings():
            return trust.found(run, **who, agent=seen.agent, digest=seen.digest, brought=seen.brought)
        case Checked():
            return (e.WorkerChecked(**who, results=seen.results),)
        case Integrated():
            return _integrated(run, record, seen, who)
        case Conflicted():
            return conflicts.met(
                run, record, seen.attempt, seen.conflicts, others=seen.others, places=seen.places
            )
        case _:
            raise AssertionError(f"nothing says what {type(seen).__name__} means")


def _asked(run: Run, record: TaskRecord, seen: Asked, who: dict[str, Any]) -> tuple[e.Happened, ...]:
    scopes = permissions.scopes(seen.tool, seen.subject, guarded=seen.guarded)
    rule = {"covers": permissions.exactly(seen.tool, seen.subject)} if seen.tool and len(scopes) > 1 else {}
    waiting = Waiting(
        id=f"w{run.asked + 1}",
        kind=WaitingKind.PERMISSION if permissions.DENY in seen.options else WaitingKind.QUESTION,
        question=seen.question,
        options=seen.options,
        request_id=seen.request_id,
        details={**rule, "scopes": scopes},
        **who,
    )
    settled = _settled_before(run, seen, permissions.covered(waiting))
    raised = e.WaitingRaised(waiting=waiting, settled=settled is not None)
    if settled is not None:
        return (raised, msgspec.structs.replace(settled, waiting_id=waiting.id))
    if record.attempts[seen.attempt - 1].state is AttemptState.WAITING:
        return (raised,)
    return (raised, e.WorkerWaiting(**who, waiting_id=waiting.id))


def _can_go_on(attempt: Attempt, resumable: Container[str]) -> bool:
    """Whether the session is continued. That is done once: one that ends by itself again and again isn't
    continued for ever."""
    begun = attempt.session_id is not None and attempt.agent in resumable
    return begun and attempt.continued < _MOST_CONTINUED


_MOST_CONTINUED = 1


def _gone_on_with(run: Run, seen: Crashed) -> tuple[e.Happened, ...]:
    """The attempt goes on in its session: what it has said and done isn't lost, and no retry is used up."""
    who: dict[str, Any] = {"task_id": seen.task_id, "attempt": seen.attempt}
    paused = e.WorkerPaused(**who, usage=seen.usage, tools=seen.tools)
    return (paused,) if run.pausing else (paused, e.WorkerResumed(**who, reason=seen.reason))


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


def _settled_before(run: Run, seen: Asked, covers: str) -> e.Answered | None:
    """What rules, and answers that still hold, say to it, the strongest first; None where a person is asked.

    A rule that denies, one that has a person asked each time, what a person has answered in this run, what
    one has answered for the repository, a rule that allows, and last the mode.
    """
    ruled = permissions.decided(run.settings.permissions, seen.tool, seen.subject) if seen.tool else None
    answer, text = ruled or ("", "")
    by_rule = e.Answered(waiting_id="", answer=answer, by=permissions.BY_RULE, rule=f"{answer} {text}")
    if answer == permissions.DENY and answer in seen.options:
        return by_rule
    grant = _granted(run, seen, covers)
    if grant is not None and (answer != permissions.ASK or grant.scope == permissions.ONCE):
        return _again(grant.answer, grant.scope, grant.by)
    if answer == permissions.ASK:
        return None
    if seen.kept is not None and seen.kept.answer in seen.options and not seen.guarded:
        return _again(seen.kept.answer, permissions.REPOSITORY, seen.kept.by)
    if answer == permissions.ALLOW and answer in seen.options:
        return by_rule
    if run.settings.permission_mode == "all" and seen.tool and permissions.ALLOW in seen.options:
        return msgspec.structs.replace(by_rule, answer=permissions.ALLOW, rule="permission mode all")
    return None


def _again(answer: str, scope: str, by: str) -> e.Answered:
    return e.Answered(waiting_id="", answer=answer, scope=scope, by=by, rule=_HELD[scope])


_HELD = {
    permissions.ONCE: "answered already",
    permissions.TASK: "answered for the task",
    permissions.RUN: "answered for the run",
    permissions.REPOSITORY: "answered for the repository",
}


def _granted(run: Run, seen: Asked, covers: str) -> Grant | None:
    """What a person has answered to this question already, where that still holds: for the run, for the
    task, or once, if the session that asked may have ended before it had the answer."""
    given = run.grants.get(covers, {})
    grant = given.get("") or given.get(seen.task_id)
    if grant is None or grant.answer not in seen.options:
        return None
    return grant if grant.scope != permissions.ONCE or grant.unheard else None


_FALLS: dict[type[Observation], type[e.AttemptEnded]] = {
    Failed: e.WorkerFailed,
    Unavailable: e.WorkerFailed,
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
            return (first, *_fallen(run, record, e.WorkerFailed(**who, reason=reason), jitter))
        if seen.task_id == AGGREGATION and run.settings.isolation != "none":
            return (first,)  # completed when the host has recorded what it wrote
        if seen.task_id == PLANNING and Hook.ON_TASKS_GENERATED in run.settings.hooks:
            return (first,)  # accepted or refused when the hook has ended: `hooks.conclude`
        return (first, e.WorkerCompleted(**who), *READ[seen.task_id](run, report))
    if report.status in ("failed", "timeout"):
        reason = str(report.data.get("error") or report.summary or "the agent gave no reason")
        kind = e.WorkerFailed if report.status == "failed" else e.WorkerTimeout
        return (first, *_fallen(run, record, kind(**who, reason=reason), jitter))
    if run.settings.isolation == "none":
        return (first, *_settled(run, record, report, who))
    return (first,)


def _integrated(
    run: Run, record: TaskRecord, seen: Integrated, who: dict[str, Any]
) -> tuple[e.Happened, ...]:
    report = record.attempts[seen.attempt - 1].report
    assert report is not None
    merged = e.WorkerMerged(**who, evidence=seen.evidence)
    if seen.task_id in RESERVED:
        return (merged, e.WorkerCompleted(**who), *READ[seen.task_id](run, report))
    return (merged, *_settled(run, record, report, who))


def _settled(run: Run, record: TaskRecord, report: Report, who: dict[str, Any]) -> tuple[e.Happened, ...]:
    """The work is in: completed, or partial with the question whether others may build on it."""
    if report.status != "partial":
        return (e.WorkerCompleted(**who),)
    by = "template" if run.settings.accept_partial else ""
    partial = e.WorkerPartial(**who, reason=report.summary, by=by)
    return (partial,) if by else (partial, *dependents.ask(run, record.task.id, who["attempt"]))


def _unusable(run: Run, seen: Unusable, who: dict[str, Any]) -> tuple[e.Happened, ...]:
    reason = "the answer isn't in the form wanted: " + "; ".join(seen.errors)
    attempt = run.live_attempt(seen.task_id)
    assert attempt is not None
    what = "was asked again, and its answer still" if attempt.reasked else "gave an answer that"
    options = _OPTIONS.get(seen.task_id, _OF_A_TASK)
    *ways, last = [_WAYS[option] for option in options]
    problem = "; ".join(seen.errors[:2])
    return _review(
        run,
        who,
        WaitingKind.ANSWER,
        f"{seen.task_id} {what} can't be used ({problem}): {', '.join(ways)}, or {last}?",
        {"errors": seen.errors, "answer": seen.answer},
        end=e.WorkerNeedsReview(**who, reason=reason, usage=seen.usage, tools=seen.tools),
        options=options,
    )


_WAYS = {
    "edit": "write its answer by hand",
    "retry": "try it again",
    "skip": "go on without it",
    "fail": "let the run fail",
}
_OF_A_TASK = ("edit", "retry", "skip")
_OPTIONS = {
    ANALYSIS: ("edit", "retry", "skip", "fail"),
    # Nothing can go on without a plan.
    PLANNING: ("edit", "retry", "fail"),
    AGGREGATION: ("edit", "retry", "skip", "fail"),
    VERIFICATION: ("edit", "retry", "skip", "fail"),
}
"""What a person may do about an answer that can't be used: work that nobody does fails nothing else, a phase
may take the run with it, which keeps everything that there is."""


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


def _fallen(run: Run, record: TaskRecord, end: e.AttemptEnded, jitter: float) -> tuple[e.Happened, ...]:
    """Either another attempt, or the end of the task and of those that depend on it. Where the attempt was to
    resolve a conflict, a person says how it goes on: the work that it was about is still there."""
    id = record.task.id
    delay = delay_ms(record, run.settings, jitter=jitter)
    if delay is not None:
        return (end, e.WorkerRetrying(task_id=id, attempt=len(record.attempts) + 1, delay_ms=delay))
    taken_out = isinstance(end, e.WorkerFailed) and end.taken_out
    if record.attempts[end.attempt - 1].resolves is not None and not taken_out:
        return conflicts.again(run, record, end.attempt, end.reason, end.usage, end.tools)
    return (end, *dependents.skips(run, id, "failed"))
