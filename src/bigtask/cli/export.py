"""`bigtask export`: a run as one file that can be sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json, run_argument
from bigtask.words import counted, short

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bigtask.core.events import Event
    from bigtask.host.export import Manifest

_LEFT = "the request, the plan, names of files and branches, what tasks reported and commands printed"


@click.command(
    short_help="A run as one file, to send with a bug report.",
    epilog="\b\nExamples:\n  bigtask export last bug.zip\n  bigtask export last run.html\n"
    "Read it: bigtask show bug.zip, bigtask logs bug.zip; run.html in any browser",
)
@run_argument
@click.argument("file", required=False, metavar="[FILE.zip|FILE.html]", type=click.Path(path_type=Path))
@click.option("--html", is_flag=True, help="One page to look at: what FILE.html asks for as well.")
@click.option("--no-transcripts", is_flag=True, help="Leave out what the agents were told and said.")
@json_option
@click.pass_obj
def command(
    frame: Frame, run_id: str, file: Path | None, html: bool, no_transcripts: bool, as_json: bool
) -> None:
    """Writes a run's events, transcripts and versions into a zip that says less of you: your home, your name,
    the project's path, mail addresses, keys and passwords are replaced as far as they can be told.
    As FILE.html it is one page for people: the run over time, what became of every task, checks and the bill,
    without transcripts.

    Look into it before you send it: what the run is about is in it."""
    from bigtask.errors import InvalidInput
    from bigtask.host.access import read
    from bigtask.host.export import write_export
    from bigtask.host.page_export import redaction_of
    from bigtask.host.transcript_folder import TranscriptFolder

    folder = frame.find(run_id)
    to = file or Path(f"bigtask-{short(folder.id)}.{'html' if html else 'zip'}")
    if to.suffix not in ((".html",) if html else (".zip", ".html")):
        wanted = ".html" if html else ".zip or .html"
        raise InvalidInput(f"{to} doesn't end with {wanted}: the end says what is written")
    events = carry_out(lambda: read(folder))
    if to.suffix == ".html":
        _page(frame, folder.id, events, to, as_json=as_json)
        return
    transcripts = None if no_transcripts else TranscriptFolder(folder.transcripts)
    redaction = redaction_of(frame.home, events, user=frame.who)
    written = write_export(to, folder.id, events, transcripts, redaction)
    if as_json:
        import msgspec

        manifest = msgspec.to_builtins(written.manifest)
        print_json({"file": str(to), "size": written.size, **manifest})
        return
    _tell(to, written.size, written.manifest)


def _page(frame: Frame, run_id: str, events: list[Event], to: Path, *, as_json: bool) -> None:
    from bigtask.cli.screen import Screen, note, word
    from bigtask.host.page_export import html_of, redaction_of, write_page

    redaction = redaction_of(frame.home, events, user=frame.who)
    size = write_page(to, html_of(run_id, events, redaction))
    redacted = {mark: number for mark, number in sorted(redaction.found.items()) if number}
    if as_json:
        print_json({"file": str(to), "size": size, "redacted": redacted})
        return
    Screen().print(word(f"{to}: {size / 1024:,.0f} KiB", style=""))
    _tell_replaced(redacted)
    note(f"Still in it: {_LEFT}")
    note("Look before you send it: open it in a browser")


def _tell(to: Path, size: int, manifest: Manifest) -> None:
    from bigtask.cli.screen import Screen, note, word

    said = sum(name.startswith("transcripts/") for name in manifest.files)
    held = f"{counted(manifest.events, 'event')}, " + (
        counted(said, "transcript") if manifest.transcripts else "no transcripts"
    )
    Screen().print(word(f"{to}: {held}, {size / 1024:,.0f} KiB", style=""))
    _tell_replaced(manifest.redacted)
    left = _LEFT
    if said:
        left += ", and every word that agents were told and said (--no-transcripts leaves these out)"
    note(f"Still in it: {left}")
    note(f"Look before you send it: unzip -p {to} | less")


def _tell_replaced(redacted: Mapping[str, int]) -> None:
    from bigtask.cli.screen import note

    replaced = ", ".join(f"{mark} {number}" for mark, number in redacted.items())
    note(f"\nReplaced: {replaced or 'nothing'}")
