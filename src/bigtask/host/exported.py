"""Reading what `bigtask.host.export` wrote, wherever it comes from: nothing in it is believed or unpacked.

Only names that the manifest has are looked for, each is read into memory up to a bound, and no file is made.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bigtask.core.events import Event, decode
from bigtask.errors import InvalidInput, NewerSchema, NotFound, StoreError
from bigtask.host.export import EVENTS, FORMAT, MANIFEST, Manifest, transcript_name
from bigtask.host.home import is_run_id
from bigtask.host.log_file import SCHEMA
from bigtask.host.transcript import LIMIT
from bigtask.host.upcasters import upcast

_MOST_FILES = 100_000
_MOST_MANIFEST = 32 * 2**20
_MOST_PACKED = 2**30
_MOST_EVENTS = 128 * 2**20
_MOST_SAID = 2 * LIMIT
"""Placeholders may be longer than what they stand for."""
_PACKED = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_TRANSCRIPT = re.compile(r"transcripts/@?[a-z0-9][a-z0-9_-]{0,47}\.[1-9][0-9]{0,8}\.jsonl")


class _Line(msgspec.Struct, frozen=True):
    seq: int
    at: int
    type: str
    data: msgspec.Raw


class Export:
    """Every reading raises StoreError for what isn't as the manifest says."""

    def __init__(self, path: Path) -> None:
        """Raises NotFound, InvalidInput for what isn't an export, and NewerSchema."""
        self._path = path
        with self._opened() as archive:
            self.manifest = self._manifest(archive)

    def events(self) -> Iterator[Event]:
        """As today's schema has them; whether they can follow each other is the fold's to say."""
        with self._opened() as archive:
            content = self._content(archive, EVENTS, _MOST_EVENTS)
        for number, line in enumerate(content.splitlines(), 1):
            try:
                row = msgspec.json.decode(line, type=_Line)
                name, data = upcast(self.manifest.schema, row.type, bytes(row.data))
                yield Event(row.seq, row.at, decode(name, data))
            except (KeyError, TypeError, ValueError, RecursionError) as error:
                raise StoreError(f"line {number} of {EVENTS} can't be read as an event: {error}") from None

    def said(self, task_id: str, attempt: int) -> bytes:
        """JSON lines of an attempt's transcript; empty where none is in the export."""
        name = transcript_name(task_id, attempt)
        if name not in self.manifest.files:
            return b""
        with self._opened() as archive:
            return self._content(archive, name, _MOST_SAID)

    def verify(self) -> int:
        """Bytes of all its files, each of which is as the manifest says."""
        with self._opened() as archive:
            return sum(
                len(self._content(archive, name, _MOST_EVENTS if name == EVENTS else _MOST_SAID))
                for name in self.manifest.files
            )

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        try:
            if self._path.stat().st_size > _MOST_PACKED:
                raise InvalidInput(f"{self._path} is larger than any export of bigtask: it isn't read")
            with zipfile.ZipFile(self._path) as archive:
                if len(archive.infolist()) > _MOST_FILES:
                    raise InvalidInput(f"{self._path} has more files than any export of bigtask")
                yield archive
        except FileNotFoundError:
            raise NotFound(f"{self._path} isn't there") from None
        except OSError as error:
            raise InvalidInput(f"{self._path} can't be read: {error.strerror or error}") from None
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{self._path} isn't a whole zip file: {error}") from None

    def _manifest(self, archive: zipfile.ZipFile) -> Manifest:
        try:
            manifest = msgspec.json.decode(self._unpacked(archive, MANIFEST, _MOST_MANIFEST), type=Manifest)
        except (StoreError, ValueError, RecursionError) as error:
            raise InvalidInput(f"{self._path} isn't an export of bigtask: {error}") from None
        if manifest.format > FORMAT or manifest.schema > SCHEMA:
            raise NewerSchema(
                f"{self._path} was written by a newer bigtask ({manifest.bigtask}): upgrade this one"
            )
        if not is_run_id(manifest.run_id) or manifest.schema < 1:
            raise InvalidInput(f"{self._path} isn't an export of bigtask: it doesn't name its run")
        for name in manifest.files:
            if name != EVENTS and not _TRANSCRIPT.fullmatch(name):
                raise InvalidInput(f"{self._path} isn't an export of bigtask: it has a file {name[:80]!r}")
        return manifest

    def _content(self, archive: zipfile.ZipFile, name: str, most: int) -> bytes:
        promised = self.manifest.files.get(name)
        content = self._unpacked(archive, name, most)
        if promised is None or promised.sha256 != hashlib.sha256(content).hexdigest():
            raise StoreError(f"{name} in {self._path} isn't what its manifest says: the file was changed")
        return content

    def _unpacked(self, archive: zipfile.ZipFile, name: str, most: int) -> bytes:
        try:
            info = archive.getinfo(name)
        except KeyError:
            raise StoreError(f"it has no {name}") from None
        if info.compress_type not in _PACKED or info.flag_bits & 1:
            raise StoreError(f"{name} is packed in a way that exports aren't")
        if info.file_size > most:
            raise StoreError(f"{name} would have {info.file_size:,} bytes, at most {most:,} are read")
        with archive.open(info) as file:
            # What it says of its size isn't believed either.
            content = file.read(most + 1)
        if len(content) > most:
            raise StoreError(f"{name} has more than {most:,} bytes")
        return content
