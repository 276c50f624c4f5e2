"""`bigtask template …`: one module a command."""

from __future__ import annotations

import click

from bigtask.cli.command_group import CommandGroup

COMMANDS: dict[str, str] = {
    "list": "All templates, and what is wrong with which.",
    "show": "One template: where it comes from, what it sets, what is wrong.",
    "validate": "Errors and warnings of files or templates, with their places.",
    "preview": "The prompt of a phase, as an agent would get it.",
    "create": "A new template of your own.",
    "edit": "A template in your editor, checked when you save.",
    "duplicate": "A copy under another id.",
    "delete": "Delete one of your own.",
    "import": "Take templates from files: JSON or zip.",
    "export": "One template or several, as a file for others.",
    "approve": "Allow a template that this repository brings, or its commands.",
}

_EPILOG = """\b
Examples:
  bigtask template create api-docs --name "API docs" --extends documentation
  bigtask template edit api-docs
  bigtask template preview api-docs --phase worker --var LANGUAGE=fr

Your own templates are files in the home of bigtask, a repository's lie in its .bigtask/templates/ and have to
be approved once. docs/templates.md describes every field."""


@click.group("template", cls=CommandGroup, package=__name__, sections={"Commands": COMMANDS}, epilog=_EPILOG)
def command() -> None:
    """Templates say how one kind of big task is done: which phases run, with what limits, and the prompts."""
