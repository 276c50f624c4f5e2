"""How Claude Code is started for a session. Pure: the flags are those of `claude --help`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bigtask.agents.claude.answering import SERVER, Answering
from bigtask.agents.protocol import Opening

_LOOKING = ("Read", "Grep", "Glob", "Agent")
_WORKING = (*_LOOKING, "Write", "Edit", "NotebookEdit", "Bash", "WebFetch", "WebSearch")
_MODES: Mapping[str, str] = {
    "ask": "default",
    "acceptEdits": "acceptEdits",
    # Claude Code refuses `bypassPermissions` as root and asks nobody any more: instead it asks us, and
    # each question is answered with yes.
    "all": "acceptEdits",
    "readOnly": "dontAsk",
}
_RULES = """\
You work for bigtask, which runs several agents side by side; each has its own folder and nobody watches.
Work only below the current directory. Don't commit, push, switch branches or create worktrees: bigtask does.
A prompt describes a block between delimiters as the form of the answer. Answer by the tool {tool} \
instead, with the fields of the block's "data"; don't write the block as text as well.
"""
_ASKING = (
    "Tell how it goes with report_progress now and then. Where only a person can decide, use ask_person.\n"
)


def read_only(opening: Opening) -> bool:
    return opening.read_only or opening.permission_mode == "readOnly"


def command_line(
    cli: Path,
    opening: Opening,
    answering: Answering,
    *,
    session_id: str,
    resumed: bool,
    pinned: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """`pinned` are variables that the project's settings can't change. A session that is `resumed` has been
    opened before, under the same id.

    Raises KeyError for a permission mode that isn't one of `Opening`'s.
    """
    looks = read_only(opening)
    mode = "readOnly" if looks else opening.permission_mode
    argv: list[str] = [
        *(str(cli), "--output-format", "stream-json", "--input-format", "stream-json", "--verbose"),
        # Pieces of messages aren't used, but they are the sign of life of a model that writes at length.
        "--include-partial-messages",
        *("--append-system-prompt", rules(answering)),
        *("--tools", ",".join(_LOOKING if looks else _WORKING)),
        *("--allowedTools", f"mcp__{SERVER}"),
        *("--permission-mode", _MODES[mode]),
        *("--mcp-config", _json({"mcpServers": {SERVER: _SERVER}})),
        *("--settings", _json(_settings(opening, pinned or {}))),
        f"--resume={session_id}" if resumed else f"--session-id={session_id}",
        *_projects_own(opening.project_settings),
    ]
    if not looks:
        argv += ["--permission-prompt-tool", "stdio"]
    if opening.model is not None:
        argv.append(f"--model={opening.model}")
    if opening.effort is not None:
        argv.append(f"--effort={opening.effort}")
    if opening.budget_usd is not None:
        argv.append(f"--max-budget-usd={opening.budget_usd:.6f}")
    if answering.by_schema:
        argv += ["--json-schema", _json(answering.schema)]
    return tuple(argv)


def _settings(opening: Opening, pinned: Mapping[str, str]) -> Mapping[str, Any]:
    """They stand above the project's own."""
    settings: dict[str, Any] = {"includeCoAuthoredBy": False}
    return {**settings, "env": dict(pinned)} if opening.project_settings else settings


# Without `alwaysLoad` the model has to search for the tools before it can see them.
_SERVER: Mapping[str, Any] = {"type": "sdk", "name": SERVER, "alwaysLoad": True}


def rules(answering: Answering) -> str:
    """What is added to the system prompt. Sessions that answer in the same way get the same text, so that the
    beginning of their prompts is cached once."""
    return _RULES.format(tool=answering.tool) + ("" if answering.by_schema else _ASKING)


def _projects_own(allowed: bool) -> Sequence[str]:
    # Not `local`: Claude Code takes that one from the main checkout, wherever it works.
    return ("--setting-sources=project",) if allowed else ("--setting-sources=", "--strict-mcp-config")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
