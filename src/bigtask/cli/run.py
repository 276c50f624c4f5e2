"""`bigtask run`: one request from analysis to its end, or on from where it stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bigtask.cli.frame import Frame, carry_out, json_option
from bigtask.cli.request_options import Request, request_options

if TYPE_CHECKING:
    from bigtask.core.commands import AnyCommand
    from bigtask.core.run import Run


@click.command(
    epilog='Example: bigtask run documentation "Generate documentation for all modules" --agent offline --yes'
)
@request_options
@click.option("--new", is_flag=True, help="Start afresh, also when the same request isn't finished.")
@json_option
@click.pass_obj
def command(frame: Frame, /, request: Request, new: bool, as_json: bool) -> int:
    """Analyse, plan, carry out, merge and check one request.

    REQUEST is the text, @FILE, or - for standard input. The same command again goes on with a run that
    isn't finished. Ctrl-C pauses. What no option says comes from your configuration and the template:
    `bigtask doctor --template TEMPLATE` shows it.
    """

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
        return await carry(frame, folder, lambda run: go_on(run, frame.who), as_json=as_json)

    return carry_out(work)


def go_on(run: Run, who: str) -> AnyCommand | None:
    """What takes a run on from wherever it stands."""
    from bigtask.core.commands import Resume, Start

    if not run.started:
        return Start(by=who)
    return Resume(by=who) if run.paused or run.pausing else None
