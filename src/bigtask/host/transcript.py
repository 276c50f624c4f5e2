"""What was said in an attempt, in a file of its own: bounded, readable while it grows."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from bigtask.sink import Redact

LIMIT = 16 * 1024 * 1024
"""Bytes of one transcript; what comes after is counted, not kept."""


_KEPT_BACK = 8 * 1024
_KEPT_BACK_S = 0.25


class Transcript:
    """JSON lines `{"who", "text"}`; who is `prompt`, `agent`, `tool`, `question` or `person`.

    What is written is in the file within a quarter of a second of the next line, or at the close. A full
    disk loses transcript lines, never the run.
    """

    def __init__(self, path: Path, redact: Redact) -> None:
        self._path = path
        self._redact = redact
        self._descriptor: int | None = None
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._written_at = float("-inf")
        self.size = 0
        """Bytes of the attempt, those that wait and those of an earlier session included."""
        self.dropped = 0

    def write(self, who: str, text: str) -> None:
        line = msgspec.json.encode({"who": who, "text": self._redact(text)}) + b"\n"
        if self.size + len(line) > LIMIT:
            self.dropped += 1
            return
        self.size += len(line)
        self._waiting.append(line)
        self._waiting_bytes += len(line)
        if self._waiting_bytes >= _KEPT_BACK or time.monotonic() - self._written_at >= _KEPT_BACK_S:
            self._flush()

    def _flush(self) -> None:
        lines, self._waiting, self._waiting_bytes = self._waiting, [], 0
        self._written_at = time.monotonic()
        try:
            if self._descriptor is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                self._descriptor = os.open(self._path, flags, 0o600)
                self.size += os.fstat(self._descriptor).st_size
            os.write(self._descriptor, b"".join(lines))
        except OSError:
            self.dropped += len(lines)

    def close(self) -> None:
        if self._waiting:
            self._flush()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
