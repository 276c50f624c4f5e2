"""`bigtask agents`: who can work here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bigtask.cli.frame import Frame, json_option, print_json
from bigtask.cli.screen import Screen, note, table, word
from bigtask.cli.words import one_line

if TYPE_CHECKING:
    from bigtask.agents.protocol import Agent


@click.command(
    short_help="The agents, and whether they can work here.", epilog="Example: bigtask agents --json"
)
@json_option
@click.pass_obj
def command(frame: Frame, as_json: bool) -> None:
    """The agents, in the order in which one is chosen when you name none, and whether they can work here."""
    found = [describe(agent) for agent in frame.agents.values()]
    if as_json:
        print_json({"agents": found})
        return
    screen = Screen()
    columns = ["agent", "usable", "account", "interrupt", "resume", "detail"]
    if not screen.wide:
        columns = ["agent", "usable", "account", "detail"]
    rows = table(*columns, fixed=("agent", "usable", "interrupt", "resume"))
    for one in found:
        cells = {
            "agent": one["name"],
            "usable": "yes" if one["usable"] else "no",
            "account": one["account"] or "–",
            "interrupt": "yes" if one["canInterrupt"] else "no",
            "resume": "yes" if one["canResume"] else "no",
            "detail": one_line(one["detail"]),
        }
        style = "" if one["usable"] else "dim"
        rows.add_row(*(word(str(cells[name]), style=style) for name in columns))
    screen.print(rows)
    note("\nscripted:FILE plays a script instead of a model: bigtask demo shows one")


def describe(agent: Agent) -> dict[str, Any]:
    available, traits = agent.availability(), agent.traits
    return {
        "name": agent.name,
        "usable": available.usable,
        "detail": available.detail,
        "account": available.account,
        "costsMoney": traits.costs_money,
        "canInterrupt": traits.can_interrupt,
        "canResume": traits.can_resume,
    }
