"""What a run came to, as one value. The format is described in schema.json; fields may be added to it, and
`VERSION` grows when one changes its meaning or goes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from bigtask.core import fallback, ledger
from bigtask.core.checks import wanted_by
from bigtask.core.claims import Claim
from bigtask.core.events import iso
from bigtask.core.hooks import troubles
from bigtask.core.phases import verification
from bigtask.core.phases.aggregation import anything_merged
from bigtask.core.run import Run, TaskRecord
from bigtask.core.states import Outcome, Status, TaskState
from bigtask.core.status import status
from bigtask.core.values import VERIFICATION, CheckResult, Usage, Value
from bigtask.report.left import Left, left

FORMAT = "bigtask-result"
VERSION = 1


class Whole(Value, omit_defaults=False):
    """The run itself. `project` is the name of its folder without the way to it: a report is made to be sent.
    Times are ISO 8601, UTC."""

    id: str
    request: str
    project: str
    template: str
    agent: str
    status: Status
    outcome: Outcome | None
    """None while it isn't over."""
    reason: str
    summary: str
    """What aggregation said of the result; empty without one."""
    branch: str | None
    """Where the merged work is; None in a folder without git, and where nothing was merged."""
    merged: str | None
    """The commit by which the result came to the person, `applied` in a plain folder."""


class Checked(Value, omit_defaults=False):
    """A command that bigtask ran itself. `wanted_by` are task ids, or `template`; `exit_status` is null when
    it didn't end in time."""

    command: tuple[str, ...]
    wanted_by: tuple[str, ...]
    passed: bool
    exit_status: int | None
    output: str
    took_ms: int


class Judged(Value, omit_defaults=False):
    """A claim as `bigtask.core.claims` has it."""

    id: str
    claim: str
    verdict: str
    evidence: str


class Used(Value, omit_defaults=False):
    input_tokens: int
    output_tokens: int
    cost_usd: float


class TaskResult(Value, omit_defaults=False):
    """A task with its evidence. `remarks` are what was missed, mended or assumed; `checks` what was run on
    its work before it was merged, `not_run` the commands that weren't, since nobody had been shown them."""

    id: str
    title: str
    state: TaskState
    attempts: int
    reason: str
    summary: str
    """The agent's own word."""
    files: tuple[str, ...]
    insertions: int
    deletions: int
    commit: str | None
    checks: tuple[Checked, ...]
    not_run: tuple[tuple[str, ...], ...]
    claims: tuple[Judged, ...]
    remarks: tuple[str, ...]
    usage: Used
    took_ms: int
    """Of all its attempts together."""


class Issue(Value, omit_defaults=False):
    severity: str
    description: str
    location: str
    suggested_fix: str


class Verdict(Value, omit_defaults=False):
    """`passed` is bigtask's own reckoning: a red command or a claim that fails outweighs the `status` that
    the agent gave. `checks` are the commands that were run on the merged whole."""

    passed: bool
    status: str
    summary: str
    why_not: str
    """What keeps it from having passed; empty when it did."""
    issues: tuple[Issue, ...]
    checks: tuple[Checked, ...]
    repair_rounds: int


class Spent(Value, omit_defaults=False):
    """`by_agent` has an entry for each agent that reported any use. `account` says in words who pays for the
    run's agent; a subscription is paid by the month, and its costs are what the work would come to by list
    price."""

    total: Used
    by_agent: Mapping[str, Used]
    account: str
    subscription: bool


class Times(Value, omit_defaults=False):
    """`ended_at` is the last end of an attempt, `work_ms` the time of all attempts together."""

    created_at: str
    ended_at: str | None
    elapsed_ms: int
    work_ms: int


class Ways(Value, omit_defaults=False):
    """What to type for it; null where it isn't possible."""

    merge: str | None
    undo: str | None
    diff: str | None
    show: str


class RunResult(Value, omit_defaults=False):
    format: str = FORMAT
    version: int = VERSION
    run: Whole
    tasks: Mapping[str, int]
    """`total`, and one count for every task state."""
    ledger: tuple[TaskResult, ...]
    """In plan order."""
    verdict: Verdict | None
    """None where nothing was verified."""
    warnings: tuple[str, ...]
    """About the run as a whole; those about tasks are in the ledger."""
    cost: Spent
    time: Times
    commands: Ways
    left: tuple[Left, ...]
    """What only a person can do now."""


def result_of(run: Run) -> RunResult:
    return RunResult(
        run=_whole(run),
        tasks=ledger.counts(run),
        ledger=tuple(
            _task(run, record, entry)
            for record, entry in zip(run.tasks.values(), ledger.ledger(run), strict=True)
        ),
        verdict=_verdict(run),
        warnings=tuple(_warnings(run)),
        cost=_spent(run),
        time=_times(run),
        commands=_ways(run),
        left=left(run),
    )


def branch_of(run: Run) -> str | None:
    """Where the merged work is, in a git repository that got some."""
    if run.created.source.kind != "git" or not _has_result(run):
        return None
    return f"bigtask/{run.id}/main"


def _has_result(run: Run) -> bool:
    return run.settings.isolation != "none" and anything_merged(run)


def _whole(run: Run) -> Whole:
    return Whole(
        id=run.id,
        request=run.created.request,
        project=PurePath(run.created.source.cwd).name,
        template=run.created.template_id,
        agent=_agent(run.settings.agent),
        status=status(run),
        outcome=run.outcome,
        reason=run.reason,
        summary=run.aggregate.summary if run.aggregate is not None else "",
        branch=branch_of(run),
        merged=run.merged,
    )


def _task(run: Run, record: TaskRecord, entry: ledger.Entry) -> TaskResult:
    ran = {check.command for check in entry.checks}
    wanted = (check.command for check in record.task.checks if check.command is not None)
    reported = record.attempt is not None and record.attempt.evidence is not None
    return TaskResult(
        id=entry.task_id,
        title=entry.title,
        state=entry.state,
        attempts=entry.attempts,
        reason=entry.reason,
        summary=entry.summary,
        files=entry.files,
        insertions=entry.insertions,
        deletions=entry.deletions,
        commit=entry.commit,
        checks=tuple(_checked(run, check) for check in entry.checks),
        not_run=tuple(command for command in wanted if reported and command not in ran),
        claims=tuple(_judged(claim) for claim in entry.claims),
        remarks=entry.remarks,
        usage=_used(sum((attempt.usage for attempt in record.attempts), start=Usage())),
        took_ms=_worked_ms(record),
    )


def _judged(claim: Claim) -> Judged:
    return Judged(id=claim.id, claim=claim.claim, verdict=claim.verdict, evidence=claim.evidence)


def _used(usage: Usage) -> Used:
    return Used(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cost_usd=usage.cost_usd)


def _agent(name: str) -> str:
    """Without the way to the file that an agent is made of."""
    kind, colon, rest = name.partition(":")
    return f"{kind}{colon}{PurePath(rest).name}"


def _checked(run: Run, check: CheckResult) -> Checked:
    return Checked(
        command=check.command,
        wanted_by=wanted_by(run, check.command),
        passed=check.passed,
        exit_status=check.exit_status,
        output=check.output,
        took_ms=check.took_ms,
    )


def _verdict(run: Run) -> Verdict | None:
    record = run.reserved.get(VERIFICATION)
    if record is None or record.attempt is None:
        return None
    said, passed = run.verdict, verification.passed(run)
    issues = said.data.get("issues", ()) if said is not None else ()
    return Verdict(
        passed=passed,
        status=said.status if said is not None else "",
        summary=said.summary if said is not None else "",
        why_not="" if passed else verification.why_not(run),
        issues=tuple(_issue(issue) for issue in issues),
        checks=tuple(_checked(run, check) for check in record.attempt.checks),
        repair_rounds=run.fix_round,
    )


def _issue(said: Mapping[str, object]) -> Issue:
    return Issue(
        severity=str(said.get("severity", "error")),
        description=str(said.get("description", "")),
        location=str(said.get("location", "")),
        suggested_fix=str(said.get("suggested_fix", "")),
    )


def _warnings(run: Run) -> list[str]:
    found = [
        f"{record.task.id}: {remark}"
        for record in run.reserved.values()
        for remark in ledger.remarks(record)
        # Verification's red checks stand with the verdict, together with their output.
        if not remark.startswith("check failed: ")
    ]
    return [*ledger.template_warnings(run), *fallback.notices(run), *found, *troubles(run), *run.warnings]


def _spent(run: Run) -> Spent:
    by_agent: dict[str, Usage] = {}
    for record in run.all_records():
        for attempt in record.attempts:
            if attempt.usage != Usage():
                by_agent[attempt.agent] = by_agent.get(attempt.agent, Usage()) + attempt.usage
    return Spent(
        total=_used(run.used),
        by_agent={_agent(name): _used(usage) for name, usage in by_agent.items()},
        account=run.settings.account,
        subscription=run.settings.subscription,
    )


def _times(run: Run) -> Times:
    ends = [a.ended_at for record in run.all_records() for a in record.attempts if a.ended_at is not None]
    ended = max(ends, default=None)
    return Times(
        created_at=iso(run.created_at),
        ended_at=None if ended is None else iso(ended),
        # A clock that was put back must not make a negative time.
        elapsed_ms=0 if ended is None else max(ended - run.created_at, 0),
        work_ms=sum(_worked_ms(record) for record in run.all_records()),
    )


def _worked_ms(record: TaskRecord) -> int:
    return sum(
        max(attempt.ended_at - attempt.started_at, 0)
        for attempt in record.attempts
        if attempt.ended_at is not None
    )


def _ways(run: Run) -> Ways:
    over, result = run.outcome is not None, _has_result(run)
    return Ways(
        merge=f"bigtask merge {run.id}" if over and result and run.merged is None else None,
        undo=f"bigtask merge {run.id} --undo" if run.merged is not None else None,
        diff=f"bigtask diff {run.id}" if result else None,
        show=f"bigtask show {run.id}",
    )
