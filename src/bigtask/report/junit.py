"""A result for CI servers: JUnit's XML, in the strictest form that is common.

Tasks, commands, claims and the verdict are suites of test cases. The form is that of Apache Ant's task,
which others read as well: every suite has `properties`, then its cases, `system-out` and `system-err`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from bigtask.core.states import ENDED, FELL, TaskState
from bigtask.report.result import Checked, RunResult, TaskResult
from bigtask.words import one_line, plain

_MESSAGE = 300
_NAME = 200


@dataclass(frozen=True, kw_only=True)
class _Case:
    """`kind` is `failure` or `skipped`; without one the case passed."""

    group: str
    name: str
    took_ms: int = 0
    kind: str = ""
    type: str = ""
    message: str = ""
    text: str = ""


def junit(result: RunResult) -> str:
    """UTF-8 text with its declaration. Red are what fell, is partial, failed or doesn't hold; what wasn't
    begun, run or judged is skipped."""
    suites = {"tasks": [_task(task) for task in result.ledger]}
    suites["checks"] = list(_checks(result))
    suites["claims"] = list(_claims(result))
    suites["verdict"] = list(_verdict(result))
    shown = [(name, cases) for name, cases in suites.items() if cases]
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>"]
    for number, (name, cases) in enumerate(shown):
        lines += _suite(result, number, name, cases)
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _suite(result: RunResult, number: int, name: str, cases: list[_Case]) -> Iterator[str]:
    kinds = [case.kind for case in cases]
    about: dict[str, object] = {
        "id": number,
        "name": name,
        "package": f"bigtask.{result.run.id}",
        "timestamp": result.time.created_at[:19],
        "hostname": "localhost",
        "tests": len(cases),
        "failures": kinds.count("failure"),
        "errors": 0,
        "skipped": kinds.count("skipped"),
        "time": _seconds(sum(case.took_ms for case in cases)),
    }
    yield f"  <testsuite{_attributes(about)}>"
    yield "    <properties>"
    for key, value in _properties(result):
        yield f"      <property{_attributes({'name': key, 'value': value})}/>"
    yield "    </properties>"
    for case in cases:
        yield from _case(case)
    yield f"    <system-out>{_text(_said(result)) if name == 'tasks' else ''}</system-out>"
    yield "    <system-err></system-err>"
    yield "  </testsuite>"


def _properties(result: RunResult) -> Iterable[tuple[str, str]]:
    run = result.run
    return (
        ("run", run.id),
        ("request", one_line(run.request, _MESSAGE)),
        ("outcome", run.outcome.value if run.outcome is not None else run.status.value),
        ("template", run.template),
        ("agent", run.agent),
    )


def _case(case: _Case) -> Iterator[str]:
    about = {"classname": f"bigtask.{case.group}", "name": case.name, "time": _seconds(case.took_ms)}
    if not case.kind:
        yield f"    <testcase{_attributes(about)}/>"
        return
    yield f"    <testcase{_attributes(about)}>"
    message = {"message": one_line(case.message, _MESSAGE)}
    if case.kind == "skipped":
        yield f"      <skipped{_attributes(message)}/>"
    else:
        yield f"      <failure{_attributes({'type': case.type, **message})}>{_text(case.text)}</failure>"
    yield "    </testcase>"


def _task(task: TaskResult) -> _Case:
    said = "\n".join(part for part in (task.reason, *task.remarks, task.summary) if part)
    kind = ""
    if task.state in FELL or task.state is TaskState.PARTIAL:
        kind = "failure"
    elif task.state is TaskState.SKIPPED or task.state not in ENDED:
        kind = "skipped"
    return _Case(
        group="tasks",
        name=f"{task.id}: {task.title}",
        took_ms=task.took_ms,
        kind=kind,
        type=task.state.value,
        message=task.reason or f"the task is {task.state}",
        text=said,
    )


def _checks(result: RunResult) -> Iterator[_Case]:
    for task in result.ledger:
        group = f"checks.{task.id}"
        yield from (_command(check, group) for check in task.checks)
        for command in task.not_run:
            why = "not run: nobody had been shown it"
            yield _Case(group=group, name=shlex.join(command), kind="skipped", message=why)
    if result.verdict is not None:
        yield from (_command(check, "checks.merged") for check in result.verdict.checks)


def _command(check: Checked, group: str) -> _Case:
    ended = "didn't end in time" if check.exit_status is None else f"ended with {check.exit_status}"
    return _Case(
        group=group,
        name=shlex.join(check.command),
        took_ms=check.took_ms,
        kind="" if check.passed else "failure",
        type="exit",
        message=ended,
        text=check.output,
    )


def _claims(result: RunResult) -> Iterator[_Case]:
    kinds = {"holds": "", "fails": "failure"}
    for task in result.ledger:
        for claim in task.claims:
            yield _Case(
                group=f"claims.{task.id}",
                name=f"{claim.id}: {claim.claim}",
                kind=kinds.get(claim.verdict, "skipped"),
                type="claim",
                message=claim.verdict or "nobody has judged it",
                text=claim.evidence,
            )


def _verdict(result: RunResult) -> Iterator[_Case]:
    verdict = result.verdict
    if verdict is None:
        return
    issues = [f"{issue.severity}: {issue.description} {issue.location}".strip() for issue in verdict.issues]
    yield _Case(
        group="verdict",
        name="verification",
        kind="" if verdict.passed else "failure",
        type=verdict.status or "none",
        message=verdict.why_not or "it did not pass",
        text="\n".join([verdict.summary, *issues]),
    )


def _said(result: RunResult) -> str:
    """What a person should know although the case is green."""
    return "\n".join(f"{task.id}: {remark}" for task in result.ledger for remark in task.remarks)


def _seconds(ms: int) -> str:
    return f"{ms / 1000:.3f}"


def _attributes(values: Mapping[str, object]) -> str:
    return "".join(
        f" {name}={quoteattr(_legal(one_line(str(value), _NAME * 2)))}" for name, value in values.items()
    )


def _text(text: str) -> str:
    return escape(_legal(plain(text)))


def _legal(text: str) -> str:
    """XML has no way to write what isn't a character, nor two that Unicode will never give a meaning."""
    return "".join(sign for sign in text if sign not in "\ufffe\uffff")
