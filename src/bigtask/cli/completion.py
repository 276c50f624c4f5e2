"""What the shell offers for an argument: from names of files and folders alone, since somebody is typing."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import click

from bigtask.errors import InvalidInput
from bigtask.host.home import Home
from bigtask.templates.place import project_templates
from bigtask.words import short


def run_names(context: click.Context, argument: click.Parameter, typed: str) -> list[str]:
    """`last` and the ends of ids, newest first; whole ids where that is what was begun with."""
    try:
        ids = [folder.id for folder in Home.of(os.environ).folders()]
    except InvalidInput:
        return []
    names = ["last", *(short(id) for id in ids)] if ids else []
    return [name for name in names if name.startswith(typed)] or [id for id in ids if id.startswith(typed)]


def run_and_export_names(context: click.Context, argument: click.Parameter, typed: str) -> list[str]:
    """As `run_names`, and the zip files in the folder that the typed path leads to."""
    folder, _, name = typed.rpartition("/")
    files = [
        file
        for file in _names(Path(folder or ("/" if typed.startswith("/") else ".")))
        if file.endswith(".zip")
    ]
    found = [f"{folder}/{file}" if "/" in typed else file for file in files if file.startswith(name)]
    return [*run_names(context, argument, typed), *sorted(found)]


def template_ids(context: click.Context, argument: click.Parameter, typed: str) -> list[str]:
    """Shipped ones, the person's own, and those of the project."""
    shipped = [file.name for file in files("bigtask.templates").joinpath("shipped").iterdir()]
    project = project_templates(Path(context.params.get("cwd") or "."))
    own = [*_names(Home.of(os.environ).templates), *_names(project)]
    ids = {name.removesuffix(".json") for name in (*shipped, *own) if name.endswith(".json")}
    return sorted(id for id in ids if id.startswith(typed) and not id.startswith("_"))


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
