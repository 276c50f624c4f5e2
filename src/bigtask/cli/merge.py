"""`bigtask merge`: a run's result goes into the person's branch or folder, and out again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json, run_argument
from bigtask.cli.screen import note
from bigtask.cli.words import counted, plain

if TYPE_CHECKING:
    from bigtask.core.run import Run
    from bigtask.host.link import RunLink


@click.command(
    short_help="Take a run's result into your branch or folder.", epilog="Example: bigtask merge last --undo"
)
@run_argument
@click.option("--undo", is_flag=True, help="Take it out again, where nothing has changed since.")
@json_option
@click.pass_obj
def command(frame: Frame, run_id: str, undo: bool, as_json: bool) -> None:
    """Takes the result of an ended run into the branch that is checked out, or into the folder.

    Files that you have changed are never overwritten: where that would be needed, it is refused and nothing
    is done.
    """
    from bigtask.cli.reading import linked
    from bigtask.cli.steering import through

    folder = frame.find(run_id)

    async def move(link: RunLink) -> tuple[Run, dict[str, object]]:
        moved = await (link.undo_merge(by=frame.who) if undo else link.merge(by=frame.who))
        return await linked(link, folder.id), moved

    (run, moved), _ = carry_out(lambda: through(frame, folder, "merge", move))
    files = [str(path) for path in moved["files"]] if isinstance(moved["files"], list) else []
    already = bool(moved.get("already"))
    if as_json:
        print_json(
            {"id": run.id, "undone": undo, "already": already, "commit": moved["commit"], "files": files}
        )
        return
    for path in files:
        click.echo(plain(path))
    note(_words(run, frame.name_of(folder), len(files), undo=undo, already=already))


def _words(run: Run, name: str, files: int, *, undo: bool, already: bool) -> str:
    from bigtask.core.states import Outcome

    source = run.created.source
    place = f"branch {source.branch}" if source.branch else source.cwd
    if undo:
        return f"{counted(files, 'file')} as before the merge. Again: bigtask merge {name}"
    if already:
        return "Your branch has the result already: nothing was to do."
    if not files:
        return "The run has changed nothing: nothing was to do."
    said = f"{counted(files, 'file')} merged ({place}). Take them out again: bigtask merge {name} --undo"
    if run.outcome is not Outcome.COMPLETE:
        said = f"The run is {run.outcome}: what it completed is merged, the rest is missing.\n{said}"
    return said
