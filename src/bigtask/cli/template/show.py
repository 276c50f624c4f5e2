"""`bigtask template show`: one template on a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bigtask.cli.frame import Frame, json_option, print_json
from bigtask.cli.template.options import SOURCES, cwd_option, entry, problem_line, template_argument

if TYPE_CHECKING:
    from bigtask.cli.screen import Screen
    from bigtask.templates.listed import Listed
    from bigtask.templates.manager import TemplateManager
    from bigtask.templates.template import Template


@click.command(
    short_help="One template: where it comes from, what it sets, what is wrong.",
    epilog="Example: bigtask template show documentation --resolved",
)
@template_argument
@click.option("--raw", "how", flag_value="raw", help="Its own file, as JSON.")
@click.option("--resolved", "how", flag_value="resolved", help="With everything that it inherits, as JSON.")
@cwd_option
@json_option
@click.pass_obj
def command(frame: Frame, template_id: str, how: str | None, cwd: Path, as_json: bool) -> None:
    """Shows where a template comes from, what a run with it would do, its variables and commands, and
    everything that is wrong with it."""
    templates = frame.templates(cwd)
    one = templates.find(template_id)
    if as_json:
        raw = how == "raw"
        body = None if one.errors else templates.export([template_id], resolved=not raw)[template_id]
        print_json({**entry(one), "template": body})
    elif how is not None:
        body = templates.export([template_id], resolved=how == "resolved")[template_id]
        click.echo(json.dumps(body, indent=2, ensure_ascii=False))
    else:
        _show(templates, one)


def _show(templates: TemplateManager, one: Listed) -> None:
    from bigtask.cli.screen import STYLES, Screen, note, word
    from bigtask.cli.template.list import state_of
    from bigtask.words import one_line

    screen = Screen()
    screen.print(word(one_line(f"{one.id}  {one.name}"), style="bold"))
    if one.description:
        screen.item("", one_line(one.description))
    state = state_of(one)
    screen.item("", f"{SOURCES[one.source]}, {state}" + (f", {one.path}" if one.path else ""))
    if not one.errors:
        _show_content(screen, templates, one.id)
    for problem in one.errors:
        screen.item("error", problem_line(problem), style=STYLES["error"])
    for problem in one.warnings:
        screen.item("warning", problem_line(problem), style=STYLES["warn"])
    if one.approved is False:
        note(f"\nRuns with it are refused until it is approved: bigtask template approve {one.id}")
    elif not one.errors:
        note(f"\nWhat agents are told: bigtask template preview {one.id} --phase worker")
    elif one.path is not None:
        note(f"\nCorrect it: bigtask template edit {one.id}")


def _show_content(screen: Screen, templates: TemplateManager, template_id: str) -> None:
    from bigtask.cli.screen import table, word
    from bigtask.cli.template.consenting import whole
    from bigtask.templates.commands import commands
    from bigtask.templates.variables import printed
    from bigtask.words import one_line

    template, chain = templates.get(template_id), templates.chain(template_id)
    if len(chain) > 1:
        screen.item("", f"extends {' -> '.join(chain[1:])}")
    screen.title("Settings that aren't the defaults")
    rows = table("setting", "value", fixed=("setting",))
    for name, value in _settings(template):
        rows.add_row(word(name, style=""), word(one_line(printed(value), 200), style=""))
    screen.print(rows) if rows.row_count else screen.item("", "none")
    if template.variables:
        screen.title("Variables, for --var NAME=VALUE")
        rows = table("name", "default", fixed=("name",))
        for name, value in template.variables.items():
            rows.add_row(word(name, style=""), word(one_line(printed(value), 200), style=""))
        screen.print(rows)
    found = list(commands(template))
    if found:
        screen.title("Commands")
    for where, words in found:
        screen.item(where, whole(words))


def _settings(template: Template) -> list[tuple[str, Any]]:
    """Of the config and the phases, by their pointers; commands stand apart."""
    from bigtask.templates.template import Config, Phases

    found = []
    for part, now, default in (
        ("config", template.config, Config()),
        ("phases", template.phases, Phases()),
    ):
        found += _differences(f"/{part}", _plain(now), _plain(default))
    return [(where, value) for where, value in found if not where.endswith(("ommands", "/setup"))]


def _plain(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value)


def _differences(where: str, now: dict[str, Any], default: dict[str, Any]) -> list[tuple[str, Any]]:
    found = []
    for key, value in now.items():
        if isinstance(value, dict):
            found += _differences(f"{where}/{key}", value, default[key])
        elif value != default[key]:
            found.append((f"{where}/{key}", value))
    return found
