"""`bigtask export`: a run as one file that can be sent."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bigtask.cli.frame import Frame, carry_out, json_option, print_json, run_argument
from bigtask.words import counted, short

if TYPE_CHECKING:
    from bigtask.host.export import Manifest
    from bigtask.host.redaction import Redaction


@click.command(
    short_help="A run as one file, to send with a bug report.",
    epilog="\b\nExample: bigtask export last bug.zip\nRead it: bigtask show bug.zip, bigtask logs bug.zip",
)
@run_argument
@click.argument("file", required=False, metavar="[FILE.zip]", type=click.Path(path_type=Path))
@click.option("--no-transcripts", is_flag=True, help="Leave out what the agents were told and said.")
@json_option
@click.pass_obj
def command(frame: Frame, run_id: str, file: Path | None, no_transcripts: bool, as_json: bool) -> None:
    """Writes a run's events, transcripts and versions into a zip that says less of you: your home, your name,
    the project's path, mail addresses, keys and passwords are replaced as far as they can be told.

    Look into it before you send it: what the run is about is in it."""
    from bigtask.errors import InvalidInput
    from bigtask.host.access import read
    from bigtask.host.export import write_export
    from bigtask.host.transcript_folder import TranscriptFolder

    folder = frame.find(run_id)
    to = file or Path(f"bigtask-{short(folder.id)}.zip")
    if to.suffix != ".zip":
        raise InvalidInput(f"{to} doesn't end with .zip, by which the other commands know an export")
    events = carry_out(lambda: read(folder))
    transcripts = None if no_transcripts else TranscriptFolder(folder.transcripts)
    redaction = _redaction(frame, events[0].data if events else None)
    written = write_export(to, folder.id, events, transcripts, redaction)
    if as_json:
        import msgspec

        manifest = msgspec.to_builtins(written.manifest)
        print_json({"file": str(to), "size": written.size, **manifest})
        return
    _tell(to, written.size, written.manifest)


def _redaction(frame: Frame, created: object) -> Redaction:
    from bigtask.core.events import Created
    from bigtask.host.redaction import Redaction

    places = {"home": str(Path.home()), "bigtask": str(frame.home.path)}
    if isinstance(created, Created):
        places["project"] = created.source.root
    return Redaction(places=places, user=frame.who, environ=os.environ)


def _tell(to: Path, size: int, manifest: Manifest) -> None:
    from bigtask.cli.screen import Screen, note, word

    said = sum(name.startswith("transcripts/") for name in manifest.files)
    held = f"{counted(manifest.events, 'event')}, " + (
        counted(said, "transcript") if manifest.transcripts else "no transcripts"
    )
    Screen().print(word(f"{to}: {held}, {size / 1024:,.0f} KiB", style=""))
    replaced = ", ".join(f"{mark} {number}" for mark, number in manifest.redacted.items())
    note(f"\nReplaced: {replaced or 'nothing'}")
    left = "the request, the plan, names of files and branches, what tasks reported and commands printed"
    if said:
        left += ", and every word that agents were told and said (--no-transcripts leaves these out)"
    note(f"Still in it: {left}")
    note(f"Look before you send it: unzip -p {to} | less")
