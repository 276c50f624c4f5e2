"""One event in a few words, for people who read a log."""

from __future__ import annotations

from datetime import datetime

from bigtask.cli.plain_text import counted, one_line
from bigtask.cli.words import duration
from bigtask.core import events as e


def subject(data: e.Happened) -> str:
    """Whom the event is about: a task with its attempt, or nothing for the run itself."""
    id = getattr(data, "task_id", None)
    number = getattr(data, "attempt", None)
    if id is None:
        return ""
    return f"{id} #{number}" if number is not None else str(id)


def words(data: e.Happened) -> str:
    """Empty where the type says all."""
    return one_line(_words(data), 400)


def _words(data: e.Happened) -> str:
    match data:
        case e.Created():
            return f"{data.template_id} with {data.settings.agent} in {data.source.cwd}: {data.request}"
        case e.PhaseChanged():
            return data.phase + (f", repair round {data.round}" if data.round else "")
        case e.AnalysisComplete():
            return str(data.analysis.get("summary", ""))
        case e.TasksReady():
            return (
                f"{counted(len(data.plan.tasks), 'task')}: {', '.join(task.id for task in data.plan.tasks)}"
            )
        case e.PlanChanged():
            return f"{counted(len(data.edits), 'edit')} of revision {data.revision}{_by(data.by)}"
        case e.Confirmed():
            return f"revision {data.revision}{_by(data.by)}"
        case e.Progress():
            return f"{data.percent:g} %"
        case e.WaitingRaised():
            waiting = data.waiting
            who = f"{waiting.task_id}: " if waiting.task_id else ""
            return f"{waiting.id} {waiting.kind}: {who}{waiting.question} [{', '.join(waiting.options)}]"
        case e.Answered():
            return f"{data.waiting_id}: {data.answer} ({data.scope}){_by(data.by)}"
        case e.Pausing():
            return ("at once" if data.now else "at the next safe point") + _by(data.by)
        case e.Recovered():
            return f"{counted(data.lost, 'attempt')} lost" if data.lost else "nothing was lost"
        case e.Merged():
            done = "taken out again" if data.undone else "in"
            return f"{counted(len(data.files), 'file')} {done}{_by(data.by)}"
        case e.Completed():
            return data.outcome + (f": {data.reason}" if data.reason else "")
        case e.WorkerSpawned():
            return f"with {data.agent}"
        case e.WorkerProgress():
            share = "" if data.percent is None else f"{data.percent:g} % "
            return share + data.action
        case e.WorkerMessage():
            return f"{data.length} bytes"
        case e.WorkerReported():
            return ": ".join(part for part in (data.report.status, data.report.summary) if part)
        case e.WorkerReasked():
            return f"for the {data.number}. time: {'; '.join(data.errors)}"
        case e.WorkerChecked():
            return "; ".join(
                f"{' '.join(result.command)}: {'passed' if result.passed else 'failed'}"
                for result in data.results
            )
        case e.WorkerConflict():
            return ", ".join(data.files)
        case e.WorkerMerged():
            evidence = data.evidence
            return f"{', '.join(evidence.files)} +{evidence.insertions} -{evidence.deletions}"
        case e.WorkerRetrying():
            return f"in {duration(data.delay_ms)}" if data.delay_ms else "now"
        case e.WorkerLimited():
            return data.kind + (f", for {duration(data.reset_ms)}" if data.reset_ms else "")
        case e.WorkerStalled():
            return f"quiet for {duration(data.quiet_ms)}"
        case e.WorkerWaiting():
            return f"for {data.waiting_id}"
        case _:
            return getattr(data, "reason", "") + _by(getattr(data, "by", ""))


def _by(who: str) -> str:
    return f" by {who}" if who else ""


def line(event: e.Event) -> str:
    """Number, local time, type, subject and words, apart by two spaces."""
    at = datetime.fromtimestamp(event.at / 1000).astimezone().strftime("%H:%M:%S")
    parts = (f"{event.seq:>4}", at, f"{event.type:<29}", subject(event.data), words(event.data))
    return "  ".join(part for part in parts if part)


def style(event: e.Event) -> str:
    name = event.type.partition(":")[2]
    if name in ("failed", "crashed", "timeout", "error", "conflict", "needsReview"):
        return "red"
    if name in ("waiting", "retrying", "paused", "pausing", "lost", "partial"):
        return "yellow"
    return "dim" if name in ("progress", "message") else ""
