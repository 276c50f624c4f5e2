"""`bigtask template …`: one module a command, loaded when it is called."""

from __future__ import annotations

import difflib
import importlib

import click

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


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        # `import` can't be the name of a module.
        name = "import_" if cmd_name == "import" else cmd_name
        loaded: click.Command = importlib.import_module(f"bigtask.cli.template.{name}").command
        return loaded

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(args[0], COMMANDS, n=3, cutoff=0.5)
            asked = f" Did you mean {' or '.join(near)}?" if near else " bigtask template --help lists them."
            ctx.fail(f"There is no command {args[0]!r}.{asked}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group("template", cls=_Commands, epilog=_EPILOG)
def command() -> None:
    """Templates say how one kind of big task is done: which phases run, with what limits, and the prompts."""
