"""What commands print on: tables and marks for a terminal, plain whole lines for a pipe."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bigtask.words import plain

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

WIDE = 120
"""Columns from which a table shows everything."""

_PIPED = 4_000

STYLES = {
    "completed": "green",
    "complete": "green",
    "passed": "green",
    "ok": "green",
    "running": "cyan",
    "integrating": "cyan",
    "partial": "yellow",
    "incomplete": "yellow",
    "warn": "yellow",
    "waiting": "yellow",
    "confirming": "yellow",
    "paused": "yellow",
    "failed": "red",
    "timeout": "red",
    "error": "red",
    "problem": "red",
}
"""Colour by the word for a state; what isn't here stays as it is. Colour never says anything alone."""


class Screen:
    """Standard output. A pipe gets every line whole, without colour and without spaces at its end."""

    def __init__(self) -> None:
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        if self._console is None:
            from rich.console import Console

            piped = not sys.stdout.isatty()
            self._console = Console(
                highlight=False, markup=False, emoji=False, width=_PIPED if piped else None, soft_wrap=piped
            )
        return self._console

    @property
    def wide(self) -> bool:
        return not self.console.is_terminal or self.console.width >= WIDE

    def print(self, what: RenderableType = "") -> None:
        if self.console.is_terminal:
            self.console.print(what)
            return
        with self.console.capture() as captured:
            self.console.print(what)
        click.echo("\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n")))

    def item(self, mark: str, words: str, *, style: str = "", indent: int = 2) -> None:
        """A line behind a mark; where a terminal folds it, it goes on below its first word."""
        if not self.console.is_terminal:
            self.print(word(" " * indent + (f"{mark} {words}" if mark else words), style=""))
            return
        from rich.padding import Padding
        from rich.table import Table

        if not mark:
            self.print(Padding(word(words, style=style), (0, 0, 0, indent), expand=False))
            return
        row = Table.grid(padding=(0, 1, 0, 0))
        row.add_column(no_wrap=True)
        row.add_column(overflow="fold")
        row.add_row(word(" " * indent + mark, style=style), word(words, style=style))
        self.print(row)

    def title(self, words: str) -> None:
        from rich.text import Text

        self.print()
        self.print(Text(words, style="bold"))


def table(*columns: str, fixed: Sequence[str] = (), right: Sequence[str] = (), cut: str = "") -> Table:
    """Without lines. Columns in `fixed` stay whole, `cut` gets the room that is left and ends with `…`
    where that is too little, the others fold."""
    from rich.table import Table

    made = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0), expand=bool(cut))
    for name in columns:
        made.add_column(
            name.upper(),
            no_wrap=name in fixed or name == cut,
            overflow="ellipsis" if name == cut else "fold",
            justify="right" if name in right else "left",
            ratio=1 if name == cut else None,
        )
    return made


def word(text: str, *, style: str | None = None) -> Text:
    """Text as it is, coloured by what it says unless `style` says how."""
    from rich.text import Text

    said = plain(text)
    return Text(said, style=STYLES.get(said.split(" ")[-1], "") if style is None else style)


def hung(text: str) -> str:
    """At a terminal broken between words, the lines after the first further in; else as it is."""
    if not sys.stderr.isatty():
        return text
    indent = " " * (len(text) - len(text.lstrip()))
    width = shutil.get_terminal_size().columns
    return textwrap.fill(text, width, subsequent_indent=f"{indent}  ", break_on_hyphens=False)


def note(text: str) -> None:
    """Words about a result: to standard error."""
    click.echo(plain(text), err=True)
