"""The state of a run: what the fold of its events says, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bigtask.core.events import AgentReplaced, Created
from bigtask.core.plan import Area
from bigtask.core.queue import Rank, ReadyQueue
from bigtask.core.states import LIVE, AttemptState, Outcome, Phase, TaskState
from bigtask.core.values import (
    CheckResult,
    Estimate,
    Evidence,
    InConflict,
    Plan,
    Report,
    Settings,
    Task,
    Usage,
    Waiting,
)


@dataclass(slots=True)
class Attempt:
    """One numbered try at a task. `started_at` and `ended_at` are for people, in ms since the epoch."""

    number: int
    agent: str
    session_name: str
    started_at: int
    state: AttemptState = AttemptState.SPAWNING
    ended_at: int | None = None
    session_id: str | None = None
    branch: str | None = None
    report: Report | None = None
    evidence: Evidence | None = None
    checks: tuple[CheckResult, ...] = ()
    usage: Usage = field(default_factory=Usage)
    tools: Mapping[str, int] = field(default_factory=dict)
    reasked: int = 0
    continued: int = 0
    """How often its session ended by itself and was gone on with."""
    resolves: int | None = None
    """The attempt whose work it brings together with what came first."""
    settling: str = ""
    """How a person has settled the conflict of its work: `done`, `ours` or `theirs`."""
    unusable: bool = False
    """It ended without an answer that could be used: a person was asked."""
    tampered: tuple[str, ...] = ()
    """What changed in the repository while it worked and isn't a task's to change."""
    settled: tuple[str, ...] = ()
    """What was answered to it without a person, other than by allowing it."""
    percent: float | None = None
    action: str = ""
    reason: str = ""
    limit: str = ""
    """While it waits because its account is limited: `rate`, `overloaded` or `usage`."""
    limit_ends_at: int | None = None
    """When that is over, as far as it is known; for people, in ms since the epoch."""
    quiet_since: int | None = None
    """Since when nothing was noticed of it when it stalled last; for people, in ms since the epoch."""
    time_up: bool = False
    """Its active time is over: its session was asked to report what is done."""

    @property
    def never_began(self) -> bool:
        """It was let go of before it had a session, as where a person was to be asked first."""
        return self.state is AttemptState.LOST and self.session_id is None


@dataclass(slots=True)
class TaskRecord:
    """A task with everything that was tried."""

    task: Task
    state: TaskState = TaskState.PENDING
    attempts: list[Attempt] = field(default_factory=list)
    missing: int = 0
    """Dependencies that aren't met yet."""
    half_met: int = 0
    """Those among them whose result is partial: only a person lets the task build on it."""
    failures: int = 0
    """Attempts that used up a retry since a person last asked for one."""
    not_before: int = 0
    """A reserved task's next attempt waits until then (ms since the epoch); planned ones queue."""
    reason: str = ""
    by: str = ""
    """The person who skipped the task or accepted its partial result."""
    conflicts: tuple[InConflict, ...] = ()
    """Where the work of the attempt `in_conflict` can't be merged; `places` is where a person finds it."""
    in_conflict: int | None = None
    places: Mapping[str, str] = field(default_factory=dict)
    resolving: bool = False
    """The next attempts are there to resolve it."""

    @property
    def attempt(self) -> Attempt | None:
        """The current attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def half_done(self) -> bool:
        """Partly done, and nobody has said yet that others may build on it."""
        return self.state is TaskState.PARTIAL and not self.by

    @property
    def met(self) -> bool:
        """Whether dependents may build on it."""
        return self.state is TaskState.COMPLETED or (
            self.state in (TaskState.SKIPPED, TaskState.PARTIAL) and bool(self.by)
        )


@dataclass(slots=True)
class Grant:
    """A person's answer to a permission question, for when the same question comes again."""

    answer: str
    scope: str
    by: str
    attempt: int | None
    unheard: bool = False
    """The session that asked ended: whether it ever had the answer isn't known."""
    waiting_id: str = ""
    at: int = 0


@dataclass(slots=True)
class HookRecord:
    """What became of one hook's calls."""

    due: list[int] = field(default_factory=list)
    """The events that called for it and that it hasn't been run to its end for, oldest first."""
    ran: int = 0
    failed: int = 0
    """How many of those that ran came to something else than 0."""
    problem: str = ""
    """What was wrong with the last one that failed."""


@dataclass(slots=True)
class Run:
    """Owned by `evolve`; everyone else reads."""

    id: str
    created: Created
    created_at: int
    seq: int = 0
    updated_at: int = 0
    started: bool = False
    phase: Phase | None = None
    analysis: Mapping[str, Any] | None = None
    plan: Plan | None = None
    warnings: tuple[str, ...] = ()
    estimate: Estimate | None = None
    confirmed: bool = False
    shown: bool = False
    """A person confirmed the plan with its commands in front of them, not a rule."""
    paused: bool = False
    pausing: bool = False
    pausing_now: bool = False
    outcome: Outcome | None = None
    reason: str = ""
    merged: str | None = None
    """The commit (or `applied` for a plain folder) by which the result went to the user."""
    fix_round: int = 0
    asked: int = 0
    """How many things the run has asked people so far."""
    waiting: dict[str, Waiting] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    grants: dict[str, dict[str, Grant]] = field(default_factory=dict)
    """By what they cover, then by task id; under the empty id for the whole run."""
    tasks: dict[str, TaskRecord] = field(default_factory=dict)
    reserved: dict[str, TaskRecord] = field(default_factory=dict)
    counts: dict[TaskState, int] = field(default_factory=lambda: dict.fromkeys(TaskState, 0))
    live: dict[str, int] = field(default_factory=dict)
    """Attempt number by task id, for the attempts that hold a slot."""
    integrating: dict[str, int] = field(default_factory=dict)
    """Likewise for attempts whose reported work is being checked and merged."""
    overtaken: dict[str, int] = field(default_factory=dict)
    """Likewise for attempts that a pause was still interrupting when the run was resumed."""
    dependents: dict[str, list[str]] = field(default_factory=dict)
    rank: dict[str, Rank] = field(default_factory=dict)
    areas: dict[str, tuple[Area, ...]] = field(default_factory=dict)
    """Where tasks may write; a task that says nothing of it has no entry."""
    queue: ReadyQueue = field(default_factory=ReadyQueue)
    hooks: dict[str, HookRecord] = field(default_factory=dict)
    """By name, for those that something has called for."""
    commanded: dict[str, None] = field(default_factory=dict)
    """The names of the last commands that changed something and had one, oldest first."""
    used: Usage = field(default_factory=Usage)
    """Of all attempts together, as far as they have said."""
    cap_usd: float | None = None
    """What a person has raised the cap to; None while it is that of the settings."""
    cap_tokens: int | None = None
    asks_nobody: bool = False
    """What it would ask is settled the careful way at once; what can't be waits, and nothing else does."""
    budget_warned: bool = False
    """That little is left under the cap was said."""
    replaced: dict[str, AgentReplaced] = field(default_factory=dict)
    """By the name of an agent that can't work here, who does its work instead."""

    @property
    def settings(self) -> Settings:
        return self.created.settings

    @property
    def verdict(self) -> Report | None:
        """What verification said last."""
        return self._accepted("@verification")

    @property
    def aggregate(self) -> Report | None:
        return self._accepted("@aggregation")

    def _accepted(self, id: str) -> Report | None:
        record = self.reserved.get(id)
        if record is None or record.state is not TaskState.COMPLETED or record.attempt is None:
            return None
        return record.attempt.report

    def record(self, id: str) -> TaskRecord | None:
        """Of a planned task, or of a reserved one that has been tried."""
        record = self.tasks.get(id)
        return record if record is not None else self.reserved.get(id)

    def all_records(self) -> Iterator[TaskRecord]:
        yield from self.reserved.values()
        yield from self.tasks.values()

    def is_live(self, id: str, number: int) -> bool:
        """Whether this attempt is the one that may still report: every result passes this gate."""
        return self.live.get(id) == number

    def live_attempt(self, id: str) -> Attempt | None:
        record = self.record(id)
        attempt = record.attempt if record else None
        return attempt if attempt is not None and attempt.state in LIVE else None
