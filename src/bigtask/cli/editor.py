"""The person's own editor, on a file that is kept for as long as what is in it may still be wanted."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from bigtask.errors import InvalidInput
from bigtask.process.foreground import in_foreground

_USUAL = ("editor", "nano", "vi")


def editor_of(environ: Mapping[str, str]) -> list[str]:
    """What `VISUAL` or `EDITOR` says, with its arguments, else what is installed, which needs a terminal.
    Raises InvalidInput."""
    said = environ.get("VISUAL", "").strip() or environ.get("EDITOR", "").strip()
    try:
        command = shlex.split(said)
    except ValueError:
        raise InvalidInput(f"VISUAL or EDITOR is {said!r}, which has a quote without its end") from None
    if command:
        return command
    if not os.isatty(0):
        raise InvalidInput(
            "there is no terminal for an editor: hand in a file (--help says how), or set VISUAL"
        )
    found = next((program for name in _USUAL if (program := shutil.which(name))), None)
    if found is None:
        raise InvalidInput("there is no editor: set VISUAL or EDITOR to yours")
    return [found]


class Draft:
    """A text in a file for the editor."""

    def __init__(self, path: Path, command: list[str]) -> None:
        self.path = path
        self.keep = False
        """Whether the file stays when the block ends."""
        self._command = command

    def write(self, text: str) -> None:
        self.path.write_bytes(text.encode())

    async def edited(self, text: str) -> str:
        """The text as the person saved it. Raises InvalidInput where the editor failed or saved what isn't
        text, `ProgramNotFound` where there is none."""
        self.write(text)
        status = await in_foreground([*self._command, str(self.path)])
        if status:
            raise InvalidInput(f"{self._command[0]} ended with {status}: nothing is changed")
        try:
            # Editors that save under another name and rename leave a new file at the same place.
            return self.path.read_bytes().decode()
        except OSError as error:
            raise InvalidInput(f"{self.path} can't be read any more: {error.strerror}") from None
        except UnicodeDecodeError:
            self.keep = True
            raise InvalidInput(f"{self.path} isn't UTF-8 any more: save it as such") from None


@contextmanager
def draft(suffix: str) -> Iterator[Draft]:
    """`suffix` tells editors what kind of text it is. Raises what `editor_of` raises."""
    command = editor_of(os.environ)
    descriptor, name = tempfile.mkstemp(prefix="bigtask-", suffix=suffix)
    os.close(descriptor)
    made = Draft(Path(name), command)
    try:
        yield made
    finally:
        if not made.keep:
            with suppress(FileNotFoundError):
                made.path.unlink()
