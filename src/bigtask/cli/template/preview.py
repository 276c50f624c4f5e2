"""`bigtask template preview`: a prompt as an agent would get it."""

from __future__ import annotations

from pathlib import Path

import click

from bigtask.cli.frame import Frame, json_option, print_json
from bigtask.cli.request_options import variables_of
from bigtask.cli.template.options import cwd_option, template_argument

_PHASES = ("analysis", "taskPlanning", "worker", "aggregation", "verification")


@click.command(
    short_help="The prompt of a phase, as an agent would get it.",
    epilog="Example: bigtask template preview documentation --phase worker --var LANGUAGE=fr",
)
@template_argument
@click.option(
    "--phase",
    default="worker",
    metavar="PHASE",
    help=f"One of {', '.join(_PHASES)}. Default: worker.",
    shell_complete=lambda context, option, typed: [name for name in _PHASES if name.startswith(typed)],
)
@click.option("--var", "variables", multiple=True, metavar="K=V", help="A variable of the template.")
@cwd_option
@json_option
@click.pass_obj
def command(
    frame: Frame, template_id: str, phase: str, variables: tuple[str, ...], cwd: Path, as_json: bool
) -> None:
    """Prints a prompt with the template's variables and with sample values for what only a run knows. Names
    without a value stay as they are, and are told on stderr."""
    from bigtask.cli.screen import note
    from bigtask.words import plain

    found = frame.templates(cwd).preview(template_id, phase, variables_of(variables))
    if as_json:
        print_json(
            {
                "id": template_id,
                "phase": found.phase,
                "system": found.prompt.system,
                "user": found.prompt.user,
                "unknown": list(found.prompt.unknown),
                "warnings": list(found.warnings),
            }
        )
        return
    click.echo(plain(found.prompt.text))
    for warning in found.warnings:
        note(f"warning: {warning}")
