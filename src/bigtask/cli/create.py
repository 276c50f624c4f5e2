"""`bigtask create`: a run that is looked up and recorded, but not started."""

from __future__ import annotations

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json
from bigtask.cli.request_options import Request, request_options


@click.command(epilog='Example: bigtask start $(bigtask create documentation "Document every module")')
@request_options
@json_option
@click.pass_obj
def command(frame: Frame, /, request: Request, as_json: bool) -> None:
    """Make a run without starting it, and print its id.

    REQUEST is the text, @FILE, or - for standard input. What no option says comes from your configuration
    and the template: `bigtask doctor --template TEMPLATE` shows it.
    """
    from bigtask.cli import beginning

    folder = carry_out(lambda: beginning.make(frame, request))
    if as_json:
        print_json({"orchestratorId": folder.id, "status": "created"})
    else:
        click.echo(folder.id)
