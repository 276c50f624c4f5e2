"""What the host wants: the variables of a prompt, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from bigtask.errors import InvalidInput

INDEX_TASK = "doc-index"
DEFAULT_DOCS_DIR = "docs/api"
DEFAULT_MAX_TASKS = 50


@dataclass(frozen=True, kw_only=True)
class Order:
    """`directory` is the last part of the project's own path: a worktree has another name."""

    project: str
    directory: str
    request: str
    docs_dir: PurePosixPath
    language: str
    brief: bool
    examples: bool
    max_tasks: int
    task_id: str
    task_title: str
    scope: tuple[str, ...]


def read_order(variables: Mapping[str, Any]) -> Order:
    """Raises `InvalidInput` for what this program can't do: it says which variable and why."""
    wanted = str(variables.get("OUTPUT_FORMAT") or "markdown").strip().lower()
    if wanted not in {"markdown", "md"}:
        raise InvalidInput(f"OUTPUT_FORMAT is {wanted}: the offline agent writes markdown only, choose that")
    docs_dir = PurePosixPath(str(variables.get("DOCS_DIR") or DEFAULT_DOCS_DIR))
    if docs_dir.is_absolute() or ".." in docs_dir.parts or not docs_dir.parts:
        raise InvalidInput(f"DOCS_DIR is {docs_dir}: give a directory inside the project, as in docs/api")
    directory = PurePosixPath(str(variables.get("CWD") or "").replace("\\", "/")).name
    return Order(
        project=str(variables.get("PROJECT_NAME") or directory or "project"),
        directory=directory,
        request=str(variables.get("USER_REQUEST") or ""),
        docs_dir=docs_dir,
        language=str(variables.get("LANGUAGE") or "en"),
        brief=str(variables.get("VERBOSITY") or "full").strip().lower() == "brief",
        examples=_flag(variables.get("INCLUDE_EXAMPLES"), default=True),
        max_tasks=max(1, _whole(variables.get("MAX_TASKS"), default=DEFAULT_MAX_TASKS)),
        task_id=str(variables.get("TASK_ID") or ""),
        task_title=str(variables.get("TASK_TITLE") or ""),
        scope=_paths(variables.get("TASK_SCOPE")),
    )


def _flag(value: object, *, default: bool) -> bool:
    if isinstance(value, str) and value.strip():
        return value.strip().lower() not in {"false", "no", "0", "off"}
    return value if isinstance(value, bool) else default


def _whole(value: object, *, default: int) -> int:
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def _paths(value: object) -> tuple[str, ...]:
    """A list, or one path a line."""
    entries = (
        value.splitlines() if isinstance(value, str) else value if isinstance(value, list | tuple) else ()
    )
    return tuple(PurePosixPath(str(entry).strip()).as_posix() for entry in entries if str(entry).strip())
