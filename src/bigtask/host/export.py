"""A run as one file that can be sent: a zip that `bigtask.host.exported` reads again anywhere.

    manifest.json          who wrote it in which versions, and the size and SHA-256 of each other file
    events.jsonl           every event: {"seq", "at", "type", "data"}, as today's schema has them
    transcripts/T.N.jsonl  what was said in attempt N at task T: {"who", "text"}

Everything in it has gone through a `Redaction`.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from bigtask.core.events import Event, decode
from bigtask.core.run import Run
from bigtask.errors import InvalidInput, StoreError
from bigtask.host.log_file import SCHEMA
from bigtask.host.redaction import Redaction
from bigtask.host.transcript_folder import TranscriptFolder
from bigtask.host.verification import step

FORMAT = 1
MANIFEST = "manifest.json"
EVENTS = "events.jsonl"


class File(msgspec.Struct, frozen=True, kw_only=True):
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`files` by their names in the zip; `redacted` counts what was replaced, by placeholder."""

    format: int
    run_id: str
    bigtask: str
    schema: int
    python: str
    sqlite: str
    system: str
    events: int
    files: Mapping[str, File]
    redacted: Mapping[str, int] = {}
    transcripts: bool = True


@dataclass(frozen=True, kw_only=True)
class Written:
    manifest: Manifest
    size: int
    """Bytes of the zip."""


def write_export(
    to: Path, run_id: str, events: Iterable[Event], transcripts: TranscriptFolder | None, redaction: Redaction
) -> Written:
    """Raises InvalidInput where `to` is there already or can't be written, and StoreError for events that
    are no run; then nothing is left at `to`."""
    with new_file(to) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        manifest = _fill(archive, run_id, events, transcripts, redaction)
    return Written(manifest=manifest, size=to.stat().st_size)


@contextmanager
def new_file(to: Path) -> Iterator[BinaryIO]:
    """For the person's eyes alone, and gone again where it can't be filled. Raises InvalidInput where `to` is
    there already or can't be written."""
    try:
        descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise InvalidInput(f"{to} is there already: choose another name") from None
    except OSError as error:
        raise InvalidInput(f"{to} can't be written: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
    except BaseException as error:
        to.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InvalidInput(f"{to} can't be written: {error.strerror}") from None
        raise


def _fill(
    archive: zipfile.ZipFile,
    run_id: str,
    events: Iterable[Event],
    transcripts: TranscriptFolder | None,
    redaction: Redaction,
) -> Manifest:
    run: Run | None = None
    lines: list[bytes] = []
    for event in events:
        line, told = redacted(event, redaction)
        run = step(run, told, run_id)
        lines.append(line)
    if run is None:
        raise StoreError("the log is empty: there is nothing to export")
    files = {EVENTS: _add(archive, EVENTS, b"".join(lines))}
    for name, said in _said(run, transcripts, redaction) if transcripts is not None else ():
        files[name] = _add(archive, name, said)
    manifest = Manifest(
        format=FORMAT,
        run_id=run_id,
        bigtask=version("bigtask"),
        schema=SCHEMA,
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        system=f"{platform.system()} {platform.release()}",
        events=len(lines),
        files=files,
        redacted={mark: number for mark, number in sorted(redaction.found.items()) if number},
        transcripts=transcripts is not None,
    )
    archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    return manifest


def redacted(event: Event, redaction: Redaction) -> tuple[bytes, Event]:
    """The event as a line of events.jsonl, and the event that is read back from this line. Raises StoreError
    for one that can't be redacted and stay an event."""
    data = redaction.value(msgspec.to_builtins(event.data, str_keys=True))
    line = msgspec.json.encode({"seq": event.seq, "at": event.at, "type": event.type, "data": data})
    try:
        told = Event(event.seq, event.at, decode(event.type, msgspec.json.encode(data)))
    except msgspec.DecodeError as error:
        raise StoreError(
            f"event {event.seq} ({event.type}) can't be redacted and stay one: {error}"
        ) from None
    return line + b"\n", told


def _said(run: Run, transcripts: TranscriptFolder, redaction: Redaction) -> Iterator[tuple[str, bytes]]:
    for record in run.all_records():
        for attempt in record.attempts:
            try:
                said = transcripts.read(record.task.id, attempt.number)
            except OSError:
                continue
            lines = [_piece(line, redaction) for line in said.splitlines()]
            if any(lines):
                yield transcript_name(record.task.id, attempt.number), b"".join(lines)


def _piece(line: bytes, redaction: Redaction) -> bytes:
    try:
        piece: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return b""  # a crash cut it
    return msgspec.json.encode(redaction.value(piece)) + b"\n"


def transcript_name(task_id: str, attempt: int) -> str:
    return f"transcripts/{task_id}.{attempt}.jsonl"


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> File:
    archive.writestr(name, content)
    return File(size=len(content), sha256=hashlib.sha256(content).hexdigest())
