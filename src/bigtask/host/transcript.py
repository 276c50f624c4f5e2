"""What was said in the attempts of a run: bounded, readable while it grows.

An attempt that goes on for a while has a file of its own, `TASK.N.txt`. What was over sooner shares
`short.jsonl`, a line an attempt: to make a file costs more than such an attempt does.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from bigtask.host.transcript_folder import beginning_name, own_file, short_file, short_head
from bigtask.secrecy import Secrecy, Stream
from bigtask.sink import Redact

LIMIT = 16 * 1024 * 1024
"""Bytes of one transcript; what comes after is counted, not kept."""

_KEPT_BACK = 8 * 1024
_KEPT_BACK_S = 0.25


def _open_to_append(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        # A crash cut the last line: the next one must not become its end.
        os.write(descriptor, b"\n")
    return descriptor


@dataclass(slots=True)
class _Speaking:
    """A message of which more may come. `said` is what of it isn't in a line yet."""

    who: str
    message: int
    stream: Stream
    said: str = ""
    begun: bool = False
    """Whether some of it is with the stream."""


T = TypeVar("T")


class Transcript:
    """JSON lines `{"who", "text"}`; who is `prompt`, `agent`, `tool`, `question` or `person`. In the file a
    line may also have `after`, the name of a text that stands before its own: `TranscriptFolder` puts it in.

    What is written is in the file a quarter of a second later, or at the close. A full disk loses transcript
    lines, never the run.
    """

    def __init__(self, of: Transcripts, task_id: str, attempt: int, *, alone: bool) -> None:
        self.task_id = task_id
        self.attempt = attempt
        self._of = of
        self._alone = alone
        """Whether it has a file of its own, or will have one with the next line."""
        self._descriptor: int | None = None
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._unsure: list[int] = []
        """Which of what waits hasn't been looked at for secrets."""
        self._speaking: _Speaking | None = None
        self.size = 0
        """Bytes of the attempt, those that wait and those of an earlier session included."""
        self.dropped = 0

    def write(self, who: str, text: str, *, after: str = "", clean: bool = False) -> None:
        """`after` is a beginning that the lines of many attempts share; it is kept once. What is `clean` is
        made of what a run keeps, and has no secret in it."""
        self._end_speaking()
        said = {"who": who, "text": text}
        if after:
            said["after"] = self._of.keep_beginning(after)
        self._keep(said, clean=clean)

    def write_piece(self, who: str, text: str, message: int) -> None:
        """Part of a message. Parts of the same one share lines; the last words of what has come so far are
        kept back, because they may be the beginning of a secret."""
        speaking = self._speaking
        if speaking is None or (speaking.who, speaking.message) != (who, message):
            self._end_speaking()
            speaking = self._speaking = _Speaking(who, message, Stream(self._of.secrecy))
        speaking.said += text
        if len(speaking.said) >= _KEPT_BACK:
            self._say_what_can_be(speaking)
        else:
            self._of.flush_soon(self)

    def cleaned(self, value: T) -> T:
        """A value without secrets, as `Secrecy.value`."""
        return self._of.secrecy.value(value)

    def _say_what_can_be(self, speaking: _Speaking) -> None:
        speaking.begun = True
        said, speaking.said = speaking.stream.feed(speaking.said), ""
        if said:
            self._keep({"who": speaking.who, "text": said})

    def _end_speaking(self) -> None:
        speaking, self._speaking = self._speaking, None
        if speaking is None:
            return
        # A message that came whole is searched for secrets later, with all lines that are written out.
        said = speaking.stream.end(speaking.said) if speaking.begun else speaking.said
        if said:
            self._keep({"who": speaking.who, "text": said})

    def _keep(self, said: dict[str, str], *, clean: bool = False) -> None:
        line = msgspec.json.encode(said)
        if self.size + len(line) >= LIMIT:
            self.dropped += 1
            return
        self.size += len(line) + 1
        self._waiting.append(line)
        if not clean:
            self._unsure.append(len(self._waiting) - 1)
        self._waiting_bytes += len(line)
        if self._waiting_bytes >= _KEPT_BACK:
            self._write_out()
        else:
            self._of.flush_soon(self)

    def flush(self) -> None:
        if self._speaking is not None and self._speaking.said:
            self._say_what_can_be(self._speaking)
        if self._waiting:
            self._write_out()

    def _taken(self) -> list[bytes]:
        """What waits, without secrets."""
        lines, self._waiting, self._waiting_bytes = self._waiting, [], 0
        unsure, self._unsure = self._unsure, []
        secrecy = self._of.secrecy
        # Looked at together: most have nothing in them.
        if unsure and secrecy.may_hold(b"\n".join([lines[n] for n in unsure])):
            for n in unsure:
                lines[n] = msgspec.json.encode(secrecy.value(msgspec.json.decode(lines[n])))
        return lines

    def _write_out(self) -> None:
        lines = self._taken()
        self._alone = True
        try:
            if self._descriptor is None:
                self._descriptor = _open_to_append(own_file(self._of.path, self.task_id, self.attempt))
                self.size += os.fstat(self._descriptor).st_size
            os.write(self._descriptor, b"".join(line + b"\n" for line in lines))
        except OSError:
            self.dropped += len(lines)

    def close(self) -> None:
        self._end_speaking()
        self._of.closed(self)
        if self._waiting and self._alone:
            self._write_out()
        elif self._waiting:
            lines = self._taken()
            if not self._of.keep_short(self.task_id, self.attempt, lines):
                self.dropped += len(lines)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Transcripts:
    """Where the attempts of one run write theirs: the folder `path`."""

    def __init__(self, path: Path, secrecy: Secrecy | None = None) -> None:
        """Without a `secrecy` only what looks like a secret is found, no known one."""
        self.path = path
        self.secrecy = secrecy or Secrecy()
        self._short: int | None = None
        self._beginnings: dict[str, str] = {}
        self._soon: dict[Transcript, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def redact(self) -> Redact:
        return self.secrecy.text

    def open(self, task_id: str, attempt: int, *, goes_on: bool = False) -> Transcript:
        """For one session of an attempt; `goes_on` where an earlier session of it may have left lines."""
        return Transcript(self, task_id, attempt, alone=goes_on)

    def close(self) -> None:
        """When every transcript is closed."""
        if self._timer is not None:
            self._timer.cancel()
        if self._short is not None:
            os.close(self._short)
            self._short = None

    def flush_soon(self, transcript: Transcript) -> None:
        self._soon[transcript] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_KEPT_BACK_S, self._flush)

    def _flush(self) -> None:
        self._timer = None
        waiting, self._soon = self._soon, {}
        for transcript in waiting:
            transcript.flush()

    def closed(self, transcript: Transcript) -> None:
        self._soon.pop(transcript, None)

    def keep_short(self, task_id: str, attempt: int, lines: list[bytes]) -> bool:
        """Whether it could be kept."""
        try:
            if self._short is None:
                self._short = _open_to_append(short_file(self.path))
            os.write(self._short, short_head(task_id, attempt) + b",".join(lines) + b"]}\n")
        except OSError:
            return False
        return True

    def keep_beginning(self, text: str) -> str:
        """The name by which `text` is kept; empty where it can't be, and then it is left out."""
        name = self._beginnings.get(text)
        if name is None:
            redacted = self.redact(text).encode()
            name = beginning_name(redacted)
            try:
                (self.path / name).write_bytes(redacted)
            except OSError:
                name = ""
            self._beginnings[text] = name
        return name
