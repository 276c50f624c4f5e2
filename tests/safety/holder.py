"""`crash.holder` that can tell which steps it came through, and has mutants of its own.

With `SAFETY_STEPS` in the environment each step and its moment goes into that file, a line each.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from bigtask.host import access
from bigtask.workspaces.git import Git
from crash import holder

NAME = "safety.holder"
STEPS = "SAFETY_STEPS"


def _telling(file: str) -> None:
    def watch(when: str, step: str) -> None:
        with open(file, "a") as told:
            told.write(f"{when} {step}\n")

    access.steps_from = lambda environ: watch


def merge_without_looking() -> None:
    async def never(self: Git, older: str, newer: str) -> bool:
        return False

    Git.is_ancestor = never  # type: ignore[method-assign]


def commit_again() -> None:
    """Every commit is made, whether there is something to commit or not."""
    word = Git.word

    async def other(self: Git, *arguments: str, input: bytes | None = None) -> str:
        said = await word(self, *arguments, input=input)
        return f"{said[:-1]}x" if arguments[-1].endswith("^{tree}") else said

    Git.word = other  # type: ignore[method-assign]


MUTANTS: dict[str, Callable[[], None]] = {
    "merge-without-looking": merge_without_looking,
    "commit-again": commit_again,
}


def main(argv: Sequence[str]) -> None:
    given = [word for word in argv if not word.startswith("--mutant=")]
    for word in set(argv) - set(given):
        MUTANTS[word.removeprefix("--mutant=")]()
    if STEPS in os.environ:
        _telling(os.environ[STEPS])
    holder.main(given)
