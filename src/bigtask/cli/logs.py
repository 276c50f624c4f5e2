"""`bigtask logs`: the events of a run, one line each, and whether they are whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bigtask.cli.frame import EXIT_OK, Frame, carry_out, json_option, print_json, readable_argument
from bigtask.errors import InvalidInput, StoreError

if TYPE_CHECKING:
    from bigtask.host.source import RunSource


@click.command(
    short_help="The events of a run.",
    epilog="\b\nExamples:\n  bigtask logs last --after 40 --follow\n  bigtask logs last --verify",
)
@readable_argument
@click.option(
    "--after", default=0, metavar="SEQ", type=click.IntRange(min=0), help="Only events after this one."
)
@click.option("--follow", "-f", is_flag=True, help="Go on with new ones until the run ends.")
@click.option(
    "--verify",
    is_flag=True,
    help="Check the log instead: its file, order, events, counters and snapshot. Exits with 1 at a fault.",
)
@json_option
@click.pass_obj
def command(frame: Frame, run_id: str, after: int, follow: bool, verify: bool, as_json: bool) -> int:
    """The events of a run, one line each: number, local time, who, what, and the detail that matters.

    FILE.zip is what `bigtask export` made of a run, on this machine or another."""
    source = frame.source(run_id)
    if verify:
        if after or follow:
            raise InvalidInput("--verify looks at the whole log: leave --after and --follow out")
        return _verify(source, as_json=as_json)
    if follow and source.folder is None:
        raise InvalidInput("an export doesn't go on: leave --follow out")
    _list(source, after=after, follow=follow, as_json=as_json)
    return EXIT_OK


def _list(source: RunSource, *, after: int, follow: bool, as_json: bool) -> None:
    from bigtask.cli.event_line import MOODS
    from bigtask.cli.event_lines import head, line_of
    from bigtask.cli.reading import recorded
    from bigtask.cli.screen import Screen

    screen = Screen()

    async def show() -> None:
        async for run, event in recorded(source, follow=follow):
            if event.seq <= after:
                continue
            if as_json:
                print_json(event.public(source.id))
                continue
            line = line_of(run, event)
            style = MOODS[line.mood][1] if line.mood != "good" else ""
            screen.item(f"{event.seq:>4} {head(line, event.at, run)}", line.detail, style=style, indent=0)

    carry_out(show)


def _verify(source: RunSource, *, as_json: bool) -> int:
    from bigtask.cli.frame import EXIT_FAILED
    from bigtask.cli.screen import Screen, word
    from bigtask.cli.verified import facts, sentences

    try:
        found = carry_out(source.verify)
    except StoreError as error:
        if as_json:
            print_json({"ok": False, "runId": source.id, "fault": str(error)})
            return EXIT_FAILED
        raise
    if as_json:
        print_json({"ok": True, "runId": source.id, **facts(found)})
        return EXIT_OK
    screen = Screen()
    for sentence in sentences(found, exported=source.folder is None):
        screen.print(word(sentence, style=""))
    return EXIT_OK
