"""A region at the bottom of the terminal that is painted over in place; what is said above it scrolls.

Lines are overwritten, never cleared first, and each picture is one write: nothing flickers. When the
terminal got narrower it has broken the old lines into more, which is reckoned with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.text import Text

_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_TO_END_OF_LINE, _TO_END_OF_SCREEN = "\x1b[K", "\x1b[J"
_BELL = "\a"


class Painter:
    """`console` must be a terminal. Call `close` in any case: it gives the cursor back."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._widths: list[int] = []
        self._lines: Sequence[Text] = ()
        self._last = ""
        self._held: list[RenderableType] | None = None

    @contextmanager
    def away(self) -> Iterator[None]:
        """The terminal is another program's while the block runs; what is said meanwhile comes after it."""
        self.close()
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            self._last = ""
            for what in held:
                self.say(what)

    def paint(self, lines: Sequence[Text]) -> None:
        if self._held is not None:
            return
        self._lines = lines
        self._write("")

    def say(self, what: RenderableType) -> None:
        """Above the region, for good."""
        if self._held is not None:
            self._held.append(what)
            return
        with self._console.capture() as captured:
            self._console.print(what)
        self._write(captured.get().replace("\n", f"{_TO_END_OF_LINE}\n"))

    def ring(self) -> None:
        if self._held is not None:
            return
        self._console.file.write(_BELL)
        self._console.file.flush()

    def close(self) -> None:
        """The region is wiped."""
        self._console.file.write(self._rewind() + _TO_END_OF_SCREEN + _SHOW)
        self._console.file.flush()
        self._widths, self._lines = [], ()

    def _write(self, above: str) -> None:
        width, height = self._console.size
        lines = self._lines[: height - 1]
        picture = "".join(f"{self._ansi(line, width)}{_TO_END_OF_LINE}\n" for line in lines)
        whole = f"{above}{picture}{_TO_END_OF_SCREEN}"
        if whole == self._last and not above:
            return
        self._console.file.write(f"{_HIDE}{self._rewind()}{whole}")
        self._console.file.flush()
        self._last = f"{picture}{_TO_END_OF_SCREEN}"
        self._widths = [min(cell_len(line.plain), width) for line in lines]

    def _rewind(self) -> str:
        width, height = self._console.size
        rows = sum(max(-(-line // width), 1) for line in self._widths)
        rows = min(rows, height - 1)
        return f"\r\x1b[{rows}A" if rows else "\r"

    def _ansi(self, line: Text, width: int) -> str:
        with self._console.capture() as captured:
            self._console.print(line, width=width, no_wrap=True, overflow="ellipsis", crop=True, end="")
        return captured.get()
