"""The programs that a template has bigtask run: its hooks, the set-up of workspaces, its checks."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from bigtask.templates.template import Command, Template


def hooks(template: Template) -> Iterator[tuple[str, Command]]:
    """Each with its JSON pointer."""
    for key, command in msgspec.to_builtins(template.hooks).items():
        if command is not None:
            yield f"/hooks/{key}", tuple(command)


def commands(template: Template) -> Iterator[tuple[str, Command]]:
    """The hooks, and the others likewise."""
    yield from hooks(template)
    checks = template.phases.verification
    for where, found in (
        ("/config/setup", template.config.setup),
        ("/phases/verification/commands", checks.commands),
        ("/phases/verification/allowedCommands", checks.allowed_commands),
    ):
        for index, command in enumerate(found):
            yield f"{where}/{index}", command
