"""What is said of a worker's events."""

from __future__ import annotations

from bigtask.cli.event_line import Line, Reach, by_whom
from bigtask.core import events as e
from bigtask.core import ledger
from bigtask.core.run import Run
from bigtask.core.states import TaskState
from bigtask.core.values import ANALYSIS, PLANNING, RESERVED
from bigtask.words import command_line, counted, duration, money

_SETTLED = {
    "done": "resolved by hand",
    "ours": "what was merged before stays",
    "theirs": "the task's version is taken",
}


def line_of_worker(run: Run, id: str, data: e.Happened) -> Line:
    """`id` is the task's."""
    return (
        _of_work(id, data)
        or _of_merge(run, id, data)
        or _of_waiting(id, data)
        or _of_end(run, id, data)
        or Line(who=id, what=data.type.partition(":")[2], reach=Reach.LOG)
    )


def _of_work(id: str, data: e.Happened) -> Line | None:
    """What the session does and says."""
    match data:
        case e.WorkerSpawned():
            attempt = f"attempt {data.attempt}" if data.attempt > 1 else ""
            return Line(who=id, what="starts", detail=attempt, reach=Reach.PIPE)
        case e.WorkerStarted():
            where = f"on branch {data.branch}" if data.branch else ""
            return Line(who=id, what="started", detail=where, reach=Reach.LOG)
        case e.WorkerProgress():
            percent = "" if data.percent is None else f"{data.percent:.0f} %"
            return Line(who=id, what="works", detail=f"{percent} {data.action}", reach=Reach.PIPE)
        case e.WorkerReported():
            return Line(who=id, what="reported", detail=data.report.summary, reach=Reach.PIPE)
        case e.WorkerReasked():
            detail = f"asked again ({data.number}): {'; '.join(data.errors)}"
            return Line(who=id, what="unusable", detail=detail, mood="amber")
        case e.WorkerChecked():
            red = [command_line(result.command) for result in data.results if not result.passed]
            detail = f"failed: {', '.join(red)}" if red else f"{counted(len(data.results), 'check')} passed"
            # What a red check leads to is said in the event that follows.
            return Line(
                who=id, what="checked", detail=detail, mood="bad" if red else "quiet", reach=Reach.PIPE
            )
        case e.WorkerUsed():
            tokens = data.usage.input_tokens + data.usage.output_tokens
            detail = f"{counted(tokens, 'token')}, {money(data.usage.cost_usd)}"
            return Line(who=id, what="used", detail=detail, reach=Reach.LOG)
        case e.WorkerMessage():
            detail = f"{data.length:,} bytes of its transcript"
            return Line(who=id, what="said", detail=detail, reach=Reach.LOG)
        case e.WorkerTampered():
            detail = f"{', '.join(data.changed)} changed in the repository while it worked"
            return Line(who=id, what="noticed", detail=detail, mood="amber", reach=Reach.PIPE)
        case _:
            return None


def _of_merge(run: Run, id: str, data: e.Happened) -> Line | None:
    """How its work comes together with that of others."""
    match data:
        case e.WorkerConflict():
            by = f" (with {', '.join(data.others)})" if data.others else ""
            return Line(who=id, what="conflict", detail=", ".join(data.files) + by, mood="amber")
        case e.WorkerResolving():
            return Line(
                who=id, what="resolving", detail=f"by another session {by_whom(data.by)}", mood="amber"
            )
        case e.WorkerSettling():
            return Line(who=id, what="settled", detail=f"{_SETTLED[data.how]} {by_whom(data.by)}")
        case e.WorkerMerged():
            return Line(who=id, what="merged", detail=_changes(run, id), reach=Reach.PIPE)
        case _:
            return None


def _of_waiting(id: str, data: e.Happened) -> Line | None:
    """What holds it up, and that it goes on."""
    match data:
        case e.WorkerLimited():
            wait = f"{data.kind} for {duration(data.reset_ms)}" if data.reset_ms else data.kind
            return Line(who=id, what="limited", detail=wait, mood="amber")
        case e.WorkerHeld():
            return Line(who=id, what="waits", detail=data.reason)
        case e.WorkerWentOn():
            over = "the limit is over" if data.after == "limit" else "it shows signs of life again"
            return Line(who=id, what="goes on", detail=over)
        case e.WorkerStalled():
            detail = f"no sign of life for {duration(data.quiet_ms)}: it is asked what is going on"
            return Line(who=id, what="stalled", detail=detail, mood="amber")
        case e.WorkerTimeUp():
            detail = f"after {duration(data.limit_ms)}: it is asked what is done"
            return Line(who=id, what="time is up", detail=detail, mood="amber")
        case e.WorkerPaused():
            return Line(who=id, what="paused", reach=Reach.PIPE)
        case e.WorkerResumed(reason=reason) if reason:
            return Line(who=id, what="goes on", detail=f"in its session: {reason}", mood="amber")
        case e.WorkerResumed():
            return Line(who=id, what="resumed", reach=Reach.PIPE)
        case e.WorkerWaiting():
            return Line(who=id, what="waits", detail=f"for {data.waiting_id}", reach=Reach.LOG)
        case _:
            return None


def _of_end(run: Run, id: str, data: e.Happened) -> Line | None:
    """How an attempt ends, and what follows for its task."""
    match data:
        case e.WorkerCompleted():
            # What analysis and planning found is an event of its own.
            reach = Reach.PIPE if id in (ANALYSIS, PLANNING) else Reach.ALL
            return Line(who=id, what="completed", detail=_result(run, id), mood="good", reach=reach)
        case e.WorkerPartial():
            detail = f"{data.reason} {by_whom(data.by)}"
            return Line(who=id, what="partial", detail=detail, mood="amber")
        case e.WorkerNeedsReview():
            return Line(who=id, what="held back", detail=data.reason, mood="amber", reach=Reach.PIPE)
        case e.WorkerLost() if (record := run.record(id)) and record.attempts[data.attempt - 1].never_began:
            return Line(who=id, what="put off", detail=data.reason)
        case e.AttemptEnded():
            what = data.type.partition(":")[2]
            return Line(who=id, what=what, detail=data.reason, mood="amber" if what == "lost" else "bad")
        case e.WorkerRetrying():
            wait = f" in {duration(data.delay_ms)}" if data.delay_ms else ""
            return Line(who=id, what="retrying", detail=f"attempt {data.attempt}{wait}", mood="amber")
        case e.WorkerSuperseded():
            return Line(who=id, what="too late", detail=data.reason)
        case e.WorkerReopened():
            return Line(who=id, what="reopened", detail=by_whom(data.by))
        case e.WorkerCancelled():
            return Line(who=id, what="cancelled", detail=by_whom(data.by), mood="amber")
        case e.WorkerSkipped():
            return Line(who=id, what="skipped", detail=f"{data.reason} {by_whom(data.by)}", mood="amber")
        case _:
            return None


def _changes(run: Run, id: str) -> str:
    record = run.record(id)
    evidence = record.attempt.evidence if record and record.attempt else None
    if evidence is None:
        return ""
    if not evidence.files:
        return "no file changed"
    return f"{counted(len(evidence.files), 'file')}, +{evidence.insertions:,} −{evidence.deletions:,}"


def _result(run: Run, id: str) -> str:
    record = run.record(id)
    if record is None or record.attempt is None:
        return ""
    attempt = record.attempt
    took = duration((attempt.ended_at or attempt.started_at) - attempt.started_at)
    if id in RESERVED:
        parts = [attempt.report.summary if attempt.report else "", took]
    else:
        parts = [_changes(run, id), took, *ledger.remarks(record)]
    if record.state is TaskState.COMPLETED and attempt.number > 1:
        parts.insert(1, f"attempt {attempt.number}")
    return " · ".join(part for part in parts if part)
