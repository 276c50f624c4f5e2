"""Where a run's records are read from: its folder, whoever holds it, or an export from another machine."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from bigtask.core.events import Event
from bigtask.core.run import Run
from bigtask.errors import NotFound, StoreError
from bigtask.host import access
from bigtask.host.exported import Export
from bigtask.host.home import RunFolder
from bigtask.host.lock import reading
from bigtask.host.log_file import looking
from bigtask.host.transcript_folder import TranscriptFolder
from bigtask.host.verification import Verified, step, verify_events, verify_file


class RunSource(Protocol):
    """A run's record, wherever it is kept. Its methods raise StoreError for what can't be read, and of a
    folder what `access.read` raises."""

    @property
    def id(self) -> str: ...

    @property
    def folder(self) -> RunFolder | None:
        """Where something can be done with the run; None where it can only be looked at."""

    async def events(self) -> list[Event]: ...

    async def run(self) -> Run: ...

    async def verify(self) -> Verified: ...

    def said(self, task_id: str, attempt: int, most_bytes: int) -> bytes:
        """The end of an attempt's transcript, the first line perhaps cut. Raises OSError as well."""


class FolderSource:
    def __init__(self, folder: RunFolder) -> None:
        self.id = folder.id
        self.folder: RunFolder | None = folder
        self._folder = folder

    async def events(self) -> list[Event]:
        return await access.read(self._folder)

    async def run(self) -> Run:
        return await access.read_run(self._folder)

    async def verify(self) -> Verified:
        with reading(self._folder.lock) as free:
            if free:
                with looking(self._folder.log) as connection:
                    if connection is None:
                        raise StoreError("the log is empty: its run was never made whole")
                    return verify_file(connection, self.id)
        return verify_events(await self.events(), self.id)

    def said(self, task_id: str, attempt: int, most_bytes: int) -> bytes:
        return TranscriptFolder(self._folder.transcripts).read_end(task_id, attempt, most_bytes)


class ExportSource:
    folder: RunFolder | None = None

    def __init__(self, path: Path) -> None:
        """Raises what `Export` raises."""
        self.export = Export(path)
        self.id = self.export.manifest.run_id

    async def events(self) -> list[Event]:
        return list(self.export.events())

    async def run(self) -> Run:
        return state_at(await self.events(), self.id)

    async def verify(self) -> Verified:
        self.export.verify()
        return verify_events(self.export.events(), self.id)

    def said(self, task_id: str, attempt: int, most_bytes: int) -> bytes:
        return self.export.said(task_id, attempt)[-most_bytes:]


def state_at(events: list[Event], run_id: str, at: int | None = None) -> Run:
    """After the event `at`, by default the last. Raises NotFound where there is no such event."""
    if at is not None and not 1 <= at <= len(events):
        raise NotFound(f"the run has no event {at}: they go from 1 to {len(events)}")
    run: Run | None = None
    for event in events[:at]:
        run = step(run, event, run_id)
    if run is None:
        raise StoreError("the log is empty: its run was never made whole")
    return run
