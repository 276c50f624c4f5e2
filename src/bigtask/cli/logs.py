"""`bigtask logs`: the events of a run, one line each."""

from __future__ import annotations

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json, run_argument


@click.command(short_help="The events of a run.", epilog="Example: bigtask logs last --after 40 --follow")
@run_argument
@click.option(
    "--after", default=0, metavar="SEQ", type=click.IntRange(min=0), help="Only events after this one."
)
@click.option("--follow", "-f", is_flag=True, help="Go on with new ones until the run ends.")
@json_option
@click.pass_obj
def command(frame: Frame, run_id: str, after: int, follow: bool, as_json: bool) -> None:
    """The events of a run, one line each: number, local time, who, what, and the detail that matters."""
    from bigtask.cli.event_lines import MOODS, head, line_of
    from bigtask.cli.reading import recorded
    from bigtask.cli.screen import Screen

    folder, screen = frame.find(run_id), Screen()

    async def show() -> None:
        async for run, event in recorded(folder, follow=follow):
            if event.seq <= after:
                continue
            if as_json:
                print_json(event.public(folder.id))
                continue
            line = line_of(run, event)
            style = MOODS[line.mood][1] if line.mood != "good" else ""
            screen.item(f"{event.seq:>4} {head(line, event.at, run)}", line.detail, style=style, indent=0)

    carry_out(show)
