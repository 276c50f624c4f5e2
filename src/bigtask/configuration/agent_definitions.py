"""Agents that a person defines: programs by the form of their output, or by the Agent Client Protocol. Pure.

The files of the agents that bigtask knows have the same form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

BUILT_IN = frozenset({"claude", "desktop", "offline", "scripted"})
"""Names that can't be given to others."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_PLACEHOLDER = re.compile(r"\{([a-z]+)\}")
SESSION = "session"
_KNOWN = frozenset({"model", "effort", SESSION, "cwd"})
PERMISSIONS = "{permissions}"
"""As a word of its own: where the arguments for the permission mode go."""

Word = Annotated[str, Meta(min_length=1, max_length=4096)]
Argv = tuple[Word | tuple[Word, ...], ...]
"""Words with placeholders. A list inside is left out where one of its placeholders has no value."""
Mode = Literal["readOnly", "ask", "acceptEdits", "all"]


class Field(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where in a record a value is: names joined by points, empty for the record itself. A record counts
    only where each path of `when` has the value given."""

    path: str = ""
    when: Mapping[str, str | int | bool] = {}


class Fields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What is taken from the lines of JSON that a program prints."""

    text: str | Field
    final: Field
    """The record without which the program hasn't done its work."""
    message: str | Field | None = None
    """What pieces of one message share; without it each text is a message of its own."""
    session: str | Field | None = None
    cost: str | Field | None = None
    input_tokens: str | Field | None = None
    output_tokens: str | Field | None = None
    error: str | Field | None = None
    """An error where it is true, a text that isn't empty, or a table."""


class _Program(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    argv: Annotated[Argv, Meta(min_length=1)]
    env: tuple[Word, ...] = ()
    """Variables of ours that it gets besides the few that all get."""
    environment: Mapping[str, str] = {}
    """Variables with the values that they get; one is left out where a placeholder in it has no value."""
    install: str = ""
    """The one command that installs it."""
    title: str = ""
    session_mib: Annotated[int, Meta(ge=0, le=1_000_000)] = 300
    loads: tuple[Word, ...] = ()
    """Files of a project that it takes as instructions or settings by itself; folders end with /."""
    untrusted: tuple[Word, ...] = ()
    """Arguments that keep it from loading them."""


class CommandDefinition(_Program, frozen=True, kw_only=True, tag="command", tag_field="kind"):
    """`usage` says whether what a program reports is of its own start alone (`turn`) or of the session."""

    resume: Argv = ()
    """The whole argument list that continues the session `{session}`."""
    input: Literal["text", "json"] = "text"
    output: Literal["text", "jsonl"] = "text"
    fields: Fields | None = None
    permissions: Mapping[Mode, tuple[Word, ...]] = {}
    usage: Literal["turn", "session"] = "turn"
    costs_money: bool = False


class AcpDefinition(_Program, frozen=True, kw_only=True, tag="acp", tag_field="kind"):
    """`usage` says what a turn's token counts are: of the turn, of the session, of the last call of the
    model, or not there."""

    least_version: str = ""
    usage: Literal["turn", "session", "last", "none"] = "none"
    cost: Literal["session", "none"] = "none"
    modes: Mapping[Mode, str] = {}
    resume: bool = True
    """False where the agent says that it can load sessions, and can't."""
    reports: bool = True
    """Whether it is offered our tools for its answer."""
    costs_money: bool = True
    quirks: tuple[str, ...] = ()
    """Sentences for people."""


Definition = CommandDefinition | AcpDefinition


def read(value: Mapping[str, object]) -> dict[str, Any]:
    """The table as it came, which is JSON. Raises ValueError with what is wrong with it."""
    for name, found in value.items():
        definition(name, found)
    return dict(value)


def definition(name: str, found: object) -> Definition:
    """Raises ValueError, with the name of the agent in it."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:60]!r} isn't a name: use small letters, digits and -, at most 40")
    if name in BUILT_IN:
        raise ValueError(f"{name} is an agent of bigtask's own: choose another name")
    try:
        made: Definition = msgspec.convert(found, Definition, strict=True)
    except msgspec.ValidationError as wrong:
        raise ValueError(f"{name}: {str(wrong)[:1].lower()}{str(wrong)[1:]}") from None
    problem = _problem(made)
    if problem is not None:
        raise ValueError(f"{name}: {problem}")
    return made


def definitions(value: Mapping[str, Any]) -> dict[str, Definition]:
    """Of a table that `read` has let pass."""
    return {name: definition(name, found) for name, found in value.items()}


def placeholders(word: str) -> frozenset[str]:
    return frozenset(_PLACEHOLDER.findall(word))


def _problem(made: Definition) -> str | None:
    argvs = [made.argv, made.resume] if isinstance(made, CommandDefinition) else [made.argv]
    words = [word for argv in argvs for part in argv for word in ((part,) if isinstance(part, str) else part)]
    asked = {name for word in words if word != PERMISSIONS for name in placeholders(word)}
    if unknown := sorted(asked - _KNOWN):
        known = ", ".join(f"{{{name}}}" for name in sorted(_KNOWN))
        return f"{{{unknown[0]}}} isn't known: argv takes {known} and {PERMISSIONS}"
    if not isinstance(made.argv[0], str) or placeholders(made.argv[0]):
        return "argv must begin with the name of the program"
    if isinstance(made, AcpDefinition):
        return None
    if (made.output == "jsonl") != (made.fields is not None):
        return "output jsonl and the table fields go together: the one says nothing without the other"
    if made.resume and not any(SESSION in placeholders(word) for part in made.resume for word in _of(part)):
        return "resume must hold {session}: which session would it continue?"
    return None


def _of(part: str | tuple[str, ...]) -> tuple[str, ...]:
    return (part,) if isinstance(part, str) else part
