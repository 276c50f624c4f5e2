"""A program that has the terminal for itself while it runs, such as an editor."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence

from bigtask.process.child import ProgramNotFound

_NOT_OURS_TO_HAND_ON = ("ANTHROPIC_", "CLAUDE")


def persons_env() -> Mapping[str, str]:
    """The whole environment, as a program of the person's own expects it, but for what belongs to agents."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_NOT_OURS_TO_HAND_ON)}


async def in_foreground(argv: Sequence[str]) -> int:
    """Runs the program on our own terminal, in our own process group, so that it may read from there; returns
    its exit status, or minus the signal that ended it.

    Ctrl-C reaches both of us: the caller sees to it that it doesn't end our part. Raises `ProgramNotFound`.
    """
    try:
        process = await asyncio.create_subprocess_exec(*argv, env=dict(persons_env()))
    except (FileNotFoundError, PermissionError) as missing:
        raise ProgramNotFound(f"{argv[0]} can't be started: {missing.strerror}") from None
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
