"""The program's side of stdin and stdout: one turn at a time, interrupted between two events.

A thread reads stdin, so that `interrupt` and end of file are seen while a turn is working.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from bigtask.agents.offline.phases import answer
from bigtask.agents.protocol import Prompt, SessionEvent, Text, TurnEnded, UsageReported
from bigtask.agents.wire import Interrupt, Request, decode_request, encode
from bigtask.errors import InvalidInput


class Conversation:
    """Ends at end of file, and when nobody reads stdout any more."""

    def __init__(self, stdin: BinaryIO, stdout: BinaryIO, root: Path, *, read_only: bool = False) -> None:
        self._stdin = stdin
        self._stdout = stdout
        self._root = root
        self._read_only = read_only
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._waiting: list[bytes] = []
        self._closed = False

    def run(self) -> None:
        # A daemon: blocked in a read, it must not keep the process alive.
        threading.Thread(target=self._read, name="stdin", daemon=True).start()
        try:
            while (line := self._next()) is not None:
                self._handle(line)
        except BrokenPipeError:
            return

    def _read(self) -> None:
        for line in self._stdin:
            self._lines.put(line)
        self._lines.put(b"")

    def _next(self) -> bytes | None:
        line = self._waiting.pop(0) if self._waiting else b"" if self._closed else self._lines.get()
        return line or None

    def _handle(self, line: bytes) -> None:
        request = _decoded(line)
        if isinstance(request, Prompt):
            self._turn(request)
        elif isinstance(request, Interrupt):
            # It crossed the end of its turn: nothing is left to interrupt.
            return
        elif isinstance(request, str):
            self._say(TurnEnded(reason="error", detail=request))
        else:
            self._say(
                TurnEnded(
                    reason="error", detail="the offline agent reads prompts only, not messages or answers"
                )
            )

    def _turn(self, prompt: Prompt) -> None:
        try:
            for event in self._events(prompt):
                self._say(event)
                if isinstance(event, TurnEnded):
                    # What comes in from here on is the host's next request.
                    return
                stopped = self._stopped()
                if self._closed:
                    return
                if stopped:
                    self._say(stopped)
                    return
        except InvalidInput as error:
            self._say(TurnEnded(reason="error", detail=error.message))
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            name = f"{error.filename}: " if error.filename else ""
            self._say(TurnEnded(reason="error", detail=f"{name}{error.strerror or error}"))

    def _events(self, prompt: Prompt) -> Iterator[SessionEvent]:
        yield from answer(prompt, self._root, read_only=self._read_only)
        yield UsageReported()
        yield TurnEnded()

    def _stopped(self) -> TurnEnded | None:
        """What has come in while a turn works, and how that ends it."""
        while True:
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                return None
            if not line:
                self._closed = True
                return None
            request = _decoded(line)
            if isinstance(request, Interrupt):
                return TurnEnded(reason="interrupted")
            if isinstance(request, str):
                return TurnEnded(reason="error", detail=request)
            if isinstance(request, Prompt):
                return TurnEnded(reason="error", detail="a prompt came while another one was being answered")
            self._say(Text(text="(I can't read messages: I only know the variables of the prompt.)\n"))

    def _say(self, event: SessionEvent) -> None:
        self._stdout.write(encode(event))
        self._stdout.flush()


def _decoded(line: bytes) -> Request | str:
    """The request, or a sentence saying why the line is none."""
    try:
        return decode_request(line)
    except msgspec.DecodeError as error:
        return f"a line on stdin is not a request: {error}"
