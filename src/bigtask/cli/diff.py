"""`bigtask diff`: what a run, or one of its tasks, has changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json, run_argument
from bigtask.cli.screen import Screen, note
from bigtask.words import counted, one_line, plain

if TYPE_CHECKING:
    from bigtask.host.link import RunLink
    from bigtask.workspaces.changes import FileChange

_MARKS = {"added": "A", "deleted": "D"}
_BAR = 40
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
_HEADS = ("diff ", "index ", "--- ", "+++ ", "new file", "deleted file", "old mode", "new mode")


@click.command(
    short_help="What a run or a task has changed.",
    epilog="\b\nExamples:\n  bigtask diff last docs-api\n  bigtask diff last --stat\n"
    "  bigtask diff last docs-api --conflict\n"
    "  bigtask diff last > change.patch",
)
@run_argument
@click.argument("task_id", metavar="[TASK]", required=False)
@click.option("--stat", is_flag=True, help="Only the files, with how many lines came and went.")
@click.option("--name-only", is_flag=True, help="Only the files' names.")
@click.option(
    "--conflict",
    is_flag=True,
    help="Of TASK, whose work is in conflict: what came first made of each file, and what the task did.",
)
@click.option("--no-pager", is_flag=True, help="Print it all at once, also on a terminal.")
@json_option
@click.pass_obj
def command(
    frame: Frame,
    run_id: str,
    task_id: str | None,
    stat: bool,
    name_only: bool,
    conflict: bool,
    no_pager: bool,
    as_json: bool,
) -> None:
    """What a run has changed so far, from where it began to its branch, as a patch. With TASK: what the last
    attempt at that task has changed.

    In a pipe the patch is exactly git's; on a terminal it is coloured, and shown page by page if it is long.
    A patch ends after 2 MiB and says so; --stat and --name-only always have every file.
    """
    from bigtask.cli.steering import through

    folder = frame.find(run_id)
    if conflict:
        if task_id is None:
            raise click.UsageError("--conflict needs TASK: the one whose work is in conflict")
        from bigtask.cli.conflict import lines
        from bigtask.cli.reading import load

        found = lines(carry_out(lambda: load(folder)), task_id)
        if as_json:
            print_json({"id": folder.id, "taskId": task_id, "conflict": "\n".join(found)})
        else:
            _show([_coloured(line) for line in found], pager=not no_pager)
        return

    async def look(link: RunLink) -> tuple[tuple[FileChange, ...], str]:
        return await link.changes(task_id), "" if stat or name_only else await link.diff(task_id)

    (changes, patch), _ = carry_out(lambda: through(frame, folder, "diff", look))
    if as_json:
        files = [
            {"path": c.path, "status": c.status, "insertions": c.insertions, "deletions": c.deletions}
            for c in changes
        ]
        print_json({"id": folder.id, "taskId": task_id, "files": files, "patch": patch})
    elif not changes:
        note("Nothing has changed.")
    elif name_only:
        _show([plain(change.path) for change in changes], pager=not no_pager)
    elif stat:
        _show(stat_lines(changes), pager=not no_pager)
    elif Screen().console.is_terminal:
        _show([_coloured(line) for line in patch.splitlines()], pager=not no_pager)
    else:
        click.echo(patch, nl=False)


def stat_lines(changes: Sequence[FileChange]) -> list[str]:
    """One a file, with a bar that is longest for the file with the most lines, and the sum."""
    most = max(change.insertions + change.deletions for change in changes)
    names = [one_line(change.path, 70) for change in changes]
    widest, digits = max(map(len, names)), len(str(most))
    lines = []
    for name, change in zip(names, changes, strict=True):
        plus, minus = _bar(change.insertions, most), _bar(change.deletions, most)
        bar = click.style("+" * plus, fg="green") + click.style("-" * minus, fg="red")
        mark = _MARKS.get(change.status, "M")
        lines.append(
            f"{mark} {name:<{widest}} {change.insertions + change.deletions:>{digits}} {bar}".rstrip()
        )
    plus, minus = sum(c.insertions for c in changes), sum(c.deletions for c in changes)
    return [*lines, f"{counted(len(changes), 'file')}, +{plus:,} −{minus:,}"]


def _bar(lines: int, most: int) -> int:
    if most <= _BAR:
        return lines
    return max(round(lines * _BAR / most), 1) if lines else 0


def _show(lines: list[str], *, pager: bool) -> None:
    """Coloured only on a terminal; what doesn't fit there goes through the person's pager ($PAGER)."""
    console = Screen().console
    colour = console.is_terminal and not console.no_color
    text = "\n".join(lines) + "\n"
    if console.is_terminal and pager and len(lines) >= console.height:
        click.echo_via_pager(text, color=colour)
    else:
        click.echo(text, nl=False, color=colour)


def _coloured(line: str) -> str:
    if line.startswith(_HEADS):
        return click.style(plain(line), bold=True)
    return click.style(plain(line), fg=_COLOURS.get(line[:1]))
