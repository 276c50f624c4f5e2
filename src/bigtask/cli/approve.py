"""`bigtask approve`: what a repository sets for runs and for git and brings for agents, and a person's word
that it may count."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bigtask.cli.frame import EXIT_OK, EXIT_WAITING, Frame, carry_out, json_option, print_json
from bigtask.cli.screen import note

if TYPE_CHECKING:
    from bigtask.approvals import Approvals
    from bigtask.cli.approving import Unapproved
    from bigtask.host.trust import Standing, State


@click.command(
    short_help="Allow what the repository sets, and brings for agents.", epilog="Example: bigtask approve"
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
    (filters, merge drivers, included files), and what its HEAD brings for agents (CLAUDE.md, hooks, tool
    servers), and asks of each whether it may count on this machine.

    The approval holds for all of it as it is now: when a byte changes, you are asked again. Exits with 3
    when something isn't allowed. For a repository's templates there is `bigtask template approve`.
    """
    from bigtask.approvals import Approvals, Kind
    from bigtask.configuration.files import read
    from bigtask.configuration.layers import require_fit
    from bigtask.host.trust import State
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
        approvals.withdraw(Kind.AGENT, found.root)
    unapproved = configuration.unapproved(approvals)
    refused = bool(programs) and not approvals.allow_git(git_file, digest(programs))
    unapproved_git = SettingsNotApproved(git_file, programs) if refused else None
    if withdraw:
        settled, settled_git = unapproved is None, unapproved_git is None
    else:
        settled = _settled(approvals, unapproved, yes=yes)
        settled_git = _settled(approvals, unapproved_git, yes=yes)
    # Git is what reads the project's HEAD, so git's own settings have to be allowed before.
    standings = carry_out(lambda: _standings(frame, cwd, approvals)) if settled_git else []
    states = [(one, one.state) for one in standings] if withdraw else _asked(approvals, standings, yes=yes)
    state = _state(there=configuration.repository_digest is not None, settled=settled)
    state_git = _state(there=bool(programs), settled=settled_git)
    if as_json:
        values = {name: said.value for name, said in configuration.repository.said.items()}
        runs = {program.key: program.value for program in sorted(programs)}
        git = {"git": {"path": str(git_file), "state": state_git, "runs": runs}} if programs else {}
        rules = [rules_json(standing, now) for standing, now in states]
        about_agents = {"agents": rules} if rules else {}
        print_json({"path": str(path), "state": state, "sets": values, **git, **about_agents})
    else:
        note(f"{path} {_STATES[state]}")
        if programs:
            note(f"{git_file} {_STATES[state_git]}")
        for standing, now in states:
            note(f"what {found.root} brings for {standing.agent} {_RULES_STATES[now]}")
    rules_settled = all(now is not State.UNAPPROVED for _, now in states)
    return EXIT_OK if withdraw or (settled and settled_git and rules_settled) else EXIT_WAITING


async def _standings(frame: Frame, cwd: Path, approvals: Approvals) -> list[Standing]:
    """Of every agent for which the repository brings something; of those that come with a definition, where
    they can be used."""
    from bigtask.agents.table import AGENTS
    from bigtask.host.trust import standing
    from bigtask.workspaces.source import examine

    source = await examine(cwd, approvals.allow_git)
    agents = [a for a in frame.agents.values() if a.name in AGENTS or a.availability().usable]
    every = [await standing(agent, source, approvals) for agent in agents]
    return [found for found in every if found is not None and found.brought]


def _asked(approvals: Approvals, standings: list[Standing], *, yes: bool) -> list[tuple[Standing, State]]:
    """Each with its state afterwards. What is the same for two agents is asked once."""
    from bigtask.cli import approving
    from bigtask.host.trust import State

    said: dict[str, bool] = {}
    states = []
    for standing in standings:
        state = standing.state
        if state is State.UNAPPROVED:
            if standing.digest not in said:
                said[standing.digest] = _settled(approvals, standing, yes=yes)
            elif said[standing.digest]:
                approving.approve(approvals, standing)
            if said[standing.digest]:
                state = State.APPROVED
        states.append((standing, state))
    return states


def rules_json(standing: Standing, state: State) -> dict[str, Any]:
    files = [{"path": f.path, "what": list(f.what), "change": f.change} for f in standing.brought]
    return {"agent": standing.agent, "path": str(standing.root), "state": state, "brings": files}


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

_RULES_STATES = {
    "approved": "is approved as it is now",
    "unapproved": "isn't approved: sessions go without it until it is",
    "unapprovable": "can't be approved, because a link leads out of the project or a file is too long: "
    "sessions go without it",
}
