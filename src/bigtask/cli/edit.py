"""`bigtask edit`: the plan of a run in the person's editor."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json, run_argument
from bigtask.cli.screen import note
from bigtask.errors import BigtaskError, InvalidInput

if TYPE_CHECKING:
    from bigtask.cli.editing import LooseRun
    from bigtask.cli.plan_editing import Edited
    from bigtask.host.home import RunFolder


@click.command(
    short_help="The plan of a run, in your editor.",
    epilog="\b\nExamples:\n  bigtask edit last\n  bigtask edit last --print > plan.toml\n"
    "  bigtask edit last --from plan.toml",
)
@run_argument
@click.option(
    "--print", "prints", is_flag=True, help="Print the plan as it would be edited, and change nothing."
)
@click.option(
    "--from", "given", metavar="FILE", help="Take the plan over from this file; - is standard input."
)
@json_option
@click.pass_obj
def command(frame: Frame, run_id: str, prints: bool, given: str | None, as_json: bool) -> None:
    """Opens the plan in your editor (VISUAL, else EDITOR): to add, drop, merge and change tasks.

    What you save is checked before it is taken over, and you can go on editing what can't be used. Tasks that
    are done or at work stay as they are.
    """
    if prints and given is not None:
        raise InvalidInput("--print changes nothing and --from does: leave one of them out")
    folder = frame.find(run_id)
    if prints:
        click.echo(carry_out(lambda: _printed(frame, folder)), nl=False)
        return
    from bigtask.cli.editing import LooseRun

    way = LooseRun(frame, folder, "edit")
    edited = carry_out(lambda: _from(frame, way, given) if given is not None else _edited(frame, way))
    run = way.seen
    name = frame.name_of(folder)
    if as_json:
        import msgspec

        from bigtask.core.status import status

        made = msgspec.to_builtins(edited.edits) if edited is not None else []
        revision = run.plan.revision if run.plan is not None else None
        print_json(
            {"id": run.id, "revision": revision, "edits": made, "status": status(run), "held": way.held}
        )
    if edited is None:
        note("the plan stays as it is")
        return
    note(f"the plan is revision {edited.revision} now: {edited.words}")
    if run.plan is not None and not run.confirmed:
        note(f"start its workers: bigtask confirm {name}")


async def _printed(frame: Frame, folder: RunFolder) -> str:
    from bigtask.cli.plan_editing import plan_of
    from bigtask.cli.plan_text import text_of
    from bigtask.cli.reading import load

    run = await load(folder)
    plan_of(run)
    return text_of(run)


async def _from(frame: Frame, way: LooseRun, given: str) -> Edited | None:
    from bigtask.cli.plan_editing import Edited, edits_of, plan_of
    from bigtask.core.commands import EditPlan

    text = _read(given)
    run = await way.run()
    plan = plan_of(run)
    edits = edits_of(run, plan, text, knows=way.knows)
    if not edits:
        return None
    await way.ask(EditPlan(revision=plan.revision, edits=edits, by=frame.who))
    return Edited(revision=plan.revision + 1, edits=edits)


def _read(given: str) -> str:
    from bigtask.cli.plan_text import LONGEST

    try:
        if given == "-":
            content = sys.stdin.buffer.read(LONGEST + 1)
        else:
            with open(given, "rb") as file:
                content = file.read(LONGEST + 1)
        text = content.decode()
    except OSError as error:
        raise InvalidInput(f"{given} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{given} isn't UTF-8: save it as such") from None
    if len(content) > LONGEST:
        raise InvalidInput(f"{given} is longer than {LONGEST:,} bytes: a plan is shorter")
    return text


async def _edited(frame: Frame, way: LooseRun) -> Edited | None:
    from bigtask.cli.editor import draft
    from bigtask.cli.plan_editing import edit_plan, plan_of

    # Before an editor opens for nothing.
    plan_of(await way.run())
    with draft(".toml") as text:
        try:
            return await edit_plan(way, text, by=frame.who)
        except BigtaskError:
            if text.keep:
                note(f"what you wrote is kept: bigtask edit {way.name} --from {text.path}")
            raise
