"""What each `orchestrator:` event means: functions of `(run, data, at)` that change the run."""

from __future__ import annotations

import msgspec

from bigtask.core import budget, estimate, unanswered
from bigtask.core import edits as plan_edits
from bigtask.core import events as e
from bigtask.core import plan as plans
from bigtask.core.moves import move_attempt, rest
from bigtask.core.permissions import ALLOW, REPOSITORY, RUN, covered
from bigtask.core.queue import ReadyQueue
from bigtask.core.run import Grant, Run, TaskRecord
from bigtask.core.states import (
    NOT_BEGUN,
    AttemptState,
    Outcome,
    TaskState,
    WaitingKind,
)
from bigtask.core.values import Plan, Task

_COMMANDS_KNOWN = 1_000
"""A command is asked again within seconds, if at all: the newest names are enough."""


def started(run: Run, data: e.Started, at: int) -> None:
    run.started = True


def phase_changed(run: Run, data: e.PhaseChanged, at: int) -> None:
    run.phase = data.phase
    run.fix_round = data.round


def analysis_complete(run: Run, data: e.AnalysisComplete, at: int) -> None:
    run.analysis = data.analysis


def tasks_ready(run: Run, data: e.TasksReady, at: int) -> None:
    _set_plan(run, data.plan)
    run.warnings = data.warnings
    run.estimate = data.estimate


def plan_changed(run: Run, data: e.PlanChanged, at: int) -> None:
    assert run.plan is not None
    plan = plan_edits.apply(run.plan, data.edits)
    for edit in data.edits:
        if isinstance(edit, plan_edits.AddTask | plan_edits.MergeTasks):
            # A new task, even where one of that id was skipped or cancelled before.
            run.tasks.pop(edit.task.id, None)
    _set_plan(run, plan)
    run.warnings = plans.warnings(plan)
    run.estimate = estimate.of(plan, run.settings)


def _set_plan(run: Run, plan: Plan) -> None:
    paths = plans.remaining_paths(plan.tasks)
    old = run.tasks
    run.plan = plan
    run.tasks = {task.id: _record(old.get(task.id), task) for task in plan.tasks}
    run.dependents = plans.dependents_of(plan.tasks)
    run.rank = {t.id: (t.priority, -paths[t.id], place) for place, t in enumerate(plan.tasks)}
    run.areas = {task.id: where for task in plan.tasks if (where := plans.areas(task))}
    run.queue = ReadyQueue()
    run.counts = dict.fromkeys(TaskState, 0)
    for record in run.tasks.values():
        others = [run.tasks[id] for id in record.task.dependencies]
        record.missing = sum(not other.met for other in others)
        record.half_met = sum(other.half_done for other in others)
        if record.state in NOT_BEGUN:
            record.state = TaskState.PENDING
        run.counts[record.state] += 1
    for record in run.tasks.values():
        if record.state is TaskState.PENDING:
            rest(run, record)


def _record(old: TaskRecord | None, task: Task) -> TaskRecord:
    if old is None:
        return TaskRecord(task)
    old.task = task
    return old


def confirmed(run: Run, data: e.Confirmed, at: int) -> None:
    run.confirmed, run.shown = True, data.shown
    for waiting in [w for w in run.waiting.values() if w.kind is WaitingKind.PLAN]:
        del run.waiting[waiting.id]


def nothing(run: Run, data: e.Happened, at: int) -> None:
    """For watchers only."""


def waiting_raised(run: Run, data: e.WaitingRaised, at: int) -> None:
    run.asked += 1
    expires_at = unanswered.expiring(run, data.waiting, at)
    run.waiting[data.waiting.id] = msgspec.structs.replace(data.waiting, asked_at=at, expires_at=expires_at)


def answered(run: Run, data: e.Answered, at: int) -> None:
    waiting = run.waiting.pop(data.waiting_id)
    if "subject" in waiting.details:
        run.answers[waiting.details["subject"]] = data.answer
    if waiting.kind is WaitingKind.BUDGET and data.answer == budget.RAISE:
        run.cap_usd = waiting.details.get("raisedUsd")
        run.cap_tokens = waiting.details.get("raisedTokens")
        run.budget_warned = False
    if waiting.request_id is not None and not (data.rule and data.scope == REPOSITORY):
        whose = "" if data.scope in (RUN, REPOSITORY) else waiting.task_id or ""
        grant = Grant(data.answer, data.scope, data.by, waiting.attempt, waiting_id=waiting.id, at=at)
        run.grants.setdefault(covered(waiting), {})[whose] = grant
    record = run.record(waiting.task_id) if waiting.task_id is not None else None
    if data.rule and record is not None and waiting.attempt is not None and data.answer != ALLOW:
        asking = record.attempts[waiting.attempt - 1]
        told = f"{data.answer} to {covered(waiting)} ({data.rule})"
        asking.settled = tuple(dict.fromkeys((*asking.settled, told)))
    if waiting.task_id is None or any(w.task_id == waiting.task_id for w in run.waiting.values()):
        return
    attempt = run.live_attempt(waiting.task_id)
    if attempt is not None and attempt.state is AttemptState.WAITING:
        move_attempt(run, waiting.task_id, attempt, AttemptState.RUNNING, at)


def agent_replaced(run: Run, data: e.AgentReplaced, at: int) -> None:
    run.replaced[data.agent] = data


def budget_warning(run: Run, data: e.BudgetWarning, at: int) -> None:
    run.budget_warned = True


def pausing(run: Run, data: e.Pausing, at: int) -> None:
    run.pausing = True
    run.pausing_now = run.pausing_now or data.now


def paused(run: Run, data: e.Paused, at: int) -> None:
    run.paused, run.pausing, run.pausing_now = True, False, False


def resumed(run: Run, data: e.Resumed, at: int) -> None:
    if data.asks_nobody is not None:
        run.asks_nobody = data.asks_nobody
        for id, waiting in run.waiting.items():
            expires_at = unanswered.expiring(run, waiting, at)
            run.waiting[id] = msgspec.structs.replace(waiting, expires_at=expires_at)
    if run.pausing:
        run.overtaken = dict(run.live)
    run.paused, run.pausing, run.pausing_now = False, False, False


def recovered(run: Run, data: e.Recovered, at: int) -> None:
    # The clock of the new holder may be another one: nothing is held back by times of the old.
    run.queue.release_all()
    for record in run.reserved.values():
        record.not_before = 0


def hook_ran(run: Run, data: e.HookRan, at: int) -> None:
    record = run.hooks[data.hook]
    record.due.remove(data.event)
    record.ran += 1
    if data.problem:
        record.failed += 1
        record.problem = data.problem


def commanded(run: Run, data: e.Commanded, at: int) -> None:
    run.commanded[data.id] = None
    if len(run.commanded) > _COMMANDS_KNOWN:
        del run.commanded[next(iter(run.commanded))]


def merged(run: Run, data: e.Merged, at: int) -> None:
    run.merged = None if data.undone else data.commit or "applied"


def completed(run: Run, data: e.Completed, at: int) -> None:
    _finish(run, data.outcome, data.reason)


def errored(run: Run, data: e.Errored, at: int) -> None:
    _finish(run, Outcome.FAILED, data.reason)


def cancelled(run: Run, data: e.Cancelled, at: int) -> None:
    _finish(run, Outcome.CANCELLED, "cancelled by " + (data.by or "request"))
    for record in run.hooks.values():
        record.due.clear()


def _finish(run: Run, outcome: Outcome, reason: str) -> None:
    run.outcome, run.reason = outcome, reason
    run.paused, run.pausing, run.pausing_now = False, False, False
    run.waiting.clear()
