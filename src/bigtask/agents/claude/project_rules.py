"""What of a project Claude Code loads or runs by itself when it may, and how to say so. Pure.

Files and keys are those of the settings and memory pages of Claude Code's documentation; what isn't known
here is named all the same, as something that counts.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from bigtask.agents.protocol import ProjectRules

_SETTINGS = frozenset({".claude/settings.json", ".claude/settings.local.json"})
_INSTRUCTIONS = frozenset({"CLAUDE.md", "CLAUDE.local.md", "AGENTS.md"})
_SERVERS = ".mcp.json"
_RUN = ("apiKeyHelper", "awsAuthRefresh", "awsCredentialExport", "gcpAuthRefresh", "otelHeadersHelper")
"""Settings whose value is a command."""
_RUN_BY = ("statusLine", "subagentStatusLine", "fileSuggestion")
"""Settings with a command in them."""
_FOLDERS: Mapping[str, str] = {
    "agents": "an agent that Claude may hand work to",
    "skills": "part of a skill, whose text and programs Claude may use",
    "commands": "a command, whose text and programs Claude may use",
    "output-styles": "a style, which is part of what Claude is told",
    "plugins": "part of a plugin, which may run programs",
    "rules": "instructions",
    "hooks": "a file for hooks",
}
_SHOWN = 160
_DEEPEST = 20
_IMPORT = re.compile(r"(?:^|\s)@([^\s`]{1,400})")
_WORD = re.compile(r"""[^\s"'`;&|<>()=]{1,400}""")
_NO_QUOTES = str.maketrans("", "", "\"'")
_MARKS = ",.;:!?)]'\""
_PROJECT = re.compile(r"^(?:\$\{?CLAUDE_PROJECT_DIR\}?/|\./)+")


def says(path: str, text: str) -> tuple[str, ...]:
    """As `ProjectRules.says`."""
    name, below = posixpath.basename(path), _below_claude(path)
    if _is_settings(path):
        return tuple(_settings(text)) or ("settings without an effect",)
    if name == _SERVERS:
        return tuple(_servers(_object(text))) or ("no tool server",)
    if name in _INSTRUCTIONS:
        return (_length("instructions", text),)
    folder = below.partition("/")[0] if below else ""
    if folder in _FOLDERS and "/" in below:
        return (_FOLDERS[folder],)
    return ("a file beside the settings",) if below else ("a file that the others name",)


def leads_to(path: str, text: str) -> tuple[str, ...]:
    """As `ProjectRules.leads_to`: what instructions import, and the words of commands, of which only those
    count that are files."""
    here = posixpath.dirname(path)
    words: list[str] = []
    if _is_settings(path) or posixpath.basename(path) == _SERVERS:
        for command in _commands(_object(text)):
            # Quotes stand around a whole name, or around the variable at its beginning.
            words += _WORD.findall(command) + _WORD.findall(command.translate(_NO_QUOTES))
        here = ""
    elif path.endswith(".md"):
        # A name at the end of a sentence may or may not have the mark after it.
        imported = _IMPORT.findall(text)
        words = imported + [word.rstrip(_MARKS) for word in imported]
    found = (_plain(here, word) for word in words)
    return tuple(dict.fromkeys(filter(None, found)))


RULES = ProjectRules(
    names=_INSTRUCTIONS | {_SERVERS},
    folders=frozenset({".claude", ".claude-plugin"}),
    # Claude Code 2.1.330 does so with agents; the others are named because they are alike.
    of_checkout=(".claude/agents", ".claude/commands", ".claude/skills"),
    says=says,
    leads_to=leads_to,
)


def _plain(here: str, word: str) -> str:
    """Empty for what isn't below the project."""
    inner = _PROJECT.sub("", word)
    whole = posixpath.normpath(posixpath.join("" if inner != word else here, inner))
    return "" if whole.startswith(("/", "../", "~")) or whole in ("..", ".") else whole


def _below_claude(path: str) -> str:
    """The path below the innermost `.claude`."""
    return f"/{path}".rpartition("/.claude/")[2] if "/.claude/" in f"/{path}" else ""


def _is_settings(path: str) -> bool:
    return f"/{path}".endswith(tuple(f"/{name}" for name in _SETTINGS))


def _length(what: str, text: str) -> str:
    lines = len(text.splitlines())
    return f"{what}, {lines} line{'' if lines == 1 else 's'}"


def _object(text: str) -> dict[str, Any]:
    """Empty for what isn't a JSON object."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _settings(text: str) -> Iterator[str]:
    given = _object(text)
    if not given and text.strip() not in ("", "{}"):
        yield "settings that can't be read here"
    for key, value in given.items():
        if key == "hooks":
            yield from _hooks(value)
        elif key in _RUN:
            yield f"{key} runs {_code(value)}"
        elif key in _RUN_BY:
            yield f"{key} runs {_code(value.get('command') if isinstance(value, dict) else value)}"
        elif key == "env" and isinstance(value, dict):
            yield f"sets in Claude's environment: {', '.join(map(_short, value))}"
        elif key == "permissions" and isinstance(value, dict):
            yield from (f"permissions.{kind}: {_code(rules)}" for kind, rules in value.items())
        elif key == "enabledPlugins":
            yield f"switches plugins on or off: {_code(value)}"
        else:
            yield f"sets {_short(key)}: {_code(value)}"


def _hooks(given: Any) -> Iterator[str]:
    for event, matchers in given.items() if isinstance(given, dict) else ():
        for command in _named(matchers, ("command", "prompt", "url")):
            yield f"runs at {_short(event)}: {_code(command)}"


def _servers(given: dict[str, Any]) -> Iterator[str]:
    servers = given.get("mcpServers")
    for name, server in servers.items() if isinstance(servers, dict) else ():
        told = server if isinstance(server, dict) else {}
        words = [told.get("command") or told.get("url") or "?", *(told.get("args") or ())]
        yield f"the tool server {_short(name)}: {_code(' '.join(map(str, words)))}"


def _commands(value: Any, depth: int = 0) -> Iterator[str]:
    """Every text in it: more than the commands, but no command is missed."""
    if isinstance(value, str):
        yield value
    elif depth < _DEEPEST:
        for inner in _inner(value):
            yield from _commands(inner, depth + 1)


def _named(value: Any, keys: Sequence[str], depth: int = 0) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from (value[key] for key in keys if key in value)
    if depth < _DEEPEST:
        for inner in _inner(value):
            yield from _named(inner, keys, depth + 1)


def _inner(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _code(value: Any) -> str:
    said = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return f"`{_short(said)}`"


def _short(text: object) -> str:
    words = " ".join(str(text).split())
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…"
