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
    """The events of a run, one line each: number, time, type, task and attempt, and what it says."""
    from bigtask.cli.log_line import line, style
    from bigtask.cli.reading import recorded
    from bigtask.cli.screen import Screen, word

    folder, screen = frame.find(run_id), Screen()

    async def show() -> None:
        async for event in recorded(folder, follow=follow):
            if event.seq <= after:
                continue
            if as_json:
                print_json(event.public(folder.id))
            else:
                screen.print(word(line(event), style=style(event)))

    carry_out(show)
