"""`bigtask agents`: who can work here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json
from bigtask.cli.limit_words import wakes_at
from bigtask.cli.screen import Screen, note, table, word
from bigtask.words import counted, duration, one_line

if TYPE_CHECKING:
    from bigtask.agents.protocol import Agent
    from bigtask.core.answers import Answers
    from bigtask.host.answer_record import Record


@click.command(
    short_help="The agents, and whether they can work here.", epilog="Example: bigtask agents --json"
)
@json_option
@click.pass_obj
def command(frame: Frame, as_json: bool) -> None:
    """The agents, in the order in which one is chosen when you name none, and whether they can work here; and
    how well they kept to the form of their answers in the last runs that have ended.

    An answer is strict when it could be read as it came, repaired when it was mended first, asked again when
    it had to be given anew, and failed when a person had to see to it.
    """
    from bigtask.core.answers import shares
    from bigtask.host.answer_record import record
    from bigtask.host.at_work import sessions_and_limits

    found = [agent_json(agent) for agent in frame.agents.values()]
    standing = sessions_and_limits(frame.home)
    for one, agent in zip(found, frame.agents.values(), strict=True):
        one.update(standing(agent))
    last = carry_out(lambda: record(frame.home))
    if as_json:
        by_agent = {name: shares(counts) for name, counts in last.by_agent.items()}
        print_json({"agents": found, "answers": {"runs": last.runs, "byAgent": by_agent}})
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
            "account": (one["account"] or "–") + _limit(one["limit"]),
            "interrupt": "yes" if one["canInterrupt"] else "no",
            "resume": "yes" if one["canResume"] else "no",
            "detail": one_line(one["detail"]),
        }
        style = "" if one["usable"] else "dim"
        rows.add_row(*(word(str(cells[name]), style=style) for name in columns))
    screen.print(rows)
    for problem in _problems():
        note(f"not used: {problem}")
    at_work = sum(one["sessions"] for one in found)
    if at_work:
        note(f"{counted(at_work, 'session')} at work on this machine, of all runs")
    _show_answers(screen, last)
    note("\nscripted:FILE plays a script instead of a model: bigtask demo shows one")


def agent_json(agent: Agent) -> dict[str, Any]:
    available, traits = agent.availability(), agent.traits
    return {
        "name": agent.name,
        "usable": available.usable,
        "detail": available.detail,
        "account": available.account,
        "program": available.program,
        "install": available.install,
        "costsMoney": traits.costs_money,
        "canInterrupt": traits.can_interrupt,
        "canResume": traits.can_resume,
    }


def _problems() -> list[str]:
    """What keeps agents of the person's own from being there."""
    import os

    from bigtask.configuration.files import user_layer
    from bigtask.configuration.layers import of_environment

    layers = (user_layer(os.environ), of_environment(os.environ))
    return [problem for layer in layers for problem in layer.problems]


def _limit(limit: dict[str, Any] | None) -> str:
    if limit is None:
        return ""
    left = limit["msLeft"]
    if not left:
        return " (limited just now: one session tries again)"
    return f" (limited for {duration(left)}, until {wakes_at(time.time() * 1000 + left, left)})"


def _show_answers(screen: Screen, last: Record) -> None:
    if not last.by_agent:
        return
    screen.title("Answers in the last run" if last.runs == 1 else f"Answers in the last {last.runs:,} runs")
    columns = ("agent", "answers", "strict", "repaired", "asked again", "failed")
    rows = table(*columns, fixed=columns, right=columns[1:])
    for name, counts in last.by_agent.items():
        rows.add_row(
            *(word(cell, style="") for cell in (one_line(name, 60), f"{counts.total:,}", *_shares(counts)))
        )
    screen.print(rows)


def _shares(counts: Answers) -> list[str]:
    """In whole percents; one that isn't nothing never looks like it, nor one that isn't all."""
    kinds = (counts.strict, counts.repaired, counts.reasked, counts.failed)
    return [
        "0 %" if not n else f"{min(max(round(100 * n / counts.total), 1), 99 if n < counts.total else 100)} %"
        for n in kinds
    ]
