"""What was said in an attempt, in a file of its own: bounded, readable while it grows."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from bigtask.sink import Redact

LIMIT = 16 * 1024 * 1024
"""Bytes of one transcript; what comes after is counted, not kept."""


class Transcript:
    """JSON lines `{"who", "text"}`; who is `prompt`, `agent`, `tool`, `question` or `person`."""

    def __init__(self, path: Path, redact: Redact) -> None:
        self._path = path
        self._redact = redact
        self._descriptor: int | None = None
        self.size = 0
        self.dropped = 0

    def write(self, who: str, text: str) -> None:
        """A full disk loses transcript lines, never the run."""
        line = msgspec.json.encode({"who": who, "text": self._redact(text)}) + b"\n"
        if self.size + len(line) > LIMIT:
            self.dropped += 1
            return
        try:
            if self._descriptor is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                self._descriptor = os.open(self._path, flags, 0o600)
                self.size = os.fstat(self._descriptor).st_size
            self.size += os.write(self._descriptor, line)
        except OSError:
            self.dropped += 1

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
