"""A result for people: Markdown as code hosts show it. What agents and files say can't become markup."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from bigtask.core.states import FELL, Outcome, TaskState
from bigtask.report.result import Checked, RunResult, TaskResult, Used, Verdict
from bigtask.words import counted, duration, money, one_line, plain

_TITLE = 120
_SENTENCE = 600
_FILES = 30
_OUTPUT_LINES = 40
_MARKS = {
    TaskState.COMPLETED: "✅",
    TaskState.PARTIAL: "⚠️",
    TaskState.SKIPPED: "⏭️",
    TaskState.FAILED: "❌",
    TaskState.TIMEOUT: "❌",
    TaskState.CANCELLED: "❌",
}
_HEADS = {
    Outcome.COMPLETE: "✅ Complete",
    Outcome.INCOMPLETE: "⚠️ Incomplete",
    Outcome.FAILED: "❌ Failed",
    Outcome.CANCELLED: "❌ Cancelled",
}
# What means something in GitHub's Markdown: anywhere, at the beginning of a line, and in an address.
_SIGNS = re.compile(r"[\\`*_\[\]<>#|~&$]")
_FIRST = re.compile(r"^(\d*)([-+=.)])")
_ADDRESS = re.compile(r"(?i)(://|\bwww\.)")
_FAST = re.compile(r"[@#]")


def markdown(result: RunResult) -> str:
    sections = (
        _head(result),
        _ledger(result),
        _evidence(result),
        _verdict(result.verdict),
        _said(result),
        _warnings(result),
        _cost_and_time(result),
        _ways(result),
        _left(result),
    )
    return "\n\n".join(text for lines in sections if (text := "\n".join(lines).rstrip())) + "\n"


def words(text: str, limit: int = _SENTENCE) -> str:
    """One line of text, whatever is in it: no markup, no link, no picture, nobody mentioned."""
    escaped = _SIGNS.sub(lambda sign: "\\" + sign[0], one_line(text, limit))
    escaped = _FIRST.sub(lambda begin: f"{begin[1]}\\{begin[2]}", escaped)
    escaped = _ADDRESS.sub(
        lambda part: f"\\{part[0]}" if part[0][0] == ":" else f"{part[0][:-1]}\\.", escaped
    )
    # A code host makes mentions and references out of the text that it shows, escaped or not.
    return _FAST.sub(lambda sign: sign[0] + "&#8203;", escaped)


def code(text: str, limit: int = _SENTENCE, *, in_table: bool = False) -> str:
    """A span of code, whatever is in it."""
    line = one_line(text, limit)
    fence = "`" * (_longest_run(line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") or not line else ""
    span = f"{fence}{pad}{line}{pad}{fence}"
    # A table's cells are told apart before anything else is read.
    return span.replace("|", "\\|") if in_table else span


def block(text: str) -> list[str]:
    """The end of a program's output, fenced by more backticks than are in it."""
    lines = plain(text).strip("\n").splitlines()[-_OUTPUT_LINES:]
    fence = "`" * max(3, _longest_run("\n".join(lines)) + 1)
    return [f"{fence}text", *(line.replace("\t", "    ") for line in lines), fence]


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _head(result: RunResult) -> Iterator[str]:
    run = result.run
    yield f"# {words(run.request.strip().partition(chr(10))[0], _TITLE)}"
    yield ""
    state = _HEADS[run.outcome] if run.outcome is not None else f"⏳ {run.status.value.capitalize()}"
    yield f"**{state}**: {words(run.reason) if run.reason else _how_far(result)}"
    yield ""
    counts = [f"{number} {name}" for name, number in result.tasks.items() if number and name != "total"]
    parts = [
        f"run {code(run.id)}",
        f"template {code(run.template)}",
        f"agent {code(run.agent, 80)}",
        ", ".join(counts) or "nothing was planned",
    ]
    yield " · ".join(parts)


def _how_far(result: RunResult) -> str:
    tasks = counted(result.tasks["total"], "task")
    if result.run.outcome is None:
        waits = ", and it waits for you" if any(one.command for one in result.left) else ""
        return f"{result.tasks[TaskState.COMPLETED]} of {tasks} completed{waits}"
    clean = not any(task.remarks for task in result.ledger) and not result.warnings
    return f"{tasks}, nothing missed" if clean else tasks


def _ledger(result: RunResult) -> Iterator[str]:
    yield "## What became of every task"
    yield ""
    if not result.ledger:
        yield "There was no plan."
        return
    yield "| | task | state | files | commit | checks | claims |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for task in result.ledger:
        cells = (
            _mark(task),
            f"**{words(task.id)}** {words(task.title, _TITLE)}",
            task.state.value + (f", {task.attempts} attempts" if task.attempts > 1 else ""),
            f"{len(task.files)} (+{task.insertions} −{task.deletions})" if task.files else "none",
            code(task.commit[:10], in_table=True) if task.commit else "",
            _ratio([check.passed for check in task.checks], len(task.not_run)),
            _ratio([claim.verdict == "holds" for claim in task.claims], 0),
        )
        yield f"| {' | '.join(cells)} |"


def _mark(task: TaskResult) -> str:
    return "⚠️" if task.remarks and task.state is TaskState.COMPLETED else _MARKS.get(task.state, "⏳")


def _ratio(passed: list[bool], not_run: int) -> str:
    total = len(passed) + not_run
    return f"{sum(passed)} of {total}" + (f", {not_run} not run" if not_run else "") if total else ""


def _evidence(result: RunResult) -> Iterator[str]:
    """Each task that has more to tell than its row, those that need a person open."""
    for task in result.ledger:
        lines = list(_of_task(task))
        if not lines:
            continue
        needs = bool(task.remarks) or task.state in FELL or task.state is TaskState.PARTIAL
        yield f"<details{' open' if needs else ''}><summary>{_html(task.id)}: {task.state.value}</summary>"
        yield ""
        yield from lines
        yield ""
        yield "</details>"
        yield ""


def _of_task(task: TaskResult) -> Iterator[str]:
    if task.reason:
        yield f"- {words(task.reason)}"
    if task.summary and task.summary != task.reason:
        yield f"- it says: {words(task.summary)}"
    # Remarks about claims are printed with the claims.
    remarks = (remark for remark in task.remarks if not remark.startswith("claim "))
    yield from (f"- ⚠️ {words(remark)}" for remark in remarks)
    if task.files:
        more = f" and {len(task.files) - _FILES} more" if len(task.files) > _FILES else ""
        yield f"- files: {', '.join(code(path) for path in task.files[:_FILES])}{more}"
    for claim in task.claims:
        seen = f" ({words(claim.evidence)})" if claim.evidence else ""
        mark = {"holds": "✅", "fails": "❌"}.get(claim.verdict, "❔")
        yield f"- {mark} claim {claim.verdict or 'not judged'}: {words(claim.claim)}{seen}"
    yield from _commands(task.checks)


def _commands(checks: Sequence[Checked]) -> Iterator[str]:
    for check in checks:
        ended = "didn't end in time" if check.exit_status is None else f"ended with {check.exit_status}"
        took = duration(check.took_ms)
        yield f"- {'✅' if check.passed else '❌'} {code(shlex.join(check.command))} {ended} ({took})"
        if not check.passed and check.output.strip():
            yield ""
            yield from (f"  {line}" if line else "" for line in block(check.output))
            yield ""


def _verdict(verdict: Verdict | None) -> Iterator[str]:
    if verdict is None:
        yield "## Verdict"
        yield ""
        yield "Nothing was verified."
        return
    yield f"## Verdict: {'passed' if verdict.passed else 'did not pass'}"
    yield ""
    said = f"The agent's word is {code(verdict.status)}" if verdict.status else "The agent gave none"
    yield f"{said}{': ' + words(verdict.summary) if verdict.summary else '.'}"
    if verdict.why_not:
        yield ""
        yield f"What stands against it: {words(verdict.why_not)}"
    if verdict.repair_rounds:
        yield ""
        yield f"Repair rounds before it: {verdict.repair_rounds}."
    if verdict.checks:
        yield ""
        yield "Commands that bigtask ran on the merged whole:"
        yield ""
        yield from _commands(verdict.checks)
    if verdict.issues:
        yield ""
    for issue in verdict.issues:
        where = f" ({words(issue.location)})" if issue.location else ""
        fix = f". Suggested: {words(issue.suggested_fix)}" if issue.suggested_fix else ""
        yield f"- {words(issue.severity)}: {words(issue.description)}{where}{fix}"


def _said(result: RunResult) -> Iterator[str]:
    if result.run.summary:
        yield "## Result"
        yield ""
        yield words(result.run.summary, 4 * _SENTENCE)


def _warnings(result: RunResult) -> Iterator[str]:
    if result.warnings:
        yield "## Warnings"
        yield ""
    yield from (f"- {words(warning)}" for warning in result.warnings)


def _cost_and_time(result: RunResult) -> Iterator[str]:
    yield "## Cost and time"
    yield ""
    yield f"- {_used(result.cost.total)}{_payer(result)}"
    if len(result.cost.by_agent) > 1:
        yield from (f"  - {code(name, 80)}: {_used(usage)}" for name, usage in result.cost.by_agent.items())
    time = result.time
    yield f"- {duration(time.elapsed_ms)} from the beginning to the last attempt's end"
    yield f"- {duration(time.work_ms)} of work, all attempts together"


def _payer(result: RunResult) -> str:
    cost = result.cost
    if not cost.account or not cost.total.cost_usd:
        return ""
    how = " by list price, paid already with" if cost.subscription else " from"
    return f"{how} {words(cost.account, 80)}"


def _used(usage: Used) -> str:
    tokens = usage.input_tokens + usage.output_tokens
    if not tokens and not usage.cost_usd:
        return "no tokens and no cost were reported"
    cost = money(usage.cost_usd) if usage.cost_usd else "no cost reported"
    return f"{counted(tokens, 'token')}, {cost}"


def _ways(result: RunResult) -> Iterator[str]:
    ways = result.commands
    yield "## Taking it over"
    yield ""
    if result.run.branch:
        yield f"The merged work is on the branch {code(result.run.branch)}."
        yield ""
    if result.run.merged:
        yield f"It is merged already ({code(result.run.merged[:10])})."
        yield ""
    yield "```sh"
    for command, what in (
        (ways.diff, "the whole change"),
        (ways.merge, "into your branch or folder"),
        (ways.undo, "out of it again"),
        (ways.show, "everything that is known of the run"),
    ):
        if command is not None:
            yield f"{command}  # {what}"
    yield "```"


def _left(result: RunResult) -> Iterator[str]:
    yield "## Left to you"
    yield ""
    if not result.left:
        yield "Nothing."
    for one in result.left:
        yield f"- {words(one.what)}" + (f": {code(one.command)}" if one.command else "")


def _html(text: str) -> str:
    """In a line of HTML backslashes stand for themselves."""
    plain_text = one_line(text, _TITLE)
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        plain_text = plain_text.replace(sign, entity)
    return plain_text
