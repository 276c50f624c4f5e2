"""`bigtask show`: one run, or one of its tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json, readable_argument

if TYPE_CHECKING:
    from bigtask.core.run import Run


@click.command(
    short_help="One run: its tasks, evidence and result.",
    epilog="\b\nExamples:\n  bigtask show last docs-api\n  bigtask show bug.zip --at 40",
)
@readable_argument
@click.argument("task_id", metavar="[TASK]", required=False)
@click.option(
    "--at", metavar="SEQ", type=click.IntRange(min=1), help="As it was after that event (bigtask logs)."
)
@json_option
@click.pass_obj
def command(frame: Frame, run_id: str, task_id: str | None, at: int | None, as_json: bool) -> None:
    """One run: what it missed, its tasks with their evidence, what waits for you, and what you can do next.
    With TASK: that task with all its attempts and the end of what was said in the last one.

    FILE.zip is what `bigtask export` made of a run, on this machine or another.
    """
    from bigtask.cli.reading import is_held
    from bigtask.cli.run_page import show_run
    from bigtask.cli.screen import Screen
    from bigtask.cli.task_page import find_task, last_words, show_task
    from bigtask.host.source import state_at

    source = frame.source(run_id)

    async def state() -> Run:
        return await source.run() if at is None else state_at(await source.events(), source.id, at)

    run = carry_out(state)
    folder = source.folder if at is None else None
    name = frame.name_of(folder) if folder is not None else None
    held = folder is not None and is_held(folder)
    record = find_task(run, task_id) if task_id is not None else None
    # What was said by then can't be told from what was said later.
    said = last_words(source, record) if record is not None and at is None else []
    if as_json:
        whole_task = {**_task(run, record), "runId": run.id, "transcript": said} if record else {}
        print_json(whole_task or whole(run, held=held))
        return
    if at is not None:
        _say_when(run)
    if record is None:
        show_run(Screen(), run, name, held=held)
    else:
        show_task(Screen(), run, name, record, said)


def _say_when(run: Run) -> None:
    from datetime import datetime

    from bigtask.cli.screen import note

    when = datetime.fromtimestamp(run.updated_at / 1000).strftime("%Y-%m-%d %H:%M:%S")
    note(f"as it was after event {run.seq}, {when}\n")


def whole(run: Any, *, held: bool) -> dict[str, Any]:
    """Everything that is known of a run, in one JSON object: the view of every surface, with its workers."""
    from bigtask.core.checks import programs
    from bigtask.core.view import view
    from bigtask.report.missed import missed

    return {
        **_builtins(view(run)),
        "held": held,
        "missed": missed(run),
        "programs": [_builtins(program) for program in programs(run)],
        "analysis": run.analysis,
        "phases": [_builtins(_worker(record)) for record in run.reserved.values()],
        "workers": [_builtins(_worker(record)) for record in run.tasks.values()],
        "settings": _builtins(run.settings),
        "aggregation": run.aggregate.data if run.aggregate is not None else None,
        "verification": run.verdict.data if run.verdict is not None else None,
    }


def _task(run: Run, record: Any) -> dict[str, Any]:
    from bigtask.cli.task_page import prompt_warnings
    from bigtask.core import claims, ledger

    judged = [_builtins(claim) for claim in claims.judged(run, record.task)]
    remarks = ledger.all_remarks(run, record)
    warnings = prompt_warnings(run, record.task.id)
    return {**_builtins(_worker(record)), "remarks": remarks, "warnings": warnings, "claims": judged}


def _worker(record: Any) -> Any:
    from bigtask.core.view import worker

    return worker(record)


def _builtins(value: Any) -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(value)
    return found
