"""The programs of hooks as they lie on this disk."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from bigtask.templates.commands import hooks
from bigtask.templates.shape import Problem, suggestion
from bigtask.templates.template import Template

_LARGEST = 16 << 20


def hook_warnings(template: Template, root: Path | None) -> Iterator[Problem]:
    """What can't be run here. A program with a relative path is one of the project in `root`; without that,
    nothing can be said of it."""
    for where, command in hooks(template):
        program = command[0]
        if "/" not in program:
            if " " not in program and shutil.which(program) is None:
                yield f"{where}/0", f"no program called {program} is found here: install it or give its path"
        elif os.path.isabs(program) or root is not None:
            path = Path(program) if root is None else root / program
            if not path.is_file():
                near = suggestion(path.name, _names(path.parent))
                yield f"{where}/0", f"{program} isn't there{near or ': create it or correct the path'}"
            elif not os.access(path, os.X_OK):
                yield f"{where}/0", f"{program} can't be executed: chmod +x {program}"


def hook_files(template: Template, root: Path) -> dict[str, str]:
    """SHA-256 of each file of the project that a hook's command names, by the name that it has there."""
    words = sorted({word for _, command in hooks(template) for word in command})
    return {word: digest for word, digest in named_files(words, root).items() if digest is not None}


def named_files(words: Sequence[str], root: Path) -> dict[str, str | None]:
    """SHA-256 of the file below `root` that each word may name; None where there is none that can be read."""
    return {word: _digest(root / word) for word in words if _is_within(word)}


def _is_within(word: str) -> bool:
    path = PurePosixPath(word)
    return not path.is_absolute() and ".." not in path.parts


def _digest(path: Path) -> str | None:
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return hashlib.sha256(file.read(_LARGEST)).hexdigest()
    except (OSError, ValueError):
        # ValueError: a NUL, which no name has.
        return None


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))[:1_000]
    except OSError:
        return []
