"""`bigtask answer`: settles something that a run waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json, run_argument
from bigtask.cli.screen import note
from bigtask.errors import BigtaskError
from bigtask.words import counted

if TYPE_CHECKING:
    from bigtask.cli.editing import LooseRun


@click.command(
    short_help="Answer something that a run waits for.",
    epilog="\b\nExamples:\n  bigtask answer last w3 allow --scope task\n"
    "  bigtask answer last w3 deny --scope repository\n  bigtask answer last w1 edit\n"
    "  bigtask answer last w1 edit --data answer.json",
)
@run_argument
@click.argument("waiting_id", metavar="WAITING")
@click.argument("answer")
@click.option(
    "--scope",
    type=click.Choice(["once", "task", "run", "repository"]),
    default="once",
    show_default=True,
    help="For how long the answer to a permission holds: for this question, for the task in all its "
    "attempts, for the run, or for every run in this repository.",
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
    the answers that each of them takes.

    An answer that holds for longer covers exactly what was asked, as the inbox shows it.
    `bigtask permissions` lists what holds for repositories, and takes it back.

    `edit` is for an agent's answer that can't be used: without --data it opens your editor (VISUAL, else
    EDITOR) with what was wrong, what the agent said, and the fields that are wanted. What you save is checked
    before it counts.
    """
    from bigtask.cli.editing import LooseRun
    from bigtask.cli.handwritten import read_data
    from bigtask.core.commands import Answer
    from bigtask.core.status import status

    folder = frame.find(run_id)
    way = LooseRun(frame, folder, "answer")

    async def work() -> bool:
        from bigtask.cli.answer_editing import by_hand

        if answer == "edit" and data is None:
            waiting = by_hand(await way.run(), waiting_id)
            if waiting is not None:
                return await _edited(way, waiting_id, scope, frame.author)
        given = None if data is None else read_data(data)
        await way.ask(Answer(waiting_id=waiting_id, answer=answer, scope=scope, data=given, by=frame.author))
        return True

    answered = carry_out(work)
    run, held, name = way.seen, way.held, way.name
    if as_json:
        said = {"id": run.id, "waitingId": waiting_id, "answer": answer if answered else None, "scope": scope}
        print_json({**said, "status": status(run), "waiting": len(run.waiting), "held": held})
    if not answered:
        note(f"{waiting_id} still waits for its answer")
        return
    left = counted(len(run.waiting), "question")
    more = f" {left} left: bigtask show {name}." if run.waiting else ""
    on = "" if held or run.outcome is not None else f" Nobody carries the run on: bigtask resume {name}"
    held_for = "" if scope == "once" else f" for the {scope}"
    note(f"{waiting_id} is answered{held_for}: {answer}.{more}{on}")


async def _edited(way: LooseRun, waiting_id: str, scope: str, who: str) -> bool:
    from bigtask.cli.answer_editing import edit_answer
    from bigtask.cli.editor import draft

    with draft(".json") as text:
        try:
            return await edit_answer(way, text, way.seen.waiting[waiting_id], scope=scope, by=who)
        except BigtaskError:
            if text.keep:
                note(
                    f"what you wrote is kept: bigtask answer {way.name} {waiting_id} edit --data {text.path}"
                )
            raise
