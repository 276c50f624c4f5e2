"""A run as one HTML page that can be sent: what `bigtask.report.page` makes of its redacted events."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from bigtask.core.events import Created, Event
from bigtask.core.run import Run
from bigtask.errors import StoreError
from bigtask.host.export import new_file, redacted
from bigtask.host.home import Home
from bigtask.host.redaction import Redaction
from bigtask.host.verification import step
from bigtask.report.page import page
from bigtask.report.result import result_of
from bigtask.report.timeline import timeline_of


def redaction_of(
    home: Home, events: Iterable[Event], *, user: str, environ: Mapping[str, str] | None = None
) -> Redaction:
    """For what goes to others of the run that these events made."""
    places = {"home": str(Path.home()), "bigtask": str(home.path)}
    created = next((event.data for event in events if isinstance(event.data, Created)), None)
    if created is not None:
        places["project"] = created.source.root
    return Redaction(places=places, user=user, environ=os.environ if environ is None else environ)


def html_of(run_id: str, events: Iterable[Event], redaction: Redaction) -> str:
    """Raises StoreError for events that are no run."""
    run: Run | None = None
    told: list[Event] = []
    for event in events:
        told.append(redacted(event, redaction)[1])
        run = step(run, told[-1], run_id)
    if run is None:
        raise StoreError("the log is empty: there is nothing to export")
    style = files("bigtask.dashboard").joinpath("static/style.css").read_text(encoding="utf-8")
    made = f"Made by bigtask {version('bigtask')} on {datetime.now(UTC):%Y-%m-%d %H:%M}; times are UTC."
    left_out = ", ".join(f"{mark} {number}" for mark, number in sorted(redaction.found.items()) if number)
    made += f" Replaced: {left_out}." if left_out else ""
    return page(result_of(run), timeline_of(run, told), style=style, made=made)


def write_page(to: Path, text: str) -> int:
    """Bytes written. Raises InvalidInput where `to` is there already or can't be written."""
    with new_file(to) as file:
        return file.write(text.encode())
