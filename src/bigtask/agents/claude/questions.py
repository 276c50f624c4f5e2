"""What a session asks a person: each question waits for its answer, and nothing else does."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bigtask.agents.open_questions import OpenQuestions
from bigtask.agents.protocol import PermissionAsked
from bigtask.core.permissions import ALLOW as ALLOW
from bigtask.core.permissions import DENY as DENY

_LONGEST = 2_000


class Questions:
    """`tell` takes each question to whoever reads the session's events."""

    def __init__(self, session_id: str, tell: Callable[[PermissionAsked], Awaitable[None]]) -> None:
        self._tell = tell
        self._open = OpenQuestions(session_id)

    @property
    def waiting(self) -> bool:
        return self._open.waiting

    async def ask(
        self, question: str, options: Sequence[str] = (ALLOW, DENY), *, tool: str = "", subject: str = ""
    ) -> str:
        """The answer. Cancelled where Claude Code withdraws the question, as it does when interrupted."""
        with self._open.asking(question, options, tool=tool, subject=subject) as (asked, answer):
            await self._tell(asked)
            said = await answer
        assert said is not None, "only Claude Code withdraws a question, by cancelling"
        return said

    def answer(self, request_id: str, answer: str) -> None:
        self._open.answer(request_id, answer)


def permission_question(tool: str, given: Mapping[str, Any], cwd: Path) -> str:
    """What a tool wants to do, in one sentence, with its subject as in `permission_subject`."""
    for known, words, field in _QUESTIONS:
        if tool == known and isinstance(given.get(field), str):
            return f"{words} {_cut(permission_subject(tool, given, cwd))}?"
    return f"Use {tool} with {_cut(json.dumps(given, ensure_ascii=False))}?"


def permission_subject(tool: str, given: Mapping[str, Any], cwd: Path) -> str:
    """What the tool would do it to, in full: paths below the working directory are relative to it."""
    for known, _, field in _QUESTIONS:
        if tool == known and isinstance(given.get(field), str):
            text: str = given[field]
            if field not in _PATHS:
                return text
            whole = os.path.normpath(os.path.join(cwd, text))
            inside = os.path.relpath(whole, cwd)
            return whole if inside.split(os.sep)[0] == os.pardir else inside
    return json.dumps(given, ensure_ascii=False, sort_keys=True)


_PATHS = frozenset({"file_path", "notebook_path", "path"})
_QUESTIONS = (
    ("Bash", "Run", "command"),
    ("Write", "Write", "file_path"),
    ("Edit", "Edit", "file_path"),
    ("NotebookEdit", "Edit", "notebook_path"),
    ("Read", "Read", "file_path"),
    ("Grep", "Search in", "path"),
    ("Glob", "List files in", "path"),
    ("WebFetch", "Fetch", "url"),
    ("WebSearch", "Search the web for", "query"),
)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"
