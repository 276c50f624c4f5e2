"""Lines typed at the terminal, edited here, so that typing doesn't disturb what is painted."""

from __future__ import annotations

import asyncio
import codecs
import os
import re
import signal
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LONGEST = 500
_BACKSPACE = "\x7f\x08"
_CLEAR = "\x15"
_ENTER = "\r\n"
_KEYS = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)
"""What keys without a letter send."""


class Keyboard:
    """`text` is what has been typed since the last Enter; `entered` gets each whole line."""

    def __init__(self, entered: Callable[[str], None]) -> None:
        self.text = ""
        self._entered = entered
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._away = False

    @contextmanager
    def listening(self, descriptor: int) -> Iterator[None]:
        """The terminal stops echoing while the block runs; Ctrl-C still interrupts."""
        loop = asyncio.get_running_loop()
        before = termios.tcgetattr(descriptor)

        def again() -> None:
            # The shell has set the terminal up for itself while we were suspended.
            if not self._away:
                tty.setcbreak(descriptor, termios.TCSANOW)

        self._descriptor, self._before = descriptor, before
        again()
        loop.add_signal_handler(signal.SIGCONT, again)
        loop.add_reader(descriptor, self._read, descriptor)
        try:
            yield
        finally:
            loop.remove_reader(descriptor)
            loop.remove_signal_handler(signal.SIGCONT)
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

    @contextmanager
    def away(self) -> Iterator[None]:
        """While `listening`: another program has the terminal as it was before, and reads from it."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._descriptor)
        self._away = True
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)
        try:
            yield
        finally:
            self._away, self.text = False, ""
            tty.setcbreak(self._descriptor, termios.TCSAFLUSH)
            loop.add_reader(self._descriptor, self._read, self._descriptor)

    def _read(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, 4096)
        except OSError:
            data = b""
        if not data:
            # The terminal has gone: there is nobody left to read from.
            asyncio.get_running_loop().remove_reader(descriptor)
            return
        self.feed(self._decoder.decode(data))

    def feed(self, typed: str) -> None:
        for sign in _KEYS.sub("", typed):
            if sign in _ENTER:
                line, self.text = self.text, ""
                self._entered(line)
            elif sign in _BACKSPACE:
                self.text = self.text[:-1]
            elif sign == _CLEAR:
                self.text = ""
            elif sign.isprintable() and len(self.text) < _LONGEST:
                self.text += sign


def is_ours(descriptor: int) -> bool:
    """Whether it is a terminal, and we may read from it: not in the background."""
    try:
        return os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False
