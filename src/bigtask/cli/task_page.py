"""One task on one page: all its attempts, and the end of what was said in the last one."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from bigtask.cli.next_steps import answers
from bigtask.cli.screen import Screen, word
from bigtask.core import claims, ledger
from bigtask.core.run import Attempt, Run, TaskRecord
from bigtask.core.states import FELL, Phase
from bigtask.core.values import RESERVED
from bigtask.errors import NotFound, StoreError
from bigtask.host.source import RunSource
from bigtask.templates.prompting import PROMPTS
from bigtask.templates.template import thaw
from bigtask.words import both_ends, command_line, counted, duration, money, one_line, plain

_TAIL_BYTES = 64 * 1024
_LINES = 40


def find_task(run: Run, task_id: str) -> TaskRecord:
    """Raises NotFound, with what there is."""
    record = run.record(task_id)
    if record is None:
        known = ", ".join((*run.tasks, *run.reserved)) or "none yet"
        raise NotFound(f"the run has no task {task_id!r} (its tasks: {known})")
    return record


def prompt_warnings(run: Run, task_id: str) -> tuple[str, ...]:
    """What was odd about the prompt that the task's agents got."""
    return ledger.template_warnings(run, PROMPTS[RESERVED.get(task_id, Phase.WORKER_EXECUTION)])


def last_words(source: RunSource, record: TaskRecord) -> list[dict[str, Any]]:
    """The end of the last attempt's transcript, `{"who", "text"}` each; empty where none was written."""
    if record.attempt is None:
        return []
    try:
        end = source.said(record.task.id, record.attempt.number, _TAIL_BYTES)
    except (OSError, StoreError):
        return []
    # Where the reading began in the middle of a line, that line is no JSON any more.
    return [said for line in end.split(b"\n") if (said := _said(line)) is not None]


def _said(line: bytes) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        return None


def show_task(
    screen: Screen, run: Run, name: str | None, record: TaskRecord, said: list[dict[str, Any]]
) -> None:
    """`name` is what the run is called in a command; None where nothing can be done with it."""
    from rich.text import Text

    task = record.task
    screen.print(Text.assemble((plain(task.id), "bold"), "  ", word(record.state.value)))
    screen.print(word(one_line(task.title, 300), style="italic"))
    if record.reason:
        screen.print(word(both_ends(record.reason, 600), style="yellow"))
    for line in _about(record):
        screen.print(word(line, style="dim"))
    for remark in ledger.all_remarks(run, record):
        screen.item("!", one_line(remark, 400), style="yellow")
    for warning in prompt_warnings(run, task.id):
        screen.item("!", one_line(warning, 400), style="yellow")
    if task.description:
        screen.title("What was asked")
        _paragraph(screen, task.description)
    for attempt in record.attempts:
        _attempt(screen, attempt)
    _claims(screen, run, record)
    if said:
        screen.title("The end of what was said")
        form = thaw(run.created.template).prompts.response_format
        _transcript(screen, without_blocks(said, form.start_delimiter, form.end_delimiter))
    if name is not None:
        _next(screen, run, name, record)


def _claims(screen: Screen, run: Run, record: TaskRecord) -> None:
    found = claims.judged(run, record.task)
    if found:
        screen.title("Claims, as the verdict has them")
    for claim in found:
        seen = f" ({claim.evidence})" if claim.evidence else ""
        screen.item("-", one_line(f"{claim.verdict or 'not judged'}: {claim.claim}{seen}", 400))


def _about(record: TaskRecord) -> list[str]:
    task = record.task
    parts = [f"priority {task.priority}"]
    if task.dependencies:
        parts.append(f"after {', '.join(task.dependencies)}")
    if task.scope:
        parts.append(f"may change {one_line(', '.join(task.scope), 300)}")
    return ["; ".join(parts)]


def _attempt(screen: Screen, attempt: Attempt) -> None:
    took = duration(attempt.ended_at - attempt.started_at) if attempt.ended_at is not None else "under way"
    screen.title(f"Attempt {attempt.number}: {attempt.state}")
    tools = ", ".join(f"{number} {kind}" for kind, number in attempt.tools.items() if number)
    tokens = attempt.usage.input_tokens + attempt.usage.output_tokens
    cost = f" ({money(attempt.usage.cost_usd)})" if attempt.usage.cost_usd else ""
    used = f", {counted(tokens, 'token')}{cost}" if tokens else ""
    screen.print(word(f"  {one_line(attempt.agent, 120)}, {took}{used}", style="dim"))
    if tools:
        screen.print(word(f"  tool calls: {tools}", style="dim"))
    if attempt.branch:
        screen.print(word(f"  branch {attempt.branch}", style="dim"))
    if attempt.reason:
        screen.item("", both_ends(attempt.reason, 600), style="yellow")
    if attempt.report is not None and attempt.report.summary:
        _paragraph(screen, attempt.report.summary)
    if attempt.report is not None:
        for mark, said in (("~", attempt.report.repairs), ("!", attempt.report.warnings)):
            for sentence in said:
                screen.item(mark, f"in its answer: {one_line(sentence, 300)}", style="yellow")
    for check in attempt.checks:
        mark, style = ("✓", "green") if check.passed else ("✗", "red")
        screen.item(mark, command_line(check.command), style=style)
        if not check.passed:
            for line in plain(check.output).strip().splitlines()[-8:]:
                screen.item("", line, style="dim", indent=6)
    for path in attempt.evidence.files if attempt.evidence is not None else ():
        screen.print(word(f"    {one_line(path)}", style=""))


def without_blocks(said: list[dict[str, Any]], start: str, end: str) -> list[dict[str, Any]]:
    """Pieces of one speaker joined, and what was said to bigtask, not to people, told in a line."""
    joined: list[dict[str, Any]] = []
    for piece in said:
        if joined and piece.get("who") == joined[-1]["who"] == "agent":
            joined[-1]["text"] += str(piece.get("text", ""))
        else:
            joined.append({"who": str(piece.get("who", "")), "text": str(piece.get("text", ""))})
    block = re.compile(f"{re.escape(start)}(.*?){re.escape(end)}", re.DOTALL)
    for piece in joined:
        if piece["who"] == "agent":
            piece["text"] = block.sub(lambda found: f"\n{_told(found[1])}\n", piece["text"]).strip()
    return [piece for piece in joined if piece["text"]]


def _told(block: str) -> str:
    try:
        said = msgspec.json.decode(block.encode(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return "(a block that isn't JSON)"
    data = said.get("data")
    data = data if isinstance(data, dict) else {}
    words = data.get("summary") or data.get("current_action") or data.get("error") or data.get("status") or ""
    percent = data.get("progress_percent")
    share = f" {percent:g} %" if isinstance(percent, int | float) else ""
    return f"({said.get('phase', 'block')}{share}: {words})"


_MARKS = {"prompt": "»", "person": "you:", "tool": "⚙", "question": "?", "agent": " "}


def _transcript(screen: Screen, said: list[dict[str, Any]]) -> None:
    lines: list[tuple[str, str]] = []
    for piece in said:
        who, text = piece["who"], plain(piece["text"])
        if who == "prompt":
            # The prompt's content is on this page already, and in the template.
            text = f"bigtask's prompt, {counted(len(text.splitlines()), 'line')}: --json has it"
        lines += [(who, line) for line in text.splitlines() if line.strip()]
    for who, line in lines[-_LINES:]:
        screen.item(_MARKS.get(who, who), line, style="" if who == "agent" else "dim")


def _next(screen: Screen, run: Run, name: str, record: TaskRecord) -> None:
    id = record.task.id
    asked = [item for item in run.waiting.values() if item.task_id == id]
    steps = [command for item in asked for command in answers(item, name)]
    if record.attempt is not None and not id.startswith("@") and record.attempt.evidence is not None:
        steps.append(f"bigtask diff {name} {id}")
    if record.state in FELL:
        steps.append(f"bigtask retry {name} {id}")
    if steps:
        screen.title("Next")
    for step in steps:
        screen.print(word(f"  {step}", style="bold"))


def _paragraph(screen: Screen, text: str) -> None:
    for line in plain(text).strip().splitlines():
        screen.item("", line)
