"""`bigtask run`: one request from analysis to its end, or on from where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bigtask.cli.frame import Frame, carry_out, json_option
from bigtask.cli.request_options import Request, request_options
from bigtask.cli.unattended import quietly, report_dir_option
from bigtask.errors import InvalidInput

if TYPE_CHECKING:
    from bigtask.core.commands import AnyCommand
    from bigtask.core.run import Run


@click.command(
    epilog='Example: bigtask run documentation "Generate documentation for all modules" --agent offline --yes'
)
@request_options
@report_dir_option
@click.option("--new", is_flag=True, help="Start afresh, also when the same request isn't finished.")
@json_option
@click.pass_obj
def command(frame: Frame, /, request: Request, report_dir: Path | None, new: bool, as_json: bool) -> int:
    """Analyse, plan, carry out, merge and check one request.

    REQUEST is the text, @FILE, or - for standard input. The same command again goes on with a run that
    isn't finished. Ctrl-C pauses. What no option says comes from your configuration and the template:
    `bigtask doctor --template TEMPLATE` shows it.

    It ends with 0 when the run is complete, 1 when it is incomplete, failed or cancelled, 2 when it can't be
    begun, 3 when it waits for a person, and 130 when it was interrupted.
    """
    ci = request.options.ci
    if report_dir is not None and not ci:
        raise InvalidInput("--report-dir belongs to --ci: `bigtask report` writes the reports of any run")
    reports = quietly(report_dir) if ci else None

    async def work() -> int:
        from bigtask.cli import beginning
        from bigtask.cli.carrying import carry

        again = None if new else await beginning.find_again(frame, request)
        if again is not None:
            folder, run = again
            beginning.tell_going_on(run, frame.name_of(folder))
        else:
            folder = await beginning.make(frame, request)
        await beginning.describe(frame, folder)
        return await carry(
            frame, folder, lambda run: go_on(run, frame.who, ci=ci), as_json=as_json, reports=reports
        )

    return carry_out(work)


def go_on(run: Run, who: str, *, ci: bool = False) -> AnyCommand | None:
    """What takes a run on from wherever it stands."""
    from bigtask.core.commands import Resume, Start

    if not run.started:
        return Start(by=who)
    return Resume(by=who, ci=ci) if run.paused or run.pausing or run.asks_nobody != ci else None
