"""`bigtask merge`: a run's result goes into the person's branch or folder, and out again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bigtask.cli.frame import EXIT_FAILED, EXIT_OK, Frame, carry_out, json_option, print_json, run_argument
from bigtask.cli.screen import note
from bigtask.errors import Conflict, InvalidInput
from bigtask.words import counted, plain

if TYPE_CHECKING:
    from bigtask.core.run import Run
    from bigtask.host.link import RunLink
    from bigtask.workspaces.forecast import Forecast

_LISTED = 50


@click.command(
    short_help="Take a run's result into your branch or folder.",
    epilog="\b\nExamples:\n  bigtask merge last --dry-run\n  bigtask merge last --undo",
)
@run_argument
@click.option("--undo", is_flag=True, help="Take it out again, where nothing has changed since.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done, and what stands in the way.")
@json_option
@click.pass_obj
def command(frame: Frame, run_id: str, undo: bool, dry_run: bool, as_json: bool) -> int:
    """Takes the result of an ended run into the branch that is checked out, or into the folder: by a
    fast-forward where you have committed nothing since, else by a merge commit.

    It says what it will do, and does it. Files that you have changed are never overwritten: where that would
    be needed, it is refused with their names, and nothing is done.
    """
    from bigtask.cli.reading import linked
    from bigtask.cli.steering import through
    from bigtask.workspaces.forecast import in_words

    if undo and dry_run:
        raise InvalidInput("--dry-run looks at a merge, not at its undoing: leave one of the two out")
    folder = frame.find(run_id)

    async def move(link: RunLink) -> tuple[Run, Forecast | None, dict[str, Any]]:
        run = await linked(link, folder.id)
        if undo:
            return run, None, await link.undo_merge(by=frame.who)
        seen = await link.foresee_merge()
        if dry_run or (seen.refused and run.outcome is not None):
            return run, seen, {}
        if run.outcome is not None and not as_json and seen.files:
            note(in_words(seen))
        return run, seen, await link.merge(by=frame.who)

    (run, seen, moved), _ = carry_out(lambda: through(frame, folder, "merge", move))
    if seen is not None and not moved:
        return _foreseen(run, seen, dry_run=dry_run, as_json=as_json)
    files, already = [str(path) for path in moved["files"]], bool(moved.get("already"))
    if as_json:
        print_json(
            {"id": run.id, "undone": undo, "already": already, "commit": moved["commit"], "files": files}
        )
        return EXIT_OK
    for path in files:
        click.echo(plain(path))
    note(_words(run, frame.name_of(folder), len(files), undo=undo, already=already))
    return EXIT_OK


def _foreseen(run: Run, seen: Forecast, *, dry_run: bool, as_json: bool) -> int:
    """Nothing was done: because nobody wanted it to be, or because it is refused."""
    from bigtask.workspaces.forecast import in_words

    if as_json and dry_run:
        import msgspec

        facts = msgspec.to_builtins(seen)
        facts["inTheWay"] = facts.pop("in_the_way")
        print_json({"id": run.id, "dryRun": True, **facts})
        return EXIT_FAILED if seen.refused else EXIT_OK
    if dry_run:
        for change in seen.files:
            click.echo(f"{change.status:<8} {plain(change.path)} +{change.insertions} -{change.deletions}")
        note(f"Would be done: {in_words(seen)}" if seen.files else in_words(seen))
        if run.outcome is None:
            note("The run hasn't ended: it can't be merged before it has.")
    if not seen.refused:
        return EXIT_OK
    for path in seen.in_the_way[:_LISTED]:
        note(f"  {path}")
    if len(seen.in_the_way) > _LISTED:
        note(f"  and {len(seen.in_the_way) - _LISTED} more")
    raise Conflict(seen.refused)


def _words(run: Run, name: str, files: int, *, undo: bool, already: bool) -> str:
    from bigtask.core.states import Outcome

    source = run.created.source
    place = f"branch {source.branch}" if source.branch else source.cwd
    if source.branch and not Path.cwd().is_relative_to(source.root):
        place += f" of {source.root}"
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
