"""What the commands about templates have in common: arguments, and words for what was found."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bigtask.cli.completion import template_ids
from bigtask.cli.screen import note
from bigtask.errors import InvalidInput
from bigtask.words import one_line

if TYPE_CHECKING:
    from bigtask.templates.listed import Listed, Source
    from bigtask.templates.shape import Problem

_LONGEST_WORDS = 600

template_argument = click.argument("template_id", metavar="ID", shell_complete=template_ids)

cwd_option = click.option(
    "--cwd", type=click.Path(path_type=Path), default=Path(), help="The project. Default: this folder."
)

project_option = click.option(
    "--project",
    "in_project",
    is_flag=True,
    help="Into the repository's .bigtask/templates/, to share it; not into your own.",
)

SOURCES = {"shipped": "shipped", "user": "yours", "project": "repository"}


def target(in_project: bool) -> Source:
    from bigtask.templates.listed import Source

    return Source.PROJECT if in_project else Source.USER


def entry(one: Listed) -> dict[str, Any]:
    """A template in one JSON object."""
    found = asdict(one)
    found["path"] = str(one.path) if one.path is not None else None
    found["hiddenBy"] = found.pop("hidden_by")
    found["usable"] = one.usable
    return {**found, "errors": problems(one.errors), "warnings": problems(one.warnings)}


def problems(found: Iterable[Problem]) -> list[dict[str, str]]:
    return [{"pointer": pointer, "message": sentence} for pointer, sentence in found]


def problem_line(problem: Problem) -> str:
    pointer, sentence = problem
    return one_line(f"{pointer}: {sentence}" if pointer else sentence, _LONGEST_WORDS)


def tell_saved(one: Listed, done: str) -> None:
    """What became of it, its warnings, and what can be done next; on stderr."""
    note(f"{one.id} is {done}: {one.path}")
    for warning in one.warnings:
        note(f"  warning: {problem_line(warning)}")
    if one.approved is False:
        note(f"Before a run can use it: bigtask template approve {one.id}")


def content_of(name: str) -> bytes:
    """Of a file, or of standard input for `-`. Raises InvalidInput."""
    from bigtask.templates.bundle import MAX_BUNDLE

    try:
        if name == "-":
            return sys.stdin.buffer.read(MAX_BUNDLE + 1)
        with Path(name).open("rb") as file:
            return file.read(MAX_BUNDLE + 1)
    except OSError as error:
        raise InvalidInput(f"{name} can't be read: {error.strerror}") from None
