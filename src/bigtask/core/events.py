"""Everything that can happen to a run: one additive list for log, API and dashboard.

A field may be added with a default; none is ever renamed, removed or given another meaning. `orchestrator:`
events are about the run, `worker:` events about a task and one numbered attempt at it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec

from bigtask.core.edits import Edit
from bigtask.core.states import Outcome, Phase
from bigtask.core.values import (
    CheckResult,
    Estimate,
    Evidence,
    InConflict,
    Plan,
    Report,
    Settings,
    Source,
    Usage,
    Value,
    Waiting,
)


class Happened(Value):
    """What an event says; `type` is its name everywhere."""

    type: ClassVar[str]


class Created(Happened):
    type = "orchestrator:created"
    template_id: str
    template: Mapping[str, Any]
    """The resolved template, frozen: a later edit of it doesn't reach this run."""
    request: str
    source: Source
    settings: Settings
    variables: Mapping[str, Any] = {}
    by: str = ""
    warnings: tuple[str, ...] = ()
    """About the template and its variables, each with a JSON pointer in front."""


class Started(Happened):
    type = "orchestrator:started"
    by: str = ""


class PhaseChanged(Happened):
    type = "orchestrator:phaseChanged"
    phase: Phase
    round: int = 0
    """How many repair rounds there were before."""


class AnalysisComplete(Happened):
    type = "orchestrator:analysisComplete"
    analysis: Mapping[str, Any]


class TasksReady(Happened):
    type = "orchestrator:tasksReady"
    plan: Plan
    warnings: tuple[str, ...] = ()
    estimate: Estimate | None = None


class PlanChanged(Happened):
    type = "orchestrator:planChanged"
    revision: int
    edits: tuple[Edit, ...]
    by: str = ""


class Confirmed(Happened):
    type = "orchestrator:confirmed"
    revision: int
    by: str = ""
    shown: bool = False
    """A person had the plan in front of them, with the commands that it wants run."""


class Progress(Happened):
    """How far the run is, for watchers; changes nothing."""

    type = "orchestrator:progress"
    counts: Mapping[str, int]
    percent: float


class WaitingRaised(Happened):
    type = "orchestrator:waiting"
    waiting: Waiting
    settled: bool = False
    """A rule or an earlier answer settles it: the next event is its answer."""


class Answered(Happened):
    type = "orchestrator:answered"
    waiting_id: str
    answer: str
    scope: str = "once"
    """`once`, `task`, `run` or `repository`."""
    by: str = ""
    """Who and where, as `ada@cli`; `policy` where time or a rule has answered."""
    covers: str = ""
    """What an answer that holds longer is about, as a rule."""
    rule: str = ""
    """Why nobody was asked; empty where a person has answered."""


class AgentReplaced(Happened):
    """From here on `instead` does what was the work of `agent`, which can't work here; `reason` says why."""

    type = "orchestrator:agentReplaced"
    agent: str
    instead: str
    reason: str = ""


class BudgetWarning(Happened):
    """Four fifths of a cap are used; `said` is how much of it, for people."""

    type = "orchestrator:budgetWarning"
    used: Usage
    said: str


class Pausing(Happened):
    type = "orchestrator:pausing"
    now: bool = False
    """End attempts instead of waiting for their next safe point."""
    by: str = ""


class Paused(Happened):
    type = "orchestrator:paused"


class Resumed(Happened):
    type = "orchestrator:resumed"
    by: str = ""
    asks_nobody: bool | None = None
    """Whether anybody is asked from here on, where that changes."""


class Recovered(Happened):
    """Another process carries the run on after its holder had ended without a word."""

    type = "orchestrator:recovered"
    lost: int = 0


class Commanded(Happened):
    """The command that was given the name `id` led to what follows, which is recorded with this in one
    piece."""

    type = "orchestrator:commanded"
    id: str


class Merged(Happened):
    """The result went into the user's branch or folder, or was taken out of it again (`undone`)."""

    type = "orchestrator:merged"
    commit: str | None = None
    files: tuple[str, ...] = ()
    undone: bool = False
    by: str = ""


class HookRan(Happened):
    """A command of the template, called for by the event with the number `event`, was run to its end."""

    type = "orchestrator:hook"
    hook: str
    event: int
    task_id: str = ""
    """The task that the event is about, if it is about one."""
    exit_status: int | None = None
    """None when it didn't end by itself, or couldn't be begun."""
    output: str = ""
    """The last 4 KiB of what it printed, first to standard output, then to standard error."""
    problem: str = ""
    """What was wrong, for people; empty when it ended with 0."""


class Completed(Happened):
    type = "orchestrator:completed"
    outcome: Outcome
    reason: str = ""


class Errored(Happened):
    """The run failed: a phase did, or nothing could be merged."""

    type = "orchestrator:error"
    reason: str


class Cancelled(Happened):
    type = "orchestrator:cancelled"
    by: str = ""


class WorkerEvent(Happened):
    task_id: str
    attempt: int


class WorkerSpawned(WorkerEvent):
    type = "worker:spawned"
    agent: str
    session_name: str


class WorkerStarted(WorkerEvent):
    """`places` as in `WorkerConflict`, for one that resolves a conflict."""

    type = "worker:started"
    session_id: str
    branch: str | None = None
    places: Mapping[str, str] = {}


class WorkerProgress(WorkerEvent):
    type = "worker:progress"
    percent: float | None = None
    action: str = ""
    files_done: int | None = None
    files_total: int | None = None


class WorkerMessage(WorkerEvent):
    """More of the transcript can be read: `length` bytes from `offset`."""

    type = "worker:message"
    offset: int
    length: int


class WorkerReported(WorkerEvent):
    type = "worker:reported"
    report: Report
    usage: Usage = Usage()
    tools: Mapping[str, int] = {}


class WorkerReasked(WorkerEvent):
    type = "worker:reasked"
    number: int
    errors: tuple[str, ...]


class WorkerChecked(WorkerEvent):
    type = "worker:checked"
    results: tuple[CheckResult, ...]


class WorkerConflict(WorkerEvent):
    """The attempt's work can't be merged with what came first, of the tasks `others`."""

    type = "worker:conflict"
    files: tuple[str, ...]
    conflicts: tuple[InConflict, ...] = ()
    others: tuple[str, ...] = ()
    places: Mapping[str, str] = {}
    """Paths: `workspace`, where the merge is begun, and `versions`, with the three versions of each file."""


class WorkerResolving(WorkerEvent):
    """The next attempt brings the work in conflict together with what came first. `by` is empty where the
    rules say so."""

    type = "worker:resolving"
    by: str = ""


class WorkerSettling(WorkerEvent):
    """A person has settled the conflict: by hand in the workspace (`done`), or by keeping one side of the
    files in conflict (`ours` is what came first, `theirs` the task's). It goes on into its merge."""

    type = "worker:settling"
    how: str
    by: str = ""


class WorkerMerged(WorkerEvent):
    type = "worker:merged"
    evidence: Evidence


class WorkerCompleted(WorkerEvent):
    type = "worker:completed"


class WorkerPartial(WorkerEvent):
    type = "worker:partial"
    reason: str = ""
    by: str = ""
    """Who said that others may build on it: a person, or `template`; empty while nobody has."""


class AttemptEnded(WorkerEvent):
    """Base of the ends that aren't a success; `reason` is a sentence for people."""

    reason: str = ""
    usage: Usage = Usage()
    tools: Mapping[str, int] = {}


class WorkerFailed(AttemptEnded):
    type = "worker:failed"
    taken_out: str = ""
    """The commit by which its work, which was merged, was taken out of the integration branch again."""


class WorkerTimeout(AttemptEnded):
    type = "worker:timeout"


class WorkerCrashed(AttemptEnded):
    type = "worker:crashed"


class WorkerLost(AttemptEnded):
    """Nobody carries the attempt out any more: its holder ended, or it was ended to pause."""

    type = "worker:lost"


class WorkerSuperseded(WorkerEvent):
    """A late result of an attempt that has been replaced was refused, or a resting one was replaced."""

    type = "worker:superseded"
    reason: str = ""


class WorkerNeedsReview(AttemptEnded):
    type = "worker:needsReview"


class WorkerQuarantined(AttemptEnded):
    """While it worked, something changed that governs git in the repository, or branches of others."""

    type = "worker:quarantined"
    changed: tuple[str, ...] = ()
    """What did, as parts of a sentence: `the hook post-checkout`."""


class WorkerTampered(WorkerEvent):
    """Likewise, of an attempt whose work isn't held back for it: it is over, or what changed is somebody's
    own branch."""

    type = "worker:tampered"
    changed: tuple[str, ...]


class WorkerReopened(Happened):
    """Somebody wants the task tried again, or carried on without what it depended on."""

    type = "worker:reopened"
    task_id: str
    by: str = ""


class WorkerRetrying(Happened):
    type = "worker:retrying"
    task_id: str
    attempt: int
    """The number that the next attempt will have."""
    delay_ms: int = 0


class WorkerCancelled(Happened):
    type = "worker:cancelled"
    task_id: str
    attempt: int | None = None
    by: str = ""


class WorkerSkipped(Happened):
    type = "worker:skipped"
    task_id: str
    reason: str
    by: str = ""
    """The person who skipped it; empty when the rules did, because of `reason`."""


class WorkerPaused(WorkerEvent):
    type = "worker:paused"
    usage: Usage = Usage()
    tools: Mapping[str, int] = {}


class WorkerResumed(WorkerEvent):
    type = "worker:resumed"
    reason: str = ""
    """Why its session had ended, where nobody paused it."""


class WorkerWaiting(WorkerEvent):
    type = "worker:waiting"
    waiting_id: str


class WorkerLimited(WorkerEvent):
    type = "worker:limited"
    kind: str = ""
    reset_ms: int | None = None


class WorkerHeld(WorkerEvent):
    """Its session isn't opened yet: what it needs of the machine, or of the account, is in use."""

    type = "worker:held"
    reason: str


class WorkerWentOn(WorkerEvent):
    """What held this attempt up is over: the `limit` of its account, or a `stall`."""

    type = "worker:wentOn"
    after: str = "limit"


class WorkerUsed(WorkerEvent):
    """What its session has used by now, in all."""

    type = "worker:used"
    usage: Usage
    tools: Mapping[str, int] = {}


class WorkerStalled(WorkerEvent):
    """It has said nothing for `quiet_ms`, and no process of its did anything: its session is nudged, and
    when that doesn't help the attempt ends."""

    type = "worker:stalled"
    quiet_ms: int = 0


class WorkerTimeUp(WorkerEvent):
    """Its active time of `limit_ms` is over: its session goes on once more, to report what is done."""

    type = "worker:timeUp"
    limit_ms: int = 0


def _leaves(kind: type[Happened]) -> list[type[Happened]]:
    found = [kind] if "type" in kind.__dict__ else []
    return found + [leaf for sub in kind.__subclasses__() for leaf in _leaves(sub)]


TYPES: dict[str, type[Happened]] = {kind.type: kind for kind in _leaves(Happened)}
"""Every event type by name."""


class Event(msgspec.Struct, frozen=True):
    """Something that happened, with its place in the log. `at` is in milliseconds since the epoch, for
    people: order is by `seq`, which has no gaps."""

    seq: int
    at: int
    data: Happened

    @property
    def type(self) -> str:
        return self.data.type

    def public(self, run_id: str) -> dict[str, Any]:
        """The shape that every surface shows."""
        return {
            "seq": self.seq,
            "type": self.data.type,
            "orchestratorId": run_id,
            "at": iso(self.at),
            "data": msgspec.to_builtins(self.data),
        }


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode(data: Happened) -> bytes:
    return msgspec.json.encode(data)


_DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in TYPES.items()}


def decode(type_name: str, data: bytes) -> Happened:
    """Raises KeyError for a type that this version doesn't know, `msgspec.DecodeError` for a wrong shape."""
    return _DECODERS[type_name].decode(data)
