"""`bigtask confirm`: a person's word that the workers may start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bigtask.cli.frame import Frame, json_option, run_argument, watch_option
from bigtask.errors import InvalidInput

if TYPE_CHECKING:
    from bigtask.core.commands import Modification


@click.command(epilog="Example: bigtask confirm last --skip changelog --priority core=1")
@run_argument
@click.option("--skip", multiple=True, metavar="TASK", help="Go on without this task.")
@click.option("--priority", "priorities", multiple=True, metavar="TASK=N", help="1 (most urgent) to 10.")
@click.option("--revision", type=int, metavar="N", help="Only if the plan is still this revision.")
@watch_option
@json_option
@click.pass_obj
def command(
    frame: Frame,
    run_id: str,
    skip: tuple[str, ...],
    priorities: tuple[str, ...],
    revision: int | None,
    watch: bool,
    as_json: bool,
) -> int:
    """Start the workers of a plan.

    If no process carries the run out, this one does, and shows it as `run` does.
    """
    from bigtask.cli.carrying import ask_and_carry
    from bigtask.core.commands import Confirm

    wanted = Confirm(revision=revision, modifications=_modifications(skip, priorities), by=frame.who)
    return ask_and_carry(frame, run_id, wanted, watch=watch, as_json=as_json)


def _modifications(skip: tuple[str, ...], priorities: tuple[str, ...]) -> dict[str, Modification]:
    from bigtask.core.commands import Modification

    urgency = dict(_priority(pair) for pair in priorities)
    return {
        id: Modification(skip=id in skip, priority=urgency.get(id)) for id in dict.fromkeys((*skip, *urgency))
    }


def _priority(pair: str) -> tuple[str, int]:
    id, _, number = pair.rpartition("=")
    if not id or not number.isdecimal() or not 1 <= int(number) <= 10:
        raise InvalidInput(f"--priority {pair!r} isn't TASK=N with N from 1 to 10")
    return id, int(number)
