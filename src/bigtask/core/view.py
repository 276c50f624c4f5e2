"""What surfaces show of a run: derived from its state, in one shape for Python, CLI and REST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bigtask.core import fallback, ledger
from bigtask.core.answers import Answers, answers
from bigtask.core.events import iso
from bigtask.core.run import Attempt, HookRecord, Run, TaskRecord
from bigtask.core.states import AttemptState, Outcome, Phase, Status, TaskState
from bigtask.core.status import ALLOWED, status
from bigtask.core.values import CheckResult, Estimate, Evidence, Plan, Task, Usage, Value, Waiting


class RunView(Value, omit_defaults=False):
    id: str
    status: Status
    outcome: Outcome | None
    reason: str
    phase: Phase | None
    template_id: str
    request: str
    cwd: str
    agent: str
    branch: str
    created_at: str
    """ISO 8601, UTC, like every time here."""
    updated_at: str
    seq: int
    tasks: Mapping[str, int]
    """`total`, and one count for every task state."""
    percent: float
    waiting: tuple[Waiting, ...]
    allowed: tuple[str, ...]
    """The verbs that are possible now."""
    plan: Plan | None
    warnings: tuple[str, ...]
    estimate: Estimate | None
    ledger: tuple[ledger.Entry, ...]
    output_files: tuple[str, ...]
    usage: Usage
    answers: Mapping[str, Answers]
    """By the agent's name."""
    hooks: Mapping[str, HookView]
    """By name, of those that something has called for."""
    merged: str | None
    summary: str


class HookView(Value, omit_defaults=False):
    """How often the hook ran and failed, how many calls are still due, and what was wrong with the last
    that failed."""

    ran: int
    failed: int
    due: int
    problem: str


class AttemptView(Value, omit_defaults=False):
    number: int
    state: str
    agent: str
    session_id: str | None
    branch: str | None
    started_at: str
    ended_at: str | None
    percent: float | None
    action: str
    reason: str
    limit: str
    """What its account is limited by while it waits for that: `rate`, `overloaded` or `usage`; else empty."""
    limit_ends_at: str | None
    """When that is over, as far as it is known."""
    quiet_since: str | None
    """Since when there was no sign of life, while it has stalled."""
    time_up: bool
    """Its active time is over: it was asked to report what is done."""
    reasked: int
    unusable: bool
    quality: str
    """How the report was read; empty without one."""
    repairs: tuple[str, ...]
    warnings: tuple[str, ...]
    usage: Usage
    tools: Mapping[str, int]
    report: Mapping[str, Any] | None
    evidence: Evidence | None
    checks: tuple[CheckResult, ...]


class WorkerView(Value, omit_defaults=False):
    """A task with its attempts; `status` is the task's state."""

    task_id: str
    task: Task
    status: TaskState
    reason: str
    attempts: tuple[AttemptView, ...]
    remarks: tuple[str, ...]


def view(run: Run) -> RunView:
    now = status(run)
    source = run.created.source
    return RunView(
        id=run.id,
        status=now,
        outcome=run.outcome,
        reason=run.reason,
        phase=run.phase,
        template_id=run.created.template_id,
        request=run.created.request,
        cwd=source.cwd,
        agent=run.settings.agent,
        branch=f"bigtask/{run.id}/main",
        created_at=iso(run.created_at),
        updated_at=iso(run.updated_at),
        seq=run.seq,
        tasks=ledger.counts(run),
        percent=round(ledger.percent(run), 1),
        waiting=tuple(run.waiting.values()),
        allowed=tuple(sorted(ALLOWED[now])),
        plan=run.plan,
        warnings=(
            *ledger.template_warnings(run),
            *fallback.notices(run),
            *run.warnings,
            *ledger.notices(run),
        ),
        estimate=run.estimate,
        ledger=ledger.ledger(run),
        output_files=ledger.output_files(run),
        usage=run.used,
        answers=answers(run),
        hooks={name: _hook(hook) for name, hook in run.hooks.items()},
        merged=run.merged,
        summary=ledger.summary(run),
    )


def worker(record: TaskRecord) -> WorkerView:
    return WorkerView(
        task_id=record.task.id,
        task=record.task,
        status=record.state,
        reason=record.reason,
        attempts=tuple(_attempt(attempt) for attempt in record.attempts),
        remarks=ledger.remarks(record),
    )


def _hook(hook: HookRecord) -> HookView:
    return HookView(ran=hook.ran, failed=hook.failed, due=len(hook.due), problem=hook.problem)


def _attempt(attempt: Attempt) -> AttemptView:
    report = attempt.report
    limited = attempt.state is AttemptState.LIMITED
    return AttemptView(
        number=attempt.number,
        state=attempt.state.value,
        agent=attempt.agent,
        session_id=attempt.session_id,
        branch=attempt.branch,
        started_at=iso(attempt.started_at),
        ended_at=_time(attempt.ended_at),
        percent=attempt.percent,
        action=attempt.action,
        reason=attempt.reason,
        limit=attempt.limit if limited else "",
        limit_ends_at=_time(attempt.limit_ends_at) if limited else None,
        quiet_since=_time(attempt.quiet_since) if attempt.state is AttemptState.STALLED else None,
        time_up=attempt.time_up,
        reasked=attempt.reasked,
        unusable=attempt.unusable,
        quality=report.quality if report is not None else "",
        repairs=report.repairs if report is not None else (),
        warnings=report.warnings if report is not None else (),
        usage=attempt.usage,
        tools=attempt.tools,
        report=report.data if report is not None else None,
        evidence=attempt.evidence,
        checks=attempt.checks,
    )


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso(at_ms)
