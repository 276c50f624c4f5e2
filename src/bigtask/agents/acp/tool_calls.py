"""A tool call of an agent in bigtask's words: its kind, what it is about, what a person is asked. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bigtask.agents.protocol import ToolCall, ToolKind

_KINDS: Mapping[str, ToolKind] = {
    "read": ToolKind.READ,
    "edit": ToolKind.EDIT,
    "delete": ToolKind.EDIT,
    "move": ToolKind.EDIT,
    "search": ToolKind.SEARCH,
    "execute": ToolKind.BASH,
    "fetch": ToolKind.WEB,
    "think": ToolKind.TASK,
}
_NAMES: Mapping[ToolKind, str] = {
    ToolKind.READ: "Read",
    ToolKind.EDIT: "Edit",
    ToolKind.WRITE: "Write",
    ToolKind.SEARCH: "Grep",
    ToolKind.BASH: "Bash",
    ToolKind.WEB: "WebFetch",
    ToolKind.TASK: "Task",
}
"""The names that rules about permissions know them by, the same for every agent of the protocol."""
_OURS = re.compile(
    r"(?:mcp__bigtask__|bigtask[_./])?"
    r"(?:report_answer|report_progress|ask_person)(?: \(bigtask MCP Server\))?"
)
LOOKING = frozenset({ToolKind.READ, ToolKind.SEARCH, ToolKind.TASK})
_LONGEST = 2_000


class ToolCalls:
    """The calls of a session by their ids, as what is said of one comes in pieces, in any order."""

    def __init__(self, cwd: Path) -> None:
        self._cwd = cwd
        self._known: dict[str, dict[str, Any]] = {}
        self._told: set[str] = set()

    def learn(self, call: Any) -> ToolCall | None:
        """The call, the first time that its kind is known or that it is over; `call` is any of the SDK's
        three shapes of one."""
        known = self._known.setdefault(call.tool_call_id, {})
        for name in ("title", "kind", "content", "locations", "raw_input"):
            value = getattr(call, name, None)
            if value:
                known[name] = value
        over = call.status in ("completed", "failed")
        kind = self.kind(call.tool_call_id)
        # What an edit is of comes later than that it is one; only then is it known whether the file is new.
        unclear = kind is ToolKind.EDIT and not _paths(known)
        if call.tool_call_id in self._told or not (("kind" in known and not unclear) or over):
            return None
        self._told.add(call.tool_call_id)
        if self.ours(call.tool_call_id):
            return None
        return ToolCall(
            kind=kind,
            name=_NAMES.get(kind, known.get("title", "tool")),
            detail=str(known.get("title", ""))[:_LONGEST],
            path=self._path(known),
        )

    def kind(self, call_id: str) -> ToolKind:
        known = self._known.get(call_id, {})
        kind = _KINDS.get(known.get("kind", ""), ToolKind.OTHER)
        diffs = [part for part in known.get("content", ()) if getattr(part, "type", "") == "diff"]
        if kind is ToolKind.EDIT and diffs and all(part.old_text is None for part in diffs):
            return ToolKind.WRITE
        return kind

    def name(self, call_id: str) -> str:
        return _NAMES.get(self.kind(call_id), str(self._known.get(call_id, {}).get("title", "tool")))

    def subject(self, call_id: str) -> str:
        """A command, a path (relative below the working directory), else the agent's title."""
        known = self._known.get(call_id, {})
        if self.kind(call_id) is ToolKind.BASH and (command := _command(known.get("raw_input"))):
            return command
        return self._path(known) or str(known.get("title", ""))

    def question(self, call_id: str) -> str:
        subject = self.subject(call_id)
        cut = subject if len(subject) <= _LONGEST else f"{subject[:_LONGEST]}… ({len(subject)} characters)"
        words = {ToolKind.BASH: "Run", ToolKind.EDIT: "Edit", ToolKind.WRITE: "Write", ToolKind.READ: "Read"}
        word = words.get(self.kind(call_id))
        if word is not None:
            return f"{word} {cut}?"
        return cut if cut.endswith("?") else f"Use {cut or 'a tool that it says nothing about'}?"

    def ours(self, call_id: str) -> bool:
        """Whether it is a tool that we offer. A command or a file of that name isn't one."""
        title = str(self._known.get(call_id, {}).get("title", ""))
        return self.kind(call_id) is ToolKind.OTHER and _OURS.fullmatch(title) is not None

    def inside(self, call_id: str) -> bool:
        """Whether all that it would write lies below the working directory, as far as the agent says it."""
        paths = _paths(self._known.get(call_id, {}))
        return bool(paths) and all(not os.path.isabs(_relative(path, self._cwd)) for path in paths)

    def _path(self, known: Mapping[str, Any]) -> str | None:
        return next((_relative(path, self._cwd) for path in _paths(known)), None)


def _paths(known: Mapping[str, Any]) -> list[str]:
    diffs = [part.path for part in known.get("content", ()) if getattr(part, "type", "") == "diff"]
    return [*diffs, *(place.path for place in known.get("locations", ()))]


def _relative(path: str, cwd: Path) -> str:
    # Links are followed: one in the project may lead anywhere.
    whole = os.path.realpath(os.path.join(cwd, path))
    inside = os.path.relpath(whole, os.path.realpath(cwd))
    return whole if inside.split(os.sep)[0] == os.pardir else inside


def _command(given: Any) -> str:
    said = given.get("command") if isinstance(given, dict) else None
    if isinstance(said, list):
        return " ".join(str(word) for word in said)
    return said if isinstance(said, str) else ""
