"""`bigtask create`: a run that is looked up and recorded, but not started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json
from bigtask.cli.request_options import options_of, request_options, text_of, variables_of


@click.command(epilog='Example: bigtask start $(bigtask create documentation "Document every module")')
@request_options
@json_option
@click.pass_obj
def command(
    frame: Frame,
    /,
    template: str,
    request: str,
    cwd: Path,
    variables: tuple[str, ...],
    as_json: bool,
    **given: Any,
) -> None:
    """Make a run without starting it, and print its id.

    REQUEST is the text, @FILE, or - for standard input.
    """
    options = options_of(**given)

    async def work() -> str:
        from bigtask.cli import beginning

        folder = await beginning.make(
            frame,
            template=template,
            request=text_of(request),
            cwd=cwd,
            options=options,
            variables=variables_of(variables),
        )
        return folder.id

    run_id = carry_out(work)
    if as_json:
        print_json({"orchestratorId": run_id, "status": "created"})
    else:
        click.echo(run_id)
