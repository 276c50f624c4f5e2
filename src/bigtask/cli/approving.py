"""The question whether what a repository sets, for bigtask or for git, may count as it stands now."""

from __future__ import annotations

import sys

import click

from bigtask.approvals import Approvals, Kind
from bigtask.cli.keyboard import is_ours
from bigtask.cli.screen import note
from bigtask.configuration.files import ConfigurationNotApproved
from bigtask.core.phases.trust import sentences
from bigtask.host.trust import Standing
from bigtask.words import one_line
from bigtask.workspaces.settings import SettingsNotApproved

_LONGEST = 2_000

Unapproved = ConfigurationNotApproved | SettingsNotApproved | Standing


def can_ask() -> bool:
    return is_ours(0) and sys.stderr.isatty()


def show(unapproved: Unapproved) -> None:
    """Everything that would count, on stderr."""
    if isinstance(unapproved, SettingsNotApproved):
        _show_settings(unapproved)
    elif isinstance(unapproved, Standing):
        _show_rules(unapproved)
    else:
        _show_configuration(unapproved)


def _show_settings(unapproved: SettingsNotApproved) -> None:
    note(f"{unapproved.path} lets git run or read, whenever it touches files here:")
    for program in unapproved.programs:
        note(f"  {one_line(program.key)} = {one_line(program.value, _LONGEST)}")


def _show_rules(unapproved: Standing) -> None:
    note(f"{unapproved.root} brings what {unapproved.agent} would load or run:")
    for line in sentences(unapproved.brought):
        note(f"  {one_line(line, _LONGEST)}")


def _show_configuration(unapproved: ConfigurationNotApproved) -> None:
    from bigtask.configuration.keys import shown

    layer = unapproved.layer
    note(f"{unapproved.path} sets for runs here:")
    for name, said in layer.said.items():
        note(f"  {name} = {one_line(shown(said.value, longest=_LONGEST))}")
    for warning in layer.warnings:
        note(f"  not counted: {one_line(warning, _LONGEST)}")


def asked(unapproved: Unapproved) -> bool:
    """Whether the person at the terminal allows what is shown."""
    show(unapproved)
    what = _AS_IT_IS[type(unapproved)]
    return click.confirm(f"Allow {what} now, on this machine?", default=False, err=True)


_AS_IT_IS = {
    SettingsNotApproved: "these settings, as they are",
    Standing: "all of it, as it is",
    ConfigurationNotApproved: "this file, as it is",
}


def approve(approvals: Approvals, unapproved: Unapproved) -> None:
    if isinstance(unapproved, Standing):
        approvals.approve_rules(unapproved.root, unapproved.agent, unapproved.digest, unapproved.files)
        return
    kind = Kind.GIT if isinstance(unapproved, SettingsNotApproved) else Kind.CONFIG
    approvals.approve(kind, unapproved.path, unapproved.digest)
