"""What the host has seen of an attempt. What follows from it: `core.reactions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bigtask.core.gate import Held as Gated
from bigtask.core.values import Brought, CheckResult, Evidence, InConflict, Report, Usage, Value


class Observation(Value):
    task_id: str
    attempt: int


class Opened(Observation):
    """`places` as in `events.WorkerStarted`."""

    session_id: str
    branch: str | None = None
    places: Mapping[str, str] = {}


class Progressed(Observation):
    percent: float | None = None
    action: str = ""
    files_done: int | None = None
    files_total: int | None = None


class Spoke(Observation):
    """`length` bytes were added to the transcript at `offset`."""

    offset: int
    length: int


class Reasked(Observation):
    number: int
    errors: tuple[str, ...]


class Kept(Value):
    """An answer that holds for the repository."""

    answer: str
    by: str


class Asked(Observation):
    """The agent wants to know whether it may do `subject` with `tool`; without a tool it asks something else.
    `guarded` as in `permissions.scopes`, `kept` what a person has answered for the repository."""

    request_id: str
    question: str
    options: tuple[str, ...]
    tool: str = ""
    subject: str = ""
    guarded: bool = False
    kept: Kept | None = None


class Limited(Observation):
    """`others` are agents that could do the work instead."""

    kind: str
    reset_ms: int | None = None
    others: tuple[str, ...] = ()


class Held(Observation):
    """The attempt's session can't be opened yet; `reason` is what is in the way, for people."""

    reason: str


def held_up(held: Gated, left_ms: int | None, **who: Any) -> Limited | Held:
    """What is seen of an attempt that is held back; `left_ms` is how long that takes, where time ends it."""
    if held.kind:
        return Limited(**who, kind=held.kind, reset_ms=left_ms)
    return Held(**who, reason=held.why)


class WentOn(Observation):
    """What held the attempt up is over."""


class Used(Observation):
    """What the attempt's session has used so far, in all."""

    usage: Usage
    tools: Mapping[str, int] = {}


class Stalled(Observation):
    quiet_ms: int


class TimeUp(Observation):
    limit_ms: int


class Ended(Observation):
    """The session is over; what it used in all."""

    usage: Usage = Usage()
    tools: Mapping[str, int] = {}


class Reported(Ended):
    report: Report


class Unusable(Ended):
    """The agent was asked again as often as allowed, and still didn't answer in the form wanted."""

    errors: tuple[str, ...]
    answer: str
    """The end of what it said last."""


class Fell(Ended):
    """The attempt came to nothing; `reason` is a sentence for people."""

    reason: str


class Failed(Fell):
    """The agent said so, or it couldn't be begun."""


class Unavailable(Fell):
    """Its agent can't work here; `others` are those that stand in and can, the first choice first."""

    others: tuple[str, ...] = ()


class TimedOut(Fell):
    """The attempt had no active time left."""


class Crashed(Fell):
    """Its session ended in the middle of a turn."""


class Interrupted(Ended):
    """The turn ended at a safe point because a pause was wanted."""


class Unprepared(Observation):
    """Its workspace couldn't be made ready. `subject` is one of `core.phases.preparation`; `reason` is the
    beginning of a sentence, `output` the end of what a command printed."""

    subject: str
    reason: str
    output: str = ""


class Brings(Observation):
    """What the project brings for its agent hasn't been approved, and a person may be asked. `digest` stands
    for all of `brought` as it is."""

    agent: str
    digest: str
    brought: tuple[Brought, ...]


class Checked(Observation):
    results: tuple[CheckResult, ...]


class Integrated(Observation):
    evidence: Evidence


class Conflicted(Observation):
    """`others` are the tasks whose work came first, `places` as in `events.WorkerConflict`."""

    conflicts: tuple[InConflict, ...]
    others: tuple[str, ...] = ()
    places: Mapping[str, str] = {}


class Tampered(Ended):
    """Something changed in the repository meanwhile that isn't a task's to change; `changed` as in
    `WorkerQuarantined`. Unless `held`, it is only noted."""

    changed: tuple[str, ...]
    held: bool = True


class Refused(Observation):
    """The reported work can't be taken as it is: a check is red, or it couldn't be merged.

    `unresolved` says that a conflict isn't resolved as it should be; `taken_out` is the commit by which work
    that was merged was taken out again.
    """

    reason: str
    unresolved: bool = False
    taken_out: str = ""
