"""`bigtask template approve`: a person's word that a template may be used."""

from __future__ import annotations

from pathlib import Path

import click

from bigtask.cli.frame import EXIT_OK, EXIT_WAITING, Frame, json_option, print_json
from bigtask.cli.screen import note
from bigtask.cli.template.options import cwd_option, template_argument


@click.command(
    short_help="Allow a template that this repository brings, or its commands.",
    epilog="Example: bigtask template approve team-docs",
)
@template_argument
@cwd_option
@click.option("-y", "--yes", is_flag=True, help="Allow it without a question, for machines that you set up.")
@click.option("--withdraw", is_flag=True, help="Take an approval back.")
@json_option
@click.pass_obj
def command(frame: Frame, template_id: str, cwd: Path, yes: bool, withdraw: bool, as_json: bool) -> int:
    """Shows what a template would have agents and bigtask do, and asks whether it may.

    A repository's template needs this once as a whole, one of your own only for commands that it runs. The
    approval holds for the content as it is now, with what it inherits and the files that its hooks name:
    when any of that changes, you are asked again. Exits with 3 when it isn't allowed and nobody can be asked.
    """
    from bigtask.cli import approving
    from bigtask.cli.template import consenting

    templates = frame.templates(cwd)
    consent = templates.consent(template_id)
    if consent is None:
        state = "nothing to approve"
    elif withdraw:
        templates.withdraw(consent)
        state = "withdrawn"
    elif templates.find(template_id).approved:
        state = "approved"
    else:
        if yes:
            consenting.show(templates, consent)
        if yes or (approving.can_ask() and consenting.asked(templates, consent)):
            templates.approve(consent)
            state = "approved"
        else:
            if not approving.can_ask():
                consenting.show(templates, consent)
            state = "not approved"
    if as_json:
        commands = (
            [{"pointer": where, "command": list(words)} for where, words in consent.commands]
            if consent
            else []
        )
        digest = consent.digest if consent is not None else None
        print_json({"id": template_id, "state": state, "digest": digest, "commands": commands})
    else:
        note(f"{template_id}: {_STATES[state]}")
    return EXIT_WAITING if state == "not approved" else EXIT_OK


_STATES = {
    "nothing to approve": "nothing has to be approved, it can be used",
    "withdrawn": "the approval is taken back",
    "approved": "approved as it is now",
    "not approved": "not approved, runs with it are refused (at a terminal you are asked; --yes allows it)",
}
