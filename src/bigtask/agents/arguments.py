"""What a defined agent's program is started with: its arguments, its environment, and what keeps it from a
project's instructions."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from bigtask.agents.protocol import Opening, ProjectRules
from bigtask.configuration.agent_definitions import PERMISSIONS, Argv, Definition, placeholders
from bigtask.errors import AgentUnavailable

_PLACEHOLDER = re.compile(r"\{(model|effort|session|cwd)\}")


def filled(argv: Argv, values: Mapping[str, str], permissions: tuple[str, ...] = ()) -> list[str]:
    """What a value holds isn't scanned again. A list inside is left out where it lacks a value."""
    found: list[str] = []
    for part in argv:
        if part == PERMISSIONS:
            found.extend(permissions)
        elif isinstance(part, str):
            found.append(_fill(part, values))
        elif all(values.get(name) for word in part for name in placeholders(word)):
            found.extend(_fill(word, values) for word in part)
    return found


def values(opening: Opening, session: str = "") -> dict[str, str]:
    return {
        "model": opening.model or "",
        "effort": opening.effort or "",
        "cwd": str(opening.cwd),
        "session": session,
    }


def environment(
    definition: Definition, opening: Opening, environ: Mapping[str, str], filling: Mapping[str, str]
) -> dict[str, str]:
    """The session's own, what the definition names of ours, and what it sets."""
    named = {name: environ[name] for name in definition.env if name in environ}
    fixed = {
        name: _fill(text, filling)
        for name, text in definition.environment.items()
        if all(filling.get(wanted) for wanted in placeholders(text))
    }
    return {**opening.env, **named, **fixed, "PWD": str(opening.cwd)}


def project_rules(definition: Definition, title: str) -> ProjectRules | None:
    if not definition.loads:
        return None
    names = frozenset(name for name in definition.loads if not name.endswith("/"))
    folders = frozenset(name.rstrip("/") for name in definition.loads if name.endswith("/"))
    return ProjectRules(
        names=names,
        folders=folders,
        says=lambda path, _text: (f"{title} reads {path} as instructions or settings",),
        leads_to=lambda _path, _text: (),
    )


def require_trust(definition: Definition, opening: Opening, title: str) -> None:
    """Raises AgentUnavailable where the program would load what nobody has approved. Looks at the disk."""
    if opening.project_settings or definition.untrusted or not definition.loads:
        return
    names = {name.rstrip("/") for name in definition.loads}
    for folder, folders, files in os.walk(opening.cwd):
        folders[:] = [name for name in folders if name != ".git"]
        for name in (*folders, *files):
            if name in names:
                there = Path(folder, name).relative_to(opening.cwd)
                raise AgentUnavailable(
                    f"{title} would load {there} of the project by itself and can't be told not to: approve "
                    "what the project brings, or choose another agent"
                )


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], ""), text)
