"""A page of the documentation, played as a reader would: its files written, its commands typed.

A fenced block with a name after its language is a file (```` ```json work.json ````). A block of language
`console` holds commands (`$ …`), each followed by what it prints. Everything happens in one empty folder, in
which `cd` is remembered; other blocks are for reading only.

What differs from run to run (ids, times, hashes, where the folder lies) is made alike before it is compared.
A line `…` in the page stands for any lines. Lines of progress begin with the time of day; a live terminal has
none of them, so they count only where the page shows one.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from projects import ENV

HOME = "/home/ada"
"""Where pages say that everything happens."""

_FENCE = re.compile(r"(`{3,})(\w*) ?(\S*)")
_CLOCK = re.compile(r"\d\d:\d\d:\d\d ")
_VARYING = (
    (re.compile(r"\b[0-9a-hjkmnp-tv-z]{26}\b"), "RUN"),
    (re.compile(r"\b(?=[a-f]*\d)[0-9a-f]{7,40}\b"), "HASH"),
    (re.compile(r"\d\d:\d\d:\d\d "), "CLOCK "),
    (re.compile(r"\b\d+(\.\d+)? (ms|s|min)\b( \d+ s\b)?"), "TIME"),
    (re.compile(r" +"), " "),
)
# What asyncio logs where a program ends in the moment in which it is cancelled. It is no part of what a page
# shows, and comes in one of several runs that end with a failed task.
_STRAY = re.compile(r"Unknown child process pid \d+, will report returncode 255")
_PATIENCE_S = 90


@dataclass(frozen=True)
class File:
    name: str
    text: str


@dataclass(frozen=True)
class Command:
    """`first` and `last` are the lines of the page that hold what it prints."""

    typed: str
    printed: tuple[str, ...]
    first: int
    last: int


@dataclass(frozen=True)
class Played:
    """What a command really printed; `alike` if that is what the page says."""

    command: Command
    printed: tuple[str, ...]
    alike: bool

    def __str__(self) -> str:
        return "\n".join(
            (f"$ {self.command.typed}", "--- page", *self.command.printed, "--- printed", *self.printed)
        )


def parts(page: str) -> Iterator[File | Command]:
    """In the order of the page."""
    lines = page.splitlines()
    at = 0
    while at < len(lines):
        fence = _FENCE.fullmatch(lines[at])
        at += 1
        if fence is None:
            continue
        end = lines.index(fence[1], at)
        if fence[2] == "console":
            yield from _commands(lines, at, end)
        elif fence[3]:
            yield File(fence[3], "".join(f"{line}\n" for line in lines[at:end]))
        at = end + 1


def _commands(lines: Sequence[str], at: int, end: int) -> Iterator[Command]:
    while at < end:
        assert lines[at].startswith("$ "), f"{lines[at]!r} follows no command"
        typed = [lines[at].removeprefix("$ ")]
        while typed[-1].endswith("\\"):
            at += 1
            typed.append(lines[at])
        first = last = at + 1
        while last < end and not lines[last].startswith("$ "):
            last += 1
        yield Command("\n".join(typed), tuple(lines[first:last]), first, last)
        at = last


def play(page: str, place: Path) -> list[Played]:
    """Below `place`, an empty folder. Every command is typed, whatever the ones before it printed."""
    reader = _Reader(place.resolve())
    played = []
    for part in parts(page):
        if isinstance(part, File):
            reader.write(part)
            continue
        printed = reader.type(part.typed)
        if not any(_CLOCK.match(line) for line in part.printed):
            printed = tuple(line for line in printed if not _CLOCK.match(line))
        alike = _alike([_plain(line) for line in part.printed], [_plain(line) for line in printed])
        played.append(Played(part, printed, alike))
    return played


def mended(page: str, played: Sequence[Played]) -> str:
    """The page with what was really printed, all of it from one time, so that its ids and times fit together.
    What an author cut with `…` stays, where it is right."""
    lines = page.splitlines()
    for one in reversed(played):
        if not one.alike or "…" not in one.command.printed:
            lines[one.command.first : one.command.last] = one.printed
    return "\n".join(lines) + "\n"


def _plain(line: str) -> str:
    for pattern, word in _VARYING:
        line = pattern.sub(word, line)
    return line.rstrip()


def _alike(wanted: Sequence[str], printed: Sequence[str]) -> bool:
    if not wanted:
        return not printed
    if wanted[0] == "…":
        return any(_alike(wanted[1:], printed[at:]) for at in range(len(printed) + 1))
    return bool(printed) and wanted[0] == printed[0] and _alike(wanted[1:], printed[1:])


class _Reader:
    """A person with a shell, who sees both streams as one."""

    def __init__(self, place: Path) -> None:
        self._place = self._folder = place / "reader"
        self._place.mkdir()
        self._status = 0
        own = Path(sys.executable).parent
        self._env = {
            **ENV,
            "PATH": f"{own}:{ENV['PATH']}",
            "HOME": str(self._place),
            # What lies in the reader's folder would be part of a project that is that folder.
            "BIGTASK_HOME": str(place / "bigtask"),
            "LOGNAME": "ada",
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "100",
            "TZ": "UTC",
        }

    def write(self, file: File) -> None:
        path = self._folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text)

    def type(self, typed: str) -> tuple[str, ...]:
        if typed.startswith("cd "):
            self._folder = (self._folder / typed.removeprefix("cd ")).resolve(strict=True)
            return ()
        # `$?` is what the command before this one ended with.
        ended = subprocess.run(
            ["sh", "-c", f"(exit {self._status})\n{typed}"],
            cwd=self._folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        self._status = ended.returncode
        lines = ended.stdout.replace(str(self._place), HOME).splitlines()
        return tuple(line.rstrip() for line in lines if not _STRAY.fullmatch(line))
