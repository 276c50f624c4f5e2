"""A run in a few words, for lists and for those who ask often."""

from __future__ import annotations

from bigtask.core import ledger
from bigtask.core.events import iso
from bigtask.core.run import Run
from bigtask.core.states import Outcome, Phase, Status, TaskState
from bigtask.core.status import ALLOWED, status
from bigtask.core.time_left import minutes_left
from bigtask.core.values import Value, Waiting


class Progress(Value, omit_defaults=False):
    """How many tasks there are, in all and in every state; `eta_seconds` is the middle of a range, and null
    where nothing says how long it takes."""

    total: int
    pending: int
    blocked: int
    ready: int
    running: int
    integrating: int
    completed: int
    partial: int
    failed: int
    timeout: int
    cancelled: int
    skipped: int
    percent: float
    eta_seconds: int | None


class Cost(Value, omit_defaults=False):
    """What all sessions have used so far. `account` is who pays, as the agent tells it."""

    usd: float
    tokens: int
    account: str | None


class Summary(Value, omit_defaults=False):
    """`held` says whether a process carries the run out at this moment."""

    id: str
    status: Status
    outcome: Outcome | None
    phase: Phase | None
    held: bool
    template_id: str
    request: str
    cwd: str
    agent: str
    created_at: str
    updated_at: str
    seq: int
    revision: int | None
    """Of the plan; null while there is none."""
    progress: Progress
    cost: Cost
    waiting: tuple[Waiting, ...]
    allowed: tuple[str, ...]


def summary(run: Run, *, now: float, held: bool, account: str | None) -> Summary:
    """`now` in milliseconds since the epoch."""
    stands = status(run)
    return Summary(
        id=run.id,
        status=stands,
        outcome=run.outcome,
        phase=run.phase,
        held=held,
        template_id=run.created.template_id,
        request=run.created.request,
        cwd=run.created.source.cwd,
        agent=run.settings.agent,
        created_at=iso(run.created_at),
        updated_at=iso(run.updated_at),
        seq=run.seq,
        revision=run.plan.revision if run.plan is not None else None,
        progress=_progress(run, now),
        cost=Cost(
            usd=run.used.cost_usd, tokens=run.used.input_tokens + run.used.output_tokens, account=account
        ),
        waiting=tuple(run.waiting.values()),
        allowed=tuple(sorted(ALLOWED[stands])),
    )


def _progress(run: Run, now: float) -> Progress:
    left = minutes_left(run, now) if run.outcome is None else None
    return Progress(
        total=len(run.tasks),
        **{state.value: run.counts[state] for state in TaskState},
        percent=round(ledger.percent(run), 1),
        eta_seconds=None if left is None else round(sum(left) / 2 * 60),
    )
