"""Each event as a line for people: who, what, and the detail that matters. One line for the live view, the
piped one and `bigtask logs`, which show more or fewer of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum

from bigtask.core import events as e
from bigtask.core import ledger
from bigtask.core.edits import AddTask, DropTask, Edit, MergeTasks, ReorderTasks, SetTask
from bigtask.core.hooks import REFUSED
from bigtask.core.run import Run
from bigtask.core.states import TaskState
from bigtask.core.unanswered import settles_at_once
from bigtask.core.values import ANALYSIS, PLANNING, RESERVED, Estimate
from bigtask.words import both_ends, command_line, counted, duration, money, one_line, span

_DETAIL = 600
_WIDEST_NAME = 24

MOODS = {"good": ("✓", "green"), "bad": ("✗", "red"), "amber": ("!", "yellow"), "quiet": ("·", "dim")}
"""Mark and colour."""


class Reach(IntEnum):
    LOG = 0
    """Only for those who read the log."""
    PIPE = 1
    """A live terminal shows it in place, and leaves no line."""
    ALL = 2


@dataclass(frozen=True, kw_only=True)
class Line:
    """`mood` is a key of `MOODS`."""

    who: str
    what: str
    detail: str = ""
    mood: str = "quiet"
    reach: Reach = Reach.ALL


def line_of(run: Run, event: e.Event) -> Line:
    """`run` has the event folded in."""
    line = _of_run(run, event.data) or _of_task(run, event.data)
    return replace(line, who=one_line(line.who, 48), detail=both_ends(line.detail, _DETAIL))


def printed(line: Line, at_ms: int, run: Run) -> str:
    """`12:03:11 doc-rich-text  completed  4 files, +963 −0`, in local time."""
    return f"{head(line, at_ms, run)}  {line.detail}".rstrip()


def head(line: Line, at_ms: int, run: Run) -> str:
    """What stands before the detail, always equally wide."""
    clock = datetime.fromtimestamp(at_ms / 1000).strftime("%H:%M:%S")
    return f"{clock} {line.who:<{name_width(run)}}  {line.what:<9}"


def name_width(run: Run) -> int:
    return min(max((12, *(len(id) for id in run.tasks))), _WIDEST_NAME)


def _of_run(run: Run, data: e.Happened) -> Line | None:
    match data:
        case e.Created():
            return Line(
                who="run", what="created", detail=f"{data.template_id}: {data.request}", reach=Reach.PIPE
            )
        case e.Started():
            return Line(who="run", what="started", detail=_by(data.by), reach=Reach.PIPE)
        case e.PhaseChanged():
            round = f"repair round {data.round}" if data.round else ""
            return Line(
                who=phase_name(data.phase),
                what="begins",
                detail=round,
                reach=Reach.ALL if round else Reach.PIPE,
            )
        case e.AnalysisComplete():
            said = str(data.analysis.get("summary", ""))
            return Line(who="analysis", what="completed", detail=said, mood="good")
        case e.TasksReady():
            return Line(who="plan", what="ready", detail=_planned(run, data.estimate), mood="good")
        case e.PlanChanged():
            changes = ", ".join(edit_words(edit) for edit in data.edits)
            return Line(who="plan", what="changed", detail=f"{changes} {_by(data.by)}")
        case e.Confirmed():
            how = "by itself: the run was told not to ask" if data.by == "autoSpawn" else _by(data.by)
            return Line(who="plan", what="confirmed", detail=how)
        case e.Progress():
            done, total = data.counts.get("completed", 0), data.counts.get("total", 0)
            return Line(who="run", what="progress", detail=f"{done} of {total} done", reach=Reach.PIPE)
        case e.WaitingRaised(waiting=waiting, settled=settled) if settled or settles_at_once(run, waiting):
            detail = f"{waiting.question} ({waiting.id})"
            return Line(who=waiting.task_id or "run", what="asks", detail=detail, reach=Reach.PIPE)
        case e.WaitingRaised(waiting=waiting):
            options = " / ".join(waiting.options)
            detail = f"{waiting.question} [{options}] ({waiting.id})"
            return Line(who=waiting.task_id or "run", what="needs you", detail=detail, mood="amber")
        case e.Answered():
            detail = f"{data.waiting_id}: {data.answer} {_by(data.by)}"
            if data.rule:
                return Line(who="run", what="settled", detail=f"{detail} ({data.rule})", reach=Reach.PIPE)
            if data.covers:
                detail += f", for the {data.scope}: {data.covers}"
            return Line(who="run", what="answered", detail=detail)
        case e.AgentReplaced():
            detail = f"by {data.instead}: {data.reason}"
            return Line(who=data.agent, what="replaced", detail=detail, mood="amber")
        case e.BudgetWarning():
            return Line(who="run", what="near its cap", detail=f"{data.said} used", mood="amber")
        case e.Pausing():
            how = "at once" if data.now else "at the next safe point"
            return Line(who="run", what="pausing", detail=f"{how} {_by(data.by)}", mood="amber")
        case e.Paused():
            return Line(who="run", what="paused", mood="amber")
        case e.Resumed():
            return Line(who="run", what="resumed", detail=_by(data.by))
        case e.Recovered():
            lost = f"{counted(data.lost, 'attempt')} lost, tried again" if data.lost else "nothing lost"
            return Line(who="run", what="recovered", detail=lost, mood="amber")
        case e.Commanded():
            return Line(who="run", what="asked", detail=data.id, reach=Reach.LOG)
        case e.HookRan():
            of = f" of {data.task_id}" if data.task_id and data.task_id not in RESERVED else ""
            if not data.problem:
                return Line(who="hook", what="ran", detail=f"{data.hook}{of}", reach=Reach.PIPE)
            said = f": {data.output}" if data.output.strip() else ""
            if data.problem == REFUSED:
                return Line(who="hook", what="refused", detail=f"{data.hook}{said}", mood="amber")
            detail = f"{data.hook}{of} {data.problem}{said}"
            return Line(who="hook", what="failed", detail=detail, mood="amber")
        case e.Merged():
            what = "unmerged" if data.undone else "merged"
            return Line(who="run", what=what, detail=f"{counted(len(data.files), 'file')} {_by(data.by)}")
        case e.Completed():
            mood = "good" if data.outcome == "complete" else "amber"
            return Line(who="run", what=str(data.outcome), detail=data.reason, mood=mood, reach=Reach.PIPE)
        case e.Errored():
            return Line(who="run", what="failed", detail=data.reason, mood="bad", reach=Reach.PIPE)
        case e.Cancelled():
            return Line(who="run", what="cancelled", detail=_by(data.by), mood="amber", reach=Reach.PIPE)
        case _:
            return None


def _of_task(run: Run, data: e.Happened) -> Line:
    id = str(getattr(data, "task_id", ""))
    line = _of_attempt(run, id, data)
    return replace(line, who=phase_name(RESERVED[id]) if id in RESERVED else id)


def _of_attempt(run: Run, id: str, data: e.Happened) -> Line:
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
        case e.WorkerConflict():
            by = f" (with {', '.join(data.others)})" if data.others else ""
            return Line(who=id, what="conflict", detail=", ".join(data.files) + by, mood="amber")
        case e.WorkerResolving():
            return Line(who=id, what="resolving", detail=f"by another session {_by(data.by)}", mood="amber")
        case e.WorkerSettling():
            return Line(who=id, what="settled", detail=f"{_SETTLED[data.how]} {_by(data.by)}")
        case e.WorkerMerged():
            return Line(who=id, what="merged", detail=_changes(run, id), reach=Reach.PIPE)
        case e.WorkerCompleted():
            # What analysis and planning found is an event of its own.
            reach = Reach.PIPE if id in (ANALYSIS, PLANNING) else Reach.ALL
            return Line(who=id, what="completed", detail=_result(run, id), mood="good", reach=reach)
        case e.WorkerPartial():
            detail = f"{data.reason} {_by(data.by)}"
            return Line(who=id, what="partial", detail=detail, mood="amber")
        case e.WorkerNeedsReview():
            return Line(who=id, what="held back", detail=data.reason, mood="amber", reach=Reach.PIPE)
        case e.WorkerTampered():
            detail = f"{', '.join(data.changed)} changed in the repository while it worked"
            return Line(who=id, what="noticed", detail=detail, mood="amber", reach=Reach.PIPE)
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
            return Line(who=id, what="reopened", detail=_by(data.by))
        case e.WorkerCancelled():
            return Line(who=id, what="cancelled", detail=_by(data.by), mood="amber")
        case e.WorkerSkipped():
            return Line(who=id, what="skipped", detail=f"{data.reason} {_by(data.by)}", mood="amber")
        case e.WorkerLimited():
            wait = f"{data.kind} for {duration(data.reset_ms)}" if data.reset_ms else data.kind
            return Line(who=id, what="limited", detail=wait, mood="amber")
        case e.WorkerHeld():
            return Line(who=id, what="waits", detail=data.reason)
        case e.WorkerWentOn():
            over = "the limit is over" if data.after == "limit" else "it shows signs of life again"
            return Line(who=id, what="goes on", detail=over)
        case e.WorkerUsed():
            tokens = data.usage.input_tokens + data.usage.output_tokens
            detail = f"{counted(tokens, 'token')}, {money(data.usage.cost_usd)}"
            return Line(who=id, what="used", detail=detail, reach=Reach.LOG)
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
        case e.WorkerMessage():
            detail = f"{data.length:,} bytes of its transcript"
            return Line(who=id, what="said", detail=detail, reach=Reach.LOG)
        case _:
            return Line(who=id, what=data.type.partition(":")[2], reach=Reach.LOG)


_SETTLED = {
    "done": "resolved by hand",
    "ours": "what was merged before stays",
    "theirs": "the task's version is taken",
}


def phase_name(phase: str) -> str:
    """The word that people see for a phase."""
    return {"taskPlanning": "planning", "workerExecution": "workers"}.get(phase, phase)


def _by(who: str) -> str:
    return f"by {who}" if who else ""


def _planned(run: Run, estimate: Estimate | None) -> str:
    takes = f", {span(estimate.minutes_low, estimate.minutes_high)}" if estimate is not None else ""
    return counted(len(run.tasks), "task") + takes


def edit_words(edit: Edit) -> str:
    match edit:
        case AddTask(task=task):
            return f"added {task.id}"
        case DropTask(id=id):
            return f"dropped {id}"
        case SetTask(id=id, fields=fields):
            return f"{id}: " + ", ".join(_set(name, value) for name, value in fields.items())
        case MergeTasks(ids=ids, task=task):
            return f"merged {', '.join(ids)} into {task.id}"
        case ReorderTasks():
            return "reordered"


def _set(name: str, value: object) -> str:
    """`name value` where the value is a word or a number; the name alone of a longer value, which needn't be
    shown to say that it changed."""
    brief = isinstance(value, int | float) or (isinstance(value, str) and len(value) <= _WIDEST_NAME)
    return f"{name} {value}" if brief else name


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
