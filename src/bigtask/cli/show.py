"""`bigtask show`: one run, or one of its tasks."""

from __future__ import annotations

from typing import Any

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json, run_argument


@click.command(
    short_help="One run: its tasks, evidence and result.", epilog="Example: bigtask show last docs-api"
)
@run_argument
@click.argument("task_id", metavar="[TASK]", required=False)
@json_option
@click.pass_obj
def command(frame: Frame, run_id: str, task_id: str | None, as_json: bool) -> None:
    """One run: what it missed, its tasks with their evidence, what waits for you, and what you can do next.
    With TASK: that task with all its attempts and the end of what was said in the last one."""
    from bigtask.cli.reading import is_held, load
    from bigtask.cli.run_page import show_run
    from bigtask.cli.screen import Screen
    from bigtask.cli.task_page import find_task, last_words, show_task

    folder = frame.find(run_id)
    run = carry_out(lambda: load(folder))
    held = is_held(folder)
    if task_id is None:
        if as_json:
            print_json(whole(run, held=held))
        else:
            show_run(Screen(), run, frame.name_of(folder), held=held)
        return
    record = find_task(run, task_id)
    said = last_words(folder, record)
    if as_json:
        print_json({**_builtins(_worker(record)), "runId": run.id, "transcript": said})
    else:
        show_task(Screen(), run, frame.name_of(folder), record, said)


def whole(run: Any, *, held: bool) -> dict[str, Any]:
    """Everything that is known of a run, in one JSON object: the view of every surface, with its workers."""
    from bigtask.cli.run_page import missed
    from bigtask.core.view import view

    return {
        **_builtins(view(run)),
        "held": held,
        "missed": missed(run),
        "analysis": run.analysis,
        "phases": [_builtins(_worker(record)) for record in run.reserved.values()],
        "workers": [_builtins(_worker(record)) for record in run.tasks.values()],
        "settings": _builtins(run.settings),
        "aggregation": run.aggregate.data if run.aggregate is not None else None,
        "verification": run.verdict.data if run.verdict is not None else None,
    }


def _worker(record: Any) -> Any:
    from bigtask.core.view import worker

    return worker(record)


def _builtins(value: Any) -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(value)
    return found
