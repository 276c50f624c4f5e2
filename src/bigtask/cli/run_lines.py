"""What is said of a run's own events."""

from __future__ import annotations

from bigtask.cli.event_line import Line, Reach, by_whom, phase_name
from bigtask.core import events as e
from bigtask.core.edits import AddTask, DropTask, Edit, MergeTasks, ReorderTasks, SetTask
from bigtask.core.hooks import REFUSED
from bigtask.core.run import Run
from bigtask.core.unanswered import settles_at_once
from bigtask.core.values import RESERVED, Estimate
from bigtask.words import counted, span

_WIDEST_VALUE = 24


def line_of_run(run: Run, data: e.Happened) -> Line | None:
    """None for what happened to one task."""
    return _of_plan(run, data) or _of_questions(run, data) or _of_course(data)


def _of_plan(run: Run, data: e.Happened) -> Line | None:
    """From the request to the plan, and how far that is."""
    match data:
        case e.Created():
            return Line(
                who="run", what="created", detail=f"{data.template_id}: {data.request}", reach=Reach.PIPE
            )
        case e.Started():
            return Line(who="run", what="started", detail=by_whom(data.by), reach=Reach.PIPE)
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
            return Line(who="plan", what="changed", detail=f"{changes} {by_whom(data.by)}")
        case e.Confirmed():
            how = "by itself: the run was told not to ask" if data.by == "autoSpawn" else by_whom(data.by)
            return Line(who="plan", what="confirmed", detail=how)
        case e.Progress():
            done, total = data.counts.get("completed", 0), data.counts.get("total", 0)
            return Line(who="run", what="progress", detail=f"{done} of {total} done", reach=Reach.PIPE)
        case _:
            return None


def _of_questions(run: Run, data: e.Happened) -> Line | None:
    """What a person, a rule or a hook has to say."""
    match data:
        case e.WaitingRaised(waiting=waiting, settled=settled) if settled or settles_at_once(run, waiting):
            detail = f"{waiting.question} ({waiting.id})"
            return Line(who=waiting.task_id or "run", what="asks", detail=detail, reach=Reach.PIPE)
        case e.WaitingRaised(waiting=waiting):
            options = " / ".join(waiting.options)
            detail = f"{waiting.question} [{options}] ({waiting.id})"
            return Line(who=waiting.task_id or "run", what="needs you", detail=detail, mood="amber")
        case e.Answered():
            detail = f"{data.waiting_id}: {data.answer} {by_whom(data.by)}"
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
        case e.HookRan():
            of = f" of {data.task_id}" if data.task_id and data.task_id not in RESERVED else ""
            if not data.problem:
                return Line(who="hook", what="ran", detail=f"{data.hook}{of}", reach=Reach.PIPE)
            said = f": {data.output}" if data.output.strip() else ""
            if data.problem == REFUSED:
                return Line(who="hook", what="refused", detail=f"{data.hook}{said}", mood="amber")
            detail = f"{data.hook}{of} {data.problem}{said}"
            return Line(who="hook", what="failed", detail=detail, mood="amber")
        case e.Commanded():
            return Line(who="run", what="asked", detail=data.id, reach=Reach.LOG)
        case _:
            return None


def _of_course(data: e.Happened) -> Line | None:
    """How the whole goes on, and how it ends."""
    match data:
        case e.Pausing():
            how = "at once" if data.now else "at the next safe point"
            return Line(who="run", what="pausing", detail=f"{how} {by_whom(data.by)}", mood="amber")
        case e.Paused():
            return Line(who="run", what="paused", mood="amber")
        case e.Resumed():
            return Line(who="run", what="resumed", detail=by_whom(data.by))
        case e.Recovered():
            lost = f"{counted(data.lost, 'attempt')} lost, tried again" if data.lost else "nothing lost"
            return Line(who="run", what="recovered", detail=lost, mood="amber")
        case e.Merged():
            what = "unmerged" if data.undone else "merged"
            return Line(who="run", what=what, detail=f"{counted(len(data.files), 'file')} {by_whom(data.by)}")
        case e.Completed():
            mood = "good" if data.outcome == "complete" else "amber"
            return Line(who="run", what=str(data.outcome), detail=data.reason, mood=mood, reach=Reach.PIPE)
        case e.Errored():
            return Line(who="run", what="failed", detail=data.reason, mood="bad", reach=Reach.PIPE)
        case e.Cancelled():
            return Line(who="run", what="cancelled", detail=by_whom(data.by), mood="amber", reach=Reach.PIPE)
        case _:
            return None


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
    brief = isinstance(value, int | float) or (isinstance(value, str) and len(value) <= _WIDEST_VALUE)
    return f"{name} {value}" if brief else name
