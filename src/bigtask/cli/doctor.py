"""`bigtask doctor`: what is in force here and where it comes from, and what is left over."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from bigtask.cli.completion import template_ids
from bigtask.cli.frame import EXIT_FAILED, EXIT_OK, Frame, carry_out, json_option, print_json
from bigtask.words import counted

if TYPE_CHECKING:
    from bigtask.cli.screen import Screen
    from bigtask.configuration.resolution import Resolution
    from bigtask.configuration.standing import Standing
    from bigtask.doctor import Finding
    from bigtask.host.trust import Standing as Rules


@click.command(
    short_help="What is in force here, and what is left over.",
    epilog="Example: bigtask doctor --template documentation",
)
@click.option(
    "--template",
    metavar="ID",
    shell_complete=template_ids,
    help="Show the settings as they are for this template's runs.",
)
@json_option
@click.pass_obj
def command(frame: Frame, template: str | None, as_json: bool) -> int:
    """Looks at this machine and this folder, says which settings are in force and where each comes from, and
    changes nothing. Exits with 1 when there is something that bigtask can't work with; a warning alone
    doesn't."""
    from bigtask.cli.approve import rules_json
    from bigtask.doctor import Level
    from bigtask.process import capabilities

    found, standing, rules = carry_out(lambda: _look(frame, template))
    bad = [one for one in found if one.level is Level.PROBLEM]
    if as_json:
        settings = _settings_json(standing.resolution)
        about_rules = None if rules is None else rules_json(rules, rules.state)
        print_json(
            {
                "ok": not bad,
                "findings": [asdict(one) for one in found],
                "settings": settings,
                "projectRules": about_rules,
                "processes": list(capabilities().sentences()),
            }
        )
    else:
        _print(found, standing.resolution, template)
    return EXIT_FAILED if bad else EXIT_OK


async def _look(frame: Frame, template_id: str | None) -> tuple[list[Finding], Standing, Rules | None]:
    from bigtask.approvals import Approvals
    from bigtask.configuration.standing import standing
    from bigtask.doctor import containment, findings, programs_of_git, root_of, rules_of_agent
    from bigtask.leftovers import leftovers

    here = Path.cwd()
    templates = frame.templates(here)
    stands = standing(
        await root_of(here),
        os.environ,
        Approvals(frame.home.approvals),
        templates=templates,
        template_id=template_id,
    )
    found = await findings(frame.home, frame.agents, templates.list(), os.environ, stands)
    finding, rules = await rules_of_agent(frame.home, frame.agents, stands.resolution["agent"].value, here)
    about_here = [one for one in (await programs_of_git(frame.home, here), finding) if one is not None]
    return [*found, *about_here, containment(), *await leftovers(frame.home)], stands, rules


def _settings_json(resolution: Resolution) -> list[dict[str, Any]]:
    return [
        {
            "key": name,
            "value": msgspec.to_builtins(setting.value),
            "origin": {"layer": setting.origin.rank.value, "place": setting.origin.place},
            "note": setting.note,
        }
        for name, setting in resolution.settings.items()
    ]


def _print(found: list[Finding], resolution: Resolution, template: str | None) -> None:
    from bigtask.cli.screen import Screen, note, table, word
    from bigtask.doctor import Level

    screen = Screen()
    rows = table("", "what", "found", fixed=("", "what"))
    marks = {Level.OK: "ok", Level.ABSENT: "–", Level.WARN: "warn", Level.PROBLEM: "problem"}
    styles = {Level.OK: "green", Level.ABSENT: "dim", Level.WARN: "yellow", Level.PROBLEM: "bold red"}
    for one in found:
        said = word(one.text, style="")
        if one.next:
            urgent = one.level in (Level.WARN, Level.PROBLEM)
            said.append_text(word(f" → {one.next}", style="bold" if urgent else "dim"))
        rows.add_row(word(marks[one.level], style=styles[one.level]), word(one.area, style=""), said)
    screen.print(rows)
    _print_settings(screen, resolution)
    bad, warned = (sum(one.level is level for one in found) for level in (Level.PROBLEM, Level.WARN))
    if template is None:
        note("\nA template's own config stands above files: --template ID shows what its runs get.")
    note(f"\n{counted(bad, 'problem')}, {counted(warned, 'warning')}")


def _print_settings(screen: Screen, resolution: Resolution) -> None:
    from bigtask.cli.screen import table, word
    from bigtask.configuration.keys import shown

    screen.print()
    rows = table("setting", "value", "from", fixed=("setting",))
    for name, setting in resolution.settings.items():
        value = "not set" if setting.value is None else shown(setting.value)
        origin = str(setting.origin) + (f" ({setting.note})" if setting.note else "")
        chosen = setting.origin.rank != "default"
        style = "" if chosen else "dim"
        rows.add_row(word(name, style=style), word(value, style=style), word(origin, style=style))
    screen.print(rows)
