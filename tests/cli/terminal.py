"""The command line as people have it: as a program in a pipe, and at a terminal of its own."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from projects import ENV, Desk, Project

from .here import here
from .person import Said

_PATIENCE_S = 30.0
_CONTROL = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|.)")
# The first thing in a session of its own: the terminal becomes the one that Ctrl-C comes from.
_AT_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@dataclass(frozen=True)
class Program:
    project: Project
    desk: Desk

    @property
    def env(self) -> dict[str, str]:
        measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        return {**ENV, **measured, "BIGTASK_HOME": str(self.desk.home.path), "TERM": "xterm-256color"}

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "bigtask", *arguments]

    def __call__(self, *arguments: str, stdin: str = "") -> Said:
        """Piped, in this process."""
        env = {**self.env, "HOME": str(self.project.root)}
        return here(env, *arguments, cwd=self.project.root, stdin=stdin)

    def apart(self, *arguments: str, env: Mapping[str, str] | None = None) -> Said:
        """Piped, as a process. `env` comes on top."""
        done = subprocess.run(
            self.argv(*arguments),
            cwd=self.project.root,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def json(self, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
        said = self(*arguments, "--json")
        return said.status, [json.loads(line) for line in said.out.splitlines()]

    @contextmanager
    def at_terminal(self, *arguments: str, width: int = 100, height: int = 40) -> Iterator[Terminal]:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        process = subprocess.Popen(
            [sys.executable, "-c", _AT_TERMINAL, *self.argv(*arguments)],
            cwd=self.project.root,
            env=self.env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        try:
            yield Terminal(process, ours)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            os.close(ours)


@dataclass
class Terminal:
    process: subprocess.Popen[bytes]
    descriptor: int
    raw: bytes = b""
    read_until: int = field(default=0)

    @property
    def text(self) -> str:
        """Everything that was shown, without colours and moves."""
        return _CONTROL.sub("", self.raw.decode(errors="replace"))

    def until(self, wanted: str) -> str:
        """What was shown since the last time, as soon as it holds `wanted`."""
        deadline = time.monotonic() + _PATIENCE_S
        while (found := self.text.find(wanted, self.read_until)) < 0:
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                raise AssertionError(f"{wanted!r} wasn't shown:\n{self.text[self.read_until :]}")
        since, self.read_until = self.read_until, found + len(wanted)
        return self.text[since : self.read_until]

    def _read(self, seconds: float) -> bool:
        if not select.select([self.descriptor], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.descriptor, 65536)
        except OSError:
            # The other side is closed: the program has ended.
            return False
        self.raw += data
        return bool(data)

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def press_ctrl_c(self) -> None:
        self.type("\x03")

    def resize(self, *, width: int, height: int) -> None:
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ended(self) -> int:
        """The exit status, when it has ended by itself."""
        deadline = time.monotonic() + _PATIENCE_S
        while self._read(max(deadline - time.monotonic(), 0)):
            pass
        return self.process.wait(timeout=_PATIENCE_S)
