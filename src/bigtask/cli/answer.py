"""`bigtask answer`: settles something that a run waits for."""

from __future__ import annotations

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json, run_argument
from bigtask.cli.screen import note
from bigtask.cli.words import counted


@click.command(
    short_help="Answer something that a run waits for.",
    epilog="Example: bigtask answer last w3 allow --scope task",
)
@run_argument
@click.argument("waiting_id", metavar="WAITING")
@click.argument("answer")
@click.option(
    "--scope",
    type=click.Choice(["once", "task", "run"]),
    default="once",
    show_default=True,
    help="For how long the answer holds.",
)
@click.option(
    "--data",
    metavar="FILE",
    help="With `edit`: a JSON file with what the agent should have answered; - is standard input.",
)
@json_option
@click.pass_obj
def command(
    frame: Frame, run_id: str, waiting_id: str, answer: str, scope: str, data: str | None, as_json: bool
) -> None:
    """Answers something that a run waits for. `bigtask inbox` and `bigtask show RUN` list what there is, with
    the answers that each of them takes."""
    from bigtask.cli.handwritten import read_data
    from bigtask.cli.steering import ask
    from bigtask.core.commands import Answer
    from bigtask.core.status import status

    folder = frame.find(run_id)
    name = frame.name_of(folder)
    given = None if data is None else read_data(data)

    wanted = Answer(waiting_id=waiting_id, answer=answer, scope=scope, data=given, by=frame.who)
    run, held = carry_out(lambda: ask(frame, folder, "answer", wanted))
    if as_json:
        answered = {"id": run.id, "waitingId": waiting_id, "answer": answer, "scope": scope}
        print_json({**answered, "status": status(run), "waiting": len(run.waiting), "held": held})
    left = counted(len(run.waiting), "question")
    more = f" {left} left: bigtask show {name}." if run.waiting else ""
    on = "" if held or run.outcome is not None else f" Nobody carries the run on: bigtask resume {name}"
    note(f"{waiting_id} is answered: {answer}.{more}{on}")
