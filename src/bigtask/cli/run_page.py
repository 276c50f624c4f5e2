"""A run on one page: what it missed first, then what there is, and what can be done next."""

from __future__ import annotations

import time
from typing import Any

from bigtask.cli.limit_words import limit_words, stall_words
from bigtask.cli.next_steps import next_steps
from bigtask.cli.plan_table import program_lines
from bigtask.cli.result import step_lines
from bigtask.cli.screen import Screen, table, word
from bigtask.cli.standing import state_words
from bigtask.cli.waiting_items import show_waiting
from bigtask.core import fallback, ledger
from bigtask.core.answers import answers
from bigtask.core.budget import cap_of
from bigtask.core.checks import wanted_by
from bigtask.core.hooks import due
from bigtask.core.run import Attempt, Run, TaskRecord
from bigtask.core.states import ENDED, AttemptState, TaskState, WaitingKind
from bigtask.core.values import VERIFICATION, CheckResult
from bigtask.report.missed import missed
from bigtask.report.result import branch_of
from bigtask.words import age, both_ends, command_line, counted, duration, money, one_line, plain

_LISTED = 12
_OUTPUT_LINES = 8
_JUDGED = {"holds": ("✓", "green"), "fails": ("✗", "red")}


def show_run(screen: Screen, run: Run, name: str | None, *, held: bool) -> None:
    """`name` is what the run is called in a command; None where nothing can be done with it."""
    _missed(screen, run)
    _head(screen, run, held=held or name is None)
    for section in (_tasks, _programs, _ended_badly, _checks, _claims):
        section(screen, run)
    if run.waiting:
        screen.title("Waiting for you")
    for waiting in run.waiting.values():
        show_waiting(screen, run, waiting, name)
    _results(screen, run)
    steps = () if run.waiting or name is None else next_steps(run, name, held=held)
    if steps:
        screen.title("Next")
    for line in step_lines(steps):
        screen.print(line)


def _missed(screen: Screen, run: Run) -> None:
    found = missed(run)
    if not found:
        return
    screen.print(word("Missed, mended or assumed", style="bold yellow"))
    _listed(screen, found)
    screen.print()


def _listed(screen: Screen, lines: list[str], *, mark: str = "!", style: str = "yellow") -> None:
    for line in lines[:_LISTED]:
        screen.item(mark, both_ends(line, 400), style=style)
    if len(lines) > _LISTED:
        screen.print(word(f"  … and {len(lines) - _LISTED} more: --json has all", style="dim"))


def _head(screen: Screen, run: Run, *, held: bool) -> None:
    from rich.text import Text

    source, now = run.created.source, time.time() * 1000
    state = word(state_words(run, held=held))
    state.stylize("bold")
    screen.print(Text.assemble((run.id, "bold"), "  ", state, f"  {_ratio(run)}"))
    screen.print(word(one_line(run.created.request, 600), style="italic"))
    workers = counted(run.settings.slots, "worker")
    begun, last = age(now - run.created_at), age(now - run.updated_at)
    lines = [
        f"{run.created.template_id} with {run.settings.agent}, {workers} at most, in {source.cwd}",
        f"begun {begun} ago, last event {last} ago; used {_used(run)}",
    ]
    cap = cap_of(run)
    if cap.bounds:
        parts = [money(cap.cost_usd)] if cap.cost_usd is not None else []
        parts += [counted(cap.tokens, "token")] if cap.tokens is not None else []
        lines.append(f"its cap is {' and '.join(parts)}")
    lines += [one_line(notice, 600) for notice in fallback.notices(run)]
    lines += [f"answers of {one_line(name, 60)}: {words}" for name, words in answer_words(run).items()]
    branch = branch_of(run)
    if branch is not None:
        lines.append(f"branch {branch}" + (" (merged into yours)" if run.merged else ""))
    if run.outcome is None and run.started and not held:
        lines.append("nobody carries it on at the moment")
    waiting = ", ".join(dict.fromkeys(hook.value for _, hook in due(run)))
    if waiting:
        who = "is under way" if held else "is run again by `bigtask watch`"
        lines.append(f"its hook {waiting} hasn't ended, and {who}")
    for line in lines:
        screen.print(word(line, style="dim"))


def answer_words(run: Run) -> dict[str, str]:
    """By agent, how its answers could be read: `12 strict, 1 repaired, 1 asked again`."""
    return {
        name: ", ".join(
            f"{number:,} {what}"
            for number, what in (
                (counts.strict, "strict"),
                (counts.repaired, "repaired"),
                (counts.reasked, "asked again"),
                (counts.failed, "failed"),
            )
            if number
        )
        for name, counts in answers(run).items()
    }


def _ratio(run: Run) -> str:
    done = run.counts[TaskState.COMPLETED]
    return f"{done} of {counted(len(run.tasks), 'task')} completed" if run.tasks else "no plan yet"


def _used(run: Run) -> str:
    tokens = run.used.input_tokens + run.used.output_tokens
    cost = money(run.used.cost_usd) if run.used.cost_usd else "no cost"
    return f"{counted(tokens, 'token')}, {cost}{_payer(run)}" if tokens else "no tokens"


def _payer(run: Run) -> str:
    """Who pays what the run costs: the end of a sentence, or "". A subscription is paid by the month,
    whatever the work would cost."""
    account = run.settings.account
    if not account:
        return ""
    what = " by list price, paid already with" if run.settings.subscription else " from"
    return f"{what} {one_line(account, 80)}"


def _tasks(screen: Screen, run: Run) -> None:
    if not run.tasks:
        return
    screen.title("Tasks")
    columns = ("task", "state", "tries", "took", "files", "what came out")
    rows = table(*columns, fixed=("state", "tries", "took", "files"), right=("tries", "files"))
    for record in run.tasks.values():
        attempt = record.attempt
        evidence = attempt.evidence if attempt is not None else None
        files = f"{len(evidence.files)} +{evidence.insertions} -{evidence.deletions}" if evidence else ""
        rows.add_row(
            word(record.task.id, style="bold"),
            word(record.state.value),
            word(str(len(record.attempts) or "")),
            word(_took(record)),
            word(files),
            word(one_line(_said(record), 300 if screen.wide else 120), style=""),
        )
    screen.print(rows)


def _said(record: TaskRecord) -> str:
    attempt = record.attempt
    if record.reason:
        return record.reason
    if attempt is None:
        others = record.task.dependencies
        return f"after {', '.join(others)}" if others and record.state not in ENDED else record.task.title
    if attempt.report is not None:
        return attempt.report.summary or record.task.title
    if attempt.state is AttemptState.LIMITED:
        return limit_words(attempt, time.time() * 1000)
    if attempt.state is AttemptState.WAITING:
        return "waits for your answer"
    if attempt.state is AttemptState.STALLED:
        return stall_words(attempt, time.time() * 1000)
    return attempt.action or record.task.title


def _took(record: TaskRecord) -> str:
    ended = [attempt.ended_at for attempt in record.attempts if attempt.ended_at is not None]
    if not ended or record.state not in ENDED:
        return ""
    return duration(max(ended) - record.attempts[0].started_at)


_GOOD_ENDS = frozenset({AttemptState.COMPLETED, AttemptState.PARTIAL})


def ended_badly(record: TaskRecord) -> list[Attempt]:
    return [
        attempt
        for attempt in record.attempts
        if attempt.ended_at is not None
        and attempt.state not in _GOOD_ENDS
        and attempt.reason
        and not attempt.never_began
    ]


def _ended_badly(screen: Screen, run: Run) -> None:
    lines = [
        f"{record.task.id} #{attempt.number} {attempt.state}: {attempt.reason}"
        for record in run.all_records()
        for attempt in ended_badly(record)
    ]
    if lines:
        screen.title("Attempts that didn't succeed")
        _listed(screen, lines, mark="·", style="")


def _checks(screen: Screen, run: Run) -> None:
    rows = [
        (record.task.id, check)
        for record in run.all_records()
        if record.attempt is not None
        for check in record.attempt.checks
    ]
    if not rows:
        return
    screen.title("Checks that bigtask ran itself")
    for id, check in rows:
        mark = "✓" if check.passed else "✗"
        style = "green" if check.passed else "red"
        wanted = ", ".join(wanted_by(run, check.command))
        whole = "the merged whole, for " + ("the template" if wanted == "template" else wanted)
        where = whole if id == VERIFICATION else id
        screen.item(mark, f"{where}: {command_line(check.command)}{_how_it_ended(check)}", style=style)
        if not check.passed:
            for line in plain(check.output).strip().splitlines()[-_OUTPUT_LINES:]:
                screen.item("", line, style="dim", indent=4)


def _how_it_ended(check: CheckResult) -> str:
    if check.exit_status is None:
        return " didn't end in time"
    return "" if check.passed else f" ended with {check.exit_status}"


def _programs(screen: Screen, run: Run) -> None:
    """Before a person's word: everything that it would let run, and who wants it."""
    if not any(waiting.kind is WaitingKind.PLAN for waiting in run.waiting.values()):
        return
    lines = program_lines(run)
    if lines:
        screen.title("Commands that bigtask will run once you confirm")
    for line in lines:
        screen.item("$", line, style="yellow")


def _claims(screen: Screen, run: Run) -> None:
    found = [claim for entry in ledger.ledger(run) for claim in entry.claims]
    if not found:
        return
    judged = run.verdict is not None
    screen.title("Claims, as the verdict has them" if judged else "Claims that the verdict will judge")
    for claim in found:
        mark, style = _JUDGED.get(claim.verdict, ("?", "yellow") if judged else ("·", ""))
        seen = f" ({claim.evidence})" if claim.evidence else ""
        said = " – not judged" if judged and not claim.verdict else ""
        screen.item(mark, one_line(f"{claim.task_id}: {claim.claim}{seen}{said}", 400), style=style)


def _results(screen: Screen, run: Run) -> None:
    if run.created.warnings:
        screen.title("About the template")
        _listed(screen, list(run.created.warnings), mark="!", style="yellow")
    if run.warnings:
        screen.title("About the plan")
        _listed(screen, list(run.warnings), mark="·", style="")
    if run.aggregate is not None:
        screen.title("Result")
        _paragraph(screen, run.aggregate.summary)
        _listed(screen, [_conflict(one) for one in run.aggregate.data.get("conflicts", ())], mark="·")
    if run.verdict is not None:
        screen.title(f"Verification: {one_line(run.verdict.status).replace('_', ' ')}")
        _paragraph(screen, run.verdict.summary)
    files = ledger.output_files(run)
    if files:
        screen.title(counted(len(files), "changed file"))
        _listed(screen, list(files), mark=" ", style="")


def _conflict(one: dict[str, Any]) -> str:
    resolved = f": {one['resolution']}" if one.get("resolution") else ""
    return f"conflict: {one.get('description', '')}{resolved}"


def _paragraph(screen: Screen, text: str) -> None:
    for line in plain(text).strip().splitlines():
        screen.item("", line)
