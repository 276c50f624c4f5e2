"""The values of a run: what is asked, planned, reported and waited for. Frozen; JSON keys are camelCase."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, dataclass_transform

import msgspec

from bigtask.core.states import Phase, WaitingKind


class _KeywordOnly(msgspec.StructMeta):
    """Hands `kw_only` on to subclasses, which msgspec doesn't do by itself."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **config: Any) -> Any:
        return super().__new__(mcls, name, bases, namespace, **{"kw_only": True, **config})


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Value(
    msgspec.Struct, metaclass=_KeywordOnly, frozen=True, rename="camel", omit_defaults=True, gc=False
):
    """Base of the frozen values, so that all of them read and write the same JSON."""


ANALYSIS = "@analysis"
PLANNING = "@planning"
AGGREGATION = "@aggregation"
VERIFICATION = "@verification"

RESERVED: dict[str, Phase] = {
    ANALYSIS: Phase.ANALYSIS,
    PLANNING: Phase.TASK_PLANNING,
    AGGREGATION: Phase.AGGREGATION,
    VERIFICATION: Phase.VERIFICATION,
}
"""Phases that one attempt carries out alone; these ids count in no total of tasks."""


class Check(Value):
    """How a task's result is judged: a `command` that bigtask runs itself, or a `claim` for the verdict."""

    command: tuple[str, ...] | None = None
    claim: str | None = None


class Task(Value):
    """A node of the plan. `scope`: paths or globs relative to the run's directory; empty means anywhere."""

    id: str
    title: str
    description: str = ""
    scope: tuple[str, ...] = ()
    priority: int = 5
    """1 (most urgent) to 10."""
    dependencies: tuple[str, ...] = ()
    estimated_tokens: int | None = None
    estimated_minutes: float | None = None
    checks: tuple[Check, ...] = ()
    agent: str | None = None
    model: str | None = None


class Plan(Value):
    revision: int
    tasks: tuple[Task, ...]


class Source(Value):
    """Where the run's project lies and how it was found. `root` and `cwd` are absolute."""

    kind: str
    """`git` or `folder`."""
    cwd: str
    root: str
    prefix: str = ""
    """`cwd` below `root`, with a slash at its end; empty when they are the same."""
    branch: str | None = None
    head: str | None = None
    dirty: tuple[str, ...] = ()
    """The first changed paths, as `XY path`; `dirty_count` counts them all."""
    dirty_count: int = 0


class PhaseSettings(Value):
    enabled: bool = True
    timeout_ms: int = 600_000


class Permissions(Value):
    """Rules of `core.permissions` about what agents may do without a question. `deny` stands above `ask`, and
    that above `allow`."""

    allow: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


class Settings(Value):
    """What governs a run: the template's config with the run's own options on top."""

    agent: str
    costs_money: bool = False
    account: str = ""
    """Words for the account that pays for the agent, as it was when the run was made."""
    subscription: bool = False
    """It pays by the month: costs are then what the work would come to by list price."""
    max_workers: int = 5
    worker_timeout_ms: int = 300_000
    auto_spawn: bool = False
    parallel_execution: bool = True
    retry_on_error: bool = True
    max_retries: int = 2
    retry_delay_ms: int = 1_000
    """The first retry's delay before jitter; each further one doubles it."""
    spawn_delay_ms: int = 500
    stall_after_ms: int = 180_000
    """After how long without a sign of life a session is nudged, and after as long again its attempt ends."""
    poll_interval_ms: int = 2_000
    """How often an agent that can't push is asked for news."""
    model: str | None = None
    effort: str | None = None
    isolation: str = "worktree"
    include: tuple[str, ...] | None = None
    """Which ignored files come into each workspace, as lines of a .gitignore; None leaves it to the project's
    own file."""
    setup: tuple[tuple[str, ...], ...] = ()
    """What is run once in each workspace before work begins, as argument lists."""
    workspaces_gib: float | None = None
    """What all workspaces of the run together may take of the disk."""
    permission_mode: str = "ask"
    max_budget_usd: float | None = None
    max_tokens: int | None = None
    yes: bool = False
    """The person confirmed the plan beforehand (`--yes`)."""
    base: str | None = None
    include_changes: bool | None = None
    """Take uncommitted changes along; None asks when there are some."""
    custom_instructions: str = ""
    agent_for: Mapping[str, str] = {}
    """Who does a phase instead of `agent`. A task of the plan that names its agent gets that one."""
    model_for: Mapping[str, str] = {}
    """With which model a phase is done instead of `model`. A task that names one gets that."""
    fallback: tuple[str, ...] = ()
    """Who does the work of an agent that can't work here: the first of these that can."""
    slots_for: Mapping[str, int] = {}
    """How many attempts an agent has at once at most, where not all `slots` are for it."""
    phases: Mapping[str, PhaseSettings] = {}
    min_tasks: int = 1
    max_tasks: int = 50
    require_scope: bool = False
    require_dependencies: bool = False
    accept_partial: bool = False
    commands: tuple[tuple[str, ...], ...] = ()
    """What verification runs in the merged workspace, as argument lists."""
    allowed_commands: tuple[tuple[str, ...], ...] = ()
    """What checks of tasks may run although nobody was shown them."""
    auto_fix: bool = False
    max_fixes: int = 1
    combine: str = "git"
    """`git` merges branches; `concatenate` also joins documents that several tasks wrote parts of."""
    on_conflict: str = "ask"
    """`ask` a person, let an agent `resolve` it, or keep the lines of what came `first` or `last`."""
    hooks: Mapping[str, tuple[str, ...]] = {}
    """What is run when something has happened: argument lists by the names of `core.hooks.Hook`."""
    project_rules: bool | None = None
    """Whether agents load what the project holds for them, where it is approved; None asks, or, with `yes`,
    loads only what is approved already."""
    hook_files: Mapping[str, str] = {}
    """SHA-256 of the project's files that hooks name, by that name, as they were when the run was made."""
    permissions: Permissions = Permissions()
    unanswered: Mapping[str, str] = {}
    """By kind of waiting item what is answered where nobody does, as `deny after 30m`; what isn't there
    waits."""
    ci: bool = False
    """It was begun with `--ci`: see `Run.asks_nobody`."""
    depth: int = 0
    """How many runs are above this one: it was made by an agent of the last of them."""

    @property
    def slots(self) -> int:
        return self.max_workers if self.parallel_execution else 1

    def agent_of(self, phase: Phase) -> str:
        return self.agent_for.get(phase, self.agent)

    def model_of(self, phase: Phase) -> str | None:
        """`model` is in the words of `agent`, and says nothing to another one."""
        return self.model_for.get(phase) or (self.model if self.agent_of(phase) == self.agent else None)

    def phase(self, phase: Phase) -> PhaseSettings:
        found = self.phases.get(phase)
        return found if found is not None else PhaseSettings(enabled=phase is not Phase.VERIFICATION)


class Usage(Value):
    """What one session has used in all, as its agent counts it."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost_usd=self.cost_usd + other.cost_usd,
        )

    def __sub__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens - other.input_tokens,
            output_tokens=self.output_tokens - other.output_tokens,
            cost_usd=self.cost_usd - other.cost_usd,
        )


class Report(Value):
    """An accepted answer. `quality` says how it was read: `strict`, `repaired` or `edited` (by a person)."""

    data: Mapping[str, Any]
    quality: str = "strict"
    repairs: tuple[str, ...] = ()
    """What was mended before it could be read."""
    warnings: tuple[str, ...] = ()
    """What was odd in it and did no harm, such as fields that nobody knows."""

    @property
    def status(self) -> str:
        return str(self.data.get("status", ""))

    @property
    def summary(self) -> str:
        return str(self.data.get("summary", ""))

    @property
    def output_files(self) -> tuple[str, ...]:
        return tuple(self.data.get("output_files", ()))


class CheckResult(Value):
    """One command that bigtask ran itself, with the end of what it printed."""

    command: tuple[str, ...]
    exit_status: int | None
    """None when it didn't end in time."""
    output: str = ""
    took_ms: int = 0

    @property
    def passed(self) -> bool:
        return self.exit_status == 0


class InConflict(Value):
    """A file that two sides changed in ways that can't both be kept; `what` says how, for people."""

    path: str
    what: str = ""


class Evidence(Value):
    """What is known of an attempt's work besides its own word."""

    files: tuple[str, ...] = ()
    """Changed files relative to the run's directory, from the commit."""
    insertions: int = 0
    deletions: int = 0
    claimed_unchanged: tuple[str, ...] = ()
    changed_unclaimed: tuple[str, ...] = ()
    outside_scope: tuple[str, ...] = ()
    commit: str | None = None
    settled: tuple[str, ...] = ()
    """Files in conflict of which one side was kept: by `side`, `ours` is what came first, `theirs` the task's
    own."""
    side: str = ""
    joined: tuple[str, ...] = ()
    """Documents that its part was put into beside those of other tasks."""
    resolved: tuple[str, ...] = ()
    """Files in conflict that somebody resolved, an agent or a person."""
    red_before: tuple[tuple[str, ...], ...] = ()
    """Commands that failed after the merge, and without it as well."""
    in_submodules: tuple[str, ...] = ()
    """Files that it changed in submodules: no part of what is merged."""


class Waiting(Value):
    """Something that only a person can settle. `options` are the answers that it takes."""

    id: str
    kind: WaitingKind
    question: str
    options: tuple[str, ...]
    task_id: str | None = None
    attempt: int | None = None
    request_id: str | None = None
    """The agent's own id of a permission question."""
    details: Mapping[str, Any] = {}
    expires_at: int | None = None
    """When it is settled without a person, in milliseconds since the epoch."""
    asked_at: int | None = None
    """Milliseconds since the epoch."""


class Brought(Value):
    """A file of the project that an agent would load or run by itself. `what` says so in parts of sentences;
    `change` against what was approved last: `new`, `changed`, `gone`, or empty."""

    path: str
    digest: str
    what: tuple[str, ...]
    change: str = ""


class Estimate(Value):
    """A range in minutes and in US dollars; `basis` says what it was reckoned from."""

    minutes_low: float
    minutes_high: float
    cost_low: float = 0.0
    cost_high: float = 0.0
    basis: str = "the plan's own figures"
