"""How the transcripts of a run lie in its folder, and how they are read.

TASK.N.txt         of an attempt that went on for a while: JSON lines
short.jsonl        of all that were over sooner: {"task", "attempt", "said": [lines]} each
beginning-X.txt    what the prompts of many attempts begin with
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

_BEGINNING = re.compile(r"beginning-[0-9a-f]{16}\.txt")


def own_file(path: Path, task_id: str, attempt: int) -> Path:
    return path / f"{task_id}.{attempt}.txt"


def short_file(path: Path) -> Path:
    return path / "short.jsonl"


def short_head(task_id: str, attempt: int) -> bytes:
    """What the line of an attempt in the shared file begins with."""
    return msgspec.json.encode({"task": task_id, "attempt": attempt})[:-1] + _SAID


_SAID = b',"said":['


def beginning_name(text: bytes) -> str:
    return f"beginning-{hashlib.sha256(text).hexdigest()[:16]}.txt"


class _Short(msgspec.Struct):
    said: list[msgspec.Raw]


class TranscriptFolder:
    """Reads what `Transcripts` writes, also while it is being written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._short: dict[bytes, list[int]] = {}
        """Where the lines of an attempt begin in the shared file, by what they begin with."""
        self._short_read = 0

    def read(self, task_id: str, attempt: int) -> bytes:
        """The JSON lines `{"who", "text"}` of an attempt, empty where nothing was said. Raises OSError."""
        own = own_file(self._path, task_id, attempt)
        lines = [
            *self._read_short(task_id, attempt),
            *(own.read_bytes().splitlines(keepends=True) if own.exists() else ()),
        ]
        return b"".join(self._whole(line) for line in lines)

    def read_end(self, task_id: str, attempt: int, most_bytes: int) -> bytes:
        """Its last lines, about so many bytes, the first perhaps cut. Raises OSError."""
        own = own_file(self._path, task_id, attempt)
        if not own.exists():
            return self.read(task_id, attempt)[-most_bytes:]
        with own.open("rb") as file:
            whole = file.seek(0, os.SEEK_END)
            file.seek(max(0, whole - most_bytes))
            return b"".join(self._whole(line) for line in file)

    def _read_short(self, task_id: str, attempt: int) -> Iterator[bytes]:
        file = short_file(self._path)
        if not file.exists():
            return
        with file.open("rb") as shared:
            shared.seek(self._short_read)
            for line in shared:
                if not line.endswith(b"\n"):
                    break  # it is being written
                head, said, _ = line.partition(_SAID)
                # A crash leaves the beginning of a line.
                if said and line.endswith(b"]}\n"):
                    self._short.setdefault(head + said, []).append(self._short_read)
                self._short_read += len(line)
            for place in self._short.get(short_head(task_id, attempt), ()):
                shared.seek(place)
                for words in msgspec.json.decode(shared.readline(), type=_Short).said:
                    yield bytes(words) + b"\n"

    def _whole(self, line: bytes) -> bytes:
        if b'"after":' not in line:
            return line
        try:
            said = msgspec.json.decode(line, type=dict[str, str])
            name = said.pop("after")
            beginning = (self._path / name).read_text("utf-8") if _BEGINNING.fullmatch(name) else ""
        except (msgspec.DecodeError, KeyError, OSError):
            return line
        return msgspec.json.encode({**said, "text": beginning + said["text"]}) + b"\n"
