"""A result for people who have no bigtask: one HTML file that asks for nothing and runs nothing."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Iterator

from bigtask.core.states import FELL, Outcome, TaskState
from bigtask.report.result import Checked, RunResult, TaskResult, Used, Verdict
from bigtask.report.river import anchor, river, text
from bigtask.report.timeline import Timeline
from bigtask.words import both_ends, command_line, counted, duration, money, one_line

_TITLE = 120
_FILES = 200
_OUTCOMES = {
    Outcome.COMPLETE: "Complete",
    Outcome.INCOMPLETE: "Incomplete",
    Outcome.FAILED: "Failed",
    Outcome.CANCELLED: "Cancelled",
}
_STATES = {
    TaskState.COMPLETED: "done",
    TaskState.PARTIAL: "done in part",
    TaskState.TIMEOUT: "out of time",
    TaskState.SKIPPED: "left out",
    TaskState.INTEGRATING: "being merged",
    TaskState.RUNNING: "working",
}
_LEGEND = (("claimed", "claimed"), ("half", "partial or mended"), ("proved", "proved"), ("failed", "failed"))


def page(result: RunResult, timeline: Timeline, *, style: str, made: str) -> str:
    """`style` is a sheet of the dashboard; `made` says by whom and when the page was made. Whatever else is
    in the result stays text, and the page's own policy allows nothing but that sheet."""
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    title = text(one_line(result.run.request, _TITLE))
    sections = (
        _head(result),
        _picture(timeline),
        _ledger(result),
        _said(result),
        _verdict(result.verdict),
        _warnings(result),
        _bill(result),
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{title} · bigtask</title>\n<style>{style}</style></head>\n"
        f'<body><main class="wide result">\n{"".join("".join(lines) for lines in sections)}'
        f'<footer class="hint">{text(made)}</footer>\n</main></body></html>\n'
    )


def _head(result: RunResult) -> Iterator[str]:
    run, total = result.run, result.tasks["total"]
    outcome = _OUTCOMES[run.outcome] if run.outcome is not None else run.status.value.capitalize()
    kind = run.outcome.value if run.outcome is not None else ""
    counts = [f"{number} {name}" for name, number in result.tasks.items() if number and name != "total"]
    plus, minus = (sum(getattr(task, name) for task in result.ledger) for name in ("insertions", "deletions"))
    files = len({file for task in result.ledger for file in task.files})
    parts = [
        f"{counted(total, 'task')}: {', '.join(counts)}" if total else "nothing was planned",
        f"{counted(files, 'file')}, +{plus:,} −{minus:,}",
        duration(result.time.elapsed_ms),
    ]
    if result.cost.total.cost_usd:
        parts.append(money(result.cost.total.cost_usd))
    yield f"<h1>{text(run.request)}</h1>"
    yield (
        f'<p class="about">{text(run.template)} · {text(run.agent)} · {text(run.project)} · '
        f'<time datetime="{text(result.time.created_at)}">{text(result.time.created_at)}</time></p>'
    )
    yield f'<p class="headline"><b class="stands {kind}">{outcome}</b> {text("; ".join(parts))}</p>'
    if run.reason:
        yield f'<p class="problem">{text(run.reason)}</p>'


def _picture(timeline: Timeline) -> Iterator[str]:
    marks = "".join(f'<li><i class="{kind}"></i>{name}</li>' for kind, name in _LEGEND)
    yield '<div class="river-room" tabindex="0" role="group" aria-label="River">'
    yield f'{river(timeline)}</div><ul class="legend">{marks}</ul>'


def _ledger(result: RunResult) -> Iterator[str]:
    yield "<section><h2>What became of every task</h2>"
    if not result.ledger:
        yield '<p class="empty">There was no plan.</p>'
    else:
        yield f'<ul class="ledger">{"".join(_entry(task) for task in result.ledger)}</ul>'
    yield "</section>"


def _entry(task: TaskResult) -> str:
    state = _STATES.get(task.state, task.state.value)
    kind = "bad" if task.state in FELL else "doubt" if task.remarks else "good"
    numbers = []
    if task.files:
        numbers.append(f"{counted(len(task.files), 'file')} +{task.insertions:,} −{task.deletions:,}")
    if task.checks:
        numbers.append(f"{sum(check.passed for check in task.checks)}/{len(task.checks)} checks")
    if task.took_ms:
        numbers.append(duration(task.took_ms))
    doubts = "".join(f'<p class="doubt">{text(remark)}</p>' for remark in task.remarks)
    reason = f'<p class="reason">{text(task.reason)}</p>' if task.reason else ""
    rest = (
        f"<p>{text(task.summary)}</p>" if task.summary else "",
        _files(task.files),
        _checks(task.checks),
        "".join(
            f'<p class="claim">{text(one.claim)}: <b>{text(one.verdict)}</b> {text(one.evidence)}</p>'
            for one in task.claims
        ),
        f'<p class="about">commit <code>{text(task.commit)}</code></p>' if task.commit else "",
    )
    return (
        f'<li id="{anchor(task.id)}" class="entry {kind}"><details><summary>'
        f'<span class="mark {kind}">{text(state)}</span> <b>{text(task.id)}</b> '
        f'<span class="title">{text(task.title)}</span> '
        f'<span class="numbers">{text(" · ".join(numbers))}</span>'
        f"</summary>{''.join(rest)}</details>{reason}{doubts}</li>"
    )


def _files(files: Iterable[str]) -> str:
    paths = list(files)
    if not paths:
        return '<p class="about">No file is changed.</p>'
    shown = "".join(f"<li><code>{text(path)}</code></li>" for path in paths[:_FILES])
    more = f"<li>and {len(paths) - _FILES:,} more</li>" if len(paths) > _FILES else ""
    return f'<ul class="files">{shown}{more}</ul>'


def _checks(checks: Iterable[Checked]) -> str:
    return "".join(
        f'<details class="ran {"good" if check.passed else "bad"}"><summary><code>'
        f"{text(command_line(check.command))}</code> {_ended(check)}, {duration(check.took_ms)}</summary>"
        f"<pre>{text(check.output) or 'It printed nothing.'}</pre></details>"
        for check in checks
    )


def _ended(check: Checked) -> str:
    if check.exit_status is None:
        return "didn't end in time"
    return "passed" if check.passed else f"failed with {check.exit_status}"


def _said(result: RunResult) -> Iterator[str]:
    if result.run.summary:
        yield f'<section><h2>Summary</h2><p class="words">{text(result.run.summary)}</p></section>'


def _verdict(verdict: Verdict | None) -> Iterator[str]:
    if verdict is None:
        return
    passed = "passed" if verdict.passed else "did not pass"
    yield f"<section><h2>Verification: {passed}</h2>"
    if verdict.why_not:
        yield f'<p class="problem">{text(verdict.why_not)}</p>'
    if verdict.summary:
        yield f'<p class="words">{text(verdict.summary)}</p>'
    yield _checks(verdict.checks)
    for issue in verdict.issues:
        where = f" <code>{text(issue.location)}</code>" if issue.location else ""
        fix = f'<p class="about">{text(issue.suggested_fix)}</p>' if issue.suggested_fix else ""
        yield f'<div class="issue"><b>{text(issue.severity)}</b> {text(issue.description)}{where}{fix}</div>'
    yield "</section>"


def _warnings(result: RunResult) -> Iterator[str]:
    if result.warnings:
        said = "".join(f'<li class="doubt">{text(both_ends(one, 2000))}</li>' for one in result.warnings)
        yield f"<section><h2>Warnings</h2><ul>{said}</ul></section>"


def _bill(result: RunResult) -> Iterator[str]:
    cost = result.cost
    rows = [*cost.by_agent.items(), *([("in all", cost.total)] if len(cost.by_agent) != 1 else [])]
    yield '<section><h2>Bill</h2><table class="bill"><thead><tr><th scope="col">agent</th>'
    yield '<th scope="col">tokens in</th><th scope="col">tokens out</th><th scope="col">cost</th>'
    yield "</tr></thead>"
    yield f"<tbody>{''.join(_row(name, used) for name, used in rows)}</tbody></table>"
    if cost.account:
        paid = " It is paid by the month: costs are what the work would come to by list price."
        yield f'<p class="about">{text(cost.account)}.{paid if cost.subscription else ""}</p>'
    time = result.time
    yield f'<p class="about">{duration(time.work_ms)} of work in {duration(time.elapsed_ms)}</p>'
    yield "</section>"


def _row(name: str, used: Used) -> str:
    cells = (f"{used.input_tokens:,}", f"{used.output_tokens:,}", money(used.cost_usd))
    return f'<tr><th scope="row">{text(name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
