"""The last word about a run: what was missed first, then what there is, then what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from bigtask.cli.next_steps import Step, next_steps
from bigtask.core import ledger
from bigtask.core.answers import Answers, answers, shares
from bigtask.core.hooks import troubles
from bigtask.core.phases import verification
from bigtask.core.run import Run
from bigtask.core.states import Outcome, TaskState
from bigtask.core.status import status
from bigtask.report.missed import missed
from bigtask.report.result import branch_of
from bigtask.words import both_ends, counted, duration, one_line

_REASON = 300
_ALIKE = 3
"""More tasks than this that ended the same way share a line."""
_STYLES = {
    Outcome.COMPLETE: "bold green",
    Outcome.INCOMPLETE: "bold yellow",
    Outcome.FAILED: "bold red",
    Outcome.CANCELLED: "bold yellow",
}


def result_json(run: Run) -> dict[str, Any]:
    """The line after the last event. While the run isn't over `outcome` is null; `waiting` says for what."""
    return {
        "type": "result",
        "orchestratorId": run.id,
        "outcome": run.outcome.value if run.outcome is not None else None,
        "status": status(run).value,
        "tasks": ledger.counts(run),
        "outputFiles": ledger.output_files(run),
        "branch": branch_of(run),
        "summary": ledger.summary(run),
        "answers": {name: shares(counts) for name, counts in answers(run).items()},
        "waiting": [
            {"id": w.id, "kind": w.kind, "taskId": w.task_id, "question": w.question, "options": w.options}
            for w in run.waiting.values()
        ],
    }


def result_lines(run: Run, *, name: str, elapsed_ms: float | None = None) -> Iterator[Text]:
    """For a run that has ended. `name` is what the run is called in a command."""
    assert run.outcome is not None
    yield _first(run, run.outcome)
    yield Text("  " + " · ".join(_numbers(run, elapsed_ms)))
    unclean = [entry for entry in ledger.ledger(run) if _remarkable(entry)]
    if unclean:
        yield Text()
        yield from _entries(unclean)
    if problems := troubles(run):
        yield Text()
        yield from (Text(f"  {both_ends(problem, _REASON)}", style="yellow") for problem in problems)
    said = run.aggregate.summary if run.aggregate is not None else ""
    if said:
        yield Text()
        yield Text(f"  {one_line(said, _REASON)}")
    if run.verdict is not None:
        yield Text(f"  verification {_verdict(run)}: {one_line(run.verdict.summary, _REASON)}")
    yield Text()
    yield from _where(run)
    yield from _next(run, name)


def _first(run: Run, outcome: Outcome) -> Text:
    line = Text(outcome.value.capitalize(), style=_STYLES[outcome])
    tasks = counted(len(run.tasks), "task")
    what = both_ends(run.reason, 2 * _REASON) or (tasks if missed(run) else f"{tasks}, nothing missed")
    line.append(f": {what}", style="default")
    return line


def _verdict(run: Run) -> str:
    return "passed" if verification.passed(run) else "did not pass"


def _numbers(run: Run, elapsed_ms: float | None) -> Iterator[str]:
    if run.tasks:
        for state in TaskState:
            if run.counts[state]:
                yield f"{run.counts[state]} {state.value}"
    else:
        yield "nothing was planned"
    of_all = sum(answers(run).values(), Answers())
    if of_all.strict < of_all.total:
        yield f"{of_all.total - of_all.strict} of {of_all.total} answers not strict"
    if elapsed_ms is not None:
        yield duration(elapsed_ms)
    used = run.used
    if used.input_tokens or used.output_tokens:
        yield f"{used.input_tokens + used.output_tokens:,} tokens"
    if used.cost_usd:
        yield f"${used.cost_usd:,.2f}"


def _remarkable(entry: ledger.Entry) -> bool:
    return entry.state is not TaskState.COMPLETED or bool(entry.remarks)


def _entries(entries: list[ledger.Entry]) -> Iterator[Text]:
    widest = min(max(len(entry.task_id) for entry in entries), 32)
    alike = Counter((entry.state, entry.reason) for entry in entries if not entry.remarks)
    for (state, reason), number in alike.items():
        if number > _ALIKE:
            ids = [e.task_id for e in entries if (e.state, e.reason) == (state, reason) and not e.remarks]
            line = Text(f"  {state.value:<10} ", style="red")
            line.append(f"{number} tasks", style="cyan")
            line.append(one_line(f"  {reason}: {', '.join(ids)}", _REASON), style="default")
            yield line
    for entry in entries:
        if not entry.remarks and alike[entry.state, entry.reason] > _ALIKE:
            continue
        done = entry.state is TaskState.COMPLETED
        line = Text("  ")
        line.append(f"{entry.state.value:<10}", style="yellow" if done else "red")
        line.append(f" {entry.task_id:<{widest}}  ", style="cyan")
        tries = counted(entry.attempts, "attempt") if entry.attempts > 1 else ""
        parts = (tries, entry.reason, *entry.remarks)
        line.append(both_ends("; ".join(part for part in parts if part), _REASON))
        yield line


def _where(run: Run) -> Iterator[Text]:
    files = len(ledger.output_files(run))
    branch = branch_of(run)
    if branch is not None:
        plus, minus = _size(run)
        line = Text("  branch  ", style="dim")
        line.append(branch, style="default")
        line.append(f" ({counted(files, 'file')}, +{plus:,} −{minus:,})")
        yield line
    elif files:
        yield Text(f"  {counted(files, 'file')} changed")


def _size(run: Run) -> tuple[int, int]:
    found = [
        attempt.evidence
        for record in run.tasks.values()
        for attempt in record.attempts
        if attempt.evidence is not None and record.state in (TaskState.COMPLETED, TaskState.PARTIAL)
    ]
    return sum(e.insertions for e in found), sum(e.deletions for e in found)


def _next(run: Run, name: str) -> Iterator[Text]:
    look = Step(command=f"bigtask show {name}", what="every task with its evidence")
    report = Step(command=f"bigtask report {name}", what="all of it as one document")
    yield from step_lines((*next_steps(run, name, held=False), look, report), label="  next    ")


def step_lines(steps: Sequence[Step], *, label: str = "  ") -> Iterator[Text]:
    """One below the other, with what each does; `label` stands before the first."""
    widest = max((len(step.command) for step in steps), default=0)
    for number, step in enumerate(steps):
        line = Text(" " * len(label) if number else label, style="dim")
        line.append(f"{step.command:<{widest}}", style="bold")
        line.append(f"  {step.what}", style="dim")
        yield line
