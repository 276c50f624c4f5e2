"""`bigtask permissions`: what holds for repositories by answers that were given once, and taking it back."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from bigtask.cli.frame import Frame, json_option, print_json
from bigtask.cli.screen import Screen, note, word
from bigtask.core.events import iso
from bigtask.kept_answers import KeptAnswer, KeptAnswers
from bigtask.words import letter_by_letter, one_line, short


@click.command(
    short_help="What agents may do in a repository, by your answers.",
    epilog="\b\nExamples:\n  bigtask permissions\n  bigtask permissions --revoke 3f9c2a1b",
)
@click.option("--revoke", "id", metavar="ID", help="Take this one back: runs ask again from here on.")
@json_option
@click.pass_obj
def command(frame: Frame, id: str | None, as_json: bool) -> None:
    """What agents may or may not do in a repository, in every run, because somebody has answered a question
    with `--scope repository`.

    Each covers exactly what was asked. A run that remembers an answer of its own keeps to that one. Rules
    that you write yourself belong into your configuration, as `permissions`.
    """
    kept = KeptAnswers(frame.home.permissions)
    if id is not None:
        revoked = kept.revoke(id, by=frame.author)
        if as_json:
            print_json(msgspec.to_builtins(revoked))
        note(
            f"taken back: {revoked.answer} {letter_by_letter(revoked.rule)} in {one_line(revoked.repository)}"
        )
        return
    listed = kept.listed()
    if as_json:
        print_json({"permissions": [msgspec.to_builtins(each) for each in listed]})
        return
    if not listed:
        note("No answer holds for a repository.")
        return
    _show(listed)


def _show(listed: tuple[KeptAnswer, ...]) -> None:
    screen = Screen()
    for repository in sorted({each.repository for each in listed}):
        gone = "" if Path(repository).is_dir() else "  (not there any more)"
        screen.print(word(f"{one_line(repository)}{gone}", style="bold"))
        for each in listed:
            if each.repository == repository:
                screen.item(each.id, f"{each.answer} {letter_by_letter(each.rule)}")
                screen.item(
                    "", f"by {one_line(each.by)}, {iso(each.at)}, in run {short(each.run_id)}", style="dim"
                )
    note("`bigtask permissions --revoke ID` takes one back.")
