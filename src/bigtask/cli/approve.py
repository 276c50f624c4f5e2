"""`bigtask approve`: what a repository sets for runs and for git, and a person's word that it may."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bigtask.cli.frame import EXIT_OK, EXIT_WAITING, Frame, carry_out, json_option, print_json
from bigtask.cli.screen import note

if TYPE_CHECKING:
    from bigtask.approvals import Approvals
    from bigtask.cli.approving import Unapproved


@click.command(
    short_help="Allow what the repository sets for runs and for git.", epilog="Example: bigtask approve"
)
@click.option(
    "--cwd", type=click.Path(path_type=Path), default=Path(), help="The project. Default: this folder."
)
@click.option("-y", "--yes", is_flag=True, help="Allow it without a question, for machines that you set up.")
@click.option("--withdraw", is_flag=True, help="Take an approval back.")
@json_option
@click.pass_obj
def command(frame: Frame, cwd: Path, yes: bool, withdraw: bool, as_json: bool) -> int:
    """Shows what a repository's .bigtask/config.toml sets, and which programs its .git/config makes git run
    (filters, merge drivers, included files), and asks whether that may count on this machine.

    The approval holds for both as they are now: when a byte of them changes, you are asked again. Exits with
    3 when something isn't allowed. For a repository's templates there is `bigtask template approve`.
    """
    from bigtask.approvals import Approvals, Kind
    from bigtask.configuration.files import read
    from bigtask.configuration.layers import require_fit
    from bigtask.workspaces.consent import listing
    from bigtask.workspaces.settings import SettingsNotApproved, digest
    from bigtask.workspaces.source import find

    found = carry_out(lambda: find(cwd))
    configuration = read(found.root, None)
    require_fit(configuration.layers)
    approvals, path = Approvals(frame.home.approvals), configuration.repository_path
    git_dir, git_file = found.git_dir, (found.common_dir or found.root / ".git") / "config"
    programs = carry_out(lambda: listing(git_dir)).programs if git_dir is not None else frozenset()
    if withdraw:
        approvals.withdraw(Kind.CONFIG, path)
        approvals.withdraw(Kind.GIT, git_file)
    unapproved = configuration.unapproved(approvals)
    refused = bool(programs) and not approvals.allow_git(git_file, digest(programs))
    unapproved_git = SettingsNotApproved(git_file, programs) if refused else None
    if withdraw:
        settled, settled_git = unapproved is None, unapproved_git is None
    else:
        settled = _settled(approvals, unapproved, yes=yes)
        settled_git = _settled(approvals, unapproved_git, yes=yes)
    state = _state(there=configuration.repository_digest is not None, settled=settled)
    state_git = _state(there=bool(programs), settled=settled_git)
    if as_json:
        values = {name: said.value for name, said in configuration.repository.said.items()}
        runs = {program.key: program.value for program in sorted(programs)}
        git = {"git": {"path": str(git_file), "state": state_git, "runs": runs}} if programs else {}
        print_json({"path": str(path), "state": state, "sets": values, **git})
    else:
        note(f"{path} {_STATES[state]}")
        if programs:
            note(f"{git_file} {_STATES[state_git]}")
    return EXIT_OK if withdraw or (settled and settled_git) else EXIT_WAITING


def _settled(approvals: Approvals, unapproved: Unapproved | None, *, yes: bool) -> bool:
    """Whether nothing is left to allow; asks where somebody can answer."""
    from bigtask.cli import approving

    if unapproved is None:
        return True
    if yes or not approving.can_ask():
        approving.show(unapproved)
        if not yes:
            return False
    elif not approving.asked(unapproved):
        return False
    approving.approve(approvals, unapproved)
    return True


def _state(*, there: bool, settled: bool) -> str:
    return "nothing" if not there else "approved" if settled else "unapproved"


_STATES = {
    "nothing": "sets nothing: there is nothing to approve",
    "approved": "is approved as it is now",
    "unapproved": "isn't approved: runs here are refused until it is, or until it is gone",
}
