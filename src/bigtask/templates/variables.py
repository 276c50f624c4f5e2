"""`{NAME}` in prompts, filled in once.

A value is never scanned again, so a value that contains `{CWD}` keeps those five characters. That is
what keeps a request, a file name or an agent's output from reaching other values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

_NAME = re.compile(r"\{([A-Z_][A-Z0-9_]*)\}")

_EVERYWHERE = frozenset(
    {
        "CUSTOM_INSTRUCTIONS",
        "CWD",
        "ORCHESTRATOR_ID",
        "ORIGINAL_REQUEST",
        "PROJECT_NAME",
        "RESPONSE_FORMAT",
        "TEMPLATE_NAME",
        "USER_REQUEST",
    }
)
_LIMITS = frozenset({"MAX_TASKS", "MAX_WORKERS", "MIN_TASKS"})
_ANALYSED = frozenset({"ANALYSIS_SUMMARY", "KEY_FILES", "RECOMMENDED_SPLITS"})
_PLANNED = frozenset({"TASKS_JSON", "TASK_COUNT"})
_TASK = frozenset(
    {"DEPENDENCY_OUTPUTS", "TASK_CHECKS", "TASK_DESCRIPTION", "TASK_ID", "TASK_SCOPE", "TASK_TITLE"}
)
_MERGED = frozenset({"CONFLICTS", "MERGED_OUTPUT", "WORKER_OUTPUTS"})

_START = _EVERYWHERE | _LIMITS
BUILT_IN: Mapping[str, frozenset[str]] = {
    "analysis": _START,
    "taskPlanning": _START | _ANALYSED,
    "workerExecution": _START | _ANALYSED | _PLANNED | _TASK,
    "aggregation": _START | _ANALYSED | _PLANNED | _MERGED,
    "verification": _START | _ANALYSED | _PLANNED | _MERGED,
}
"""The names that bigtask itself gives a value, by phase. `MIN_TASKS`, `MAX_TASKS` and `MAX_WORKERS` come
from the template's own limits, so that a prompt can't contradict what its answer is checked by."""


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """`unknown` are the names without a value, each once, in the order of the text."""

    text: str
    unknown: tuple[str, ...] = ()


def names(text: str) -> tuple[str, ...]:
    """Every `{NAME}` of the text, each once, in its order."""
    return tuple(dict.fromkeys(_NAME.findall(text)))


def render(text: str, values: Mapping[str, Any]) -> Rendered:
    """One pass over the text. A name without a value stays as it is and is reported."""
    filled = form(text, values)
    return Rendered(text=filled.fill({}), unknown=tuple(dict.fromkeys(filled.names)))


@dataclass(frozen=True)
class Form:
    """A text with some of its names filled in for good. `names` are those that stay open, `texts` what is
    around them: one more."""

    texts: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def beginning(self) -> str:
        """What every filling of the form begins with."""
        return self.texts[0]

    def fill(self, values: Mapping[str, str]) -> str:
        """`values` as they are to be printed. A name without one stays as it is."""
        parts = [self.texts[0]]
        for name, text in zip(self.names, self.texts[1:], strict=True):
            value = values.get(name)
            parts.append(f"{{{name}}}" if value is None else value)
            parts.append(text)
        return "".join(parts)


def form(text: str, values: Mapping[str, Any]) -> Form:
    """The text with what `values` has filled in, and the other names open."""
    first, *rest = _NAME.split(text)
    texts, open_names = [first], []
    for name, following in zip(rest[::2], rest[1::2], strict=True):
        if name in values:
            texts[-1] += printed(values[name]) + following
        else:
            open_names.append(name)
            texts.append(following)
    return Form(tuple(texts), tuple(open_names))


def printed(value: Any) -> str:
    """A value as a prompt shows it: booleans as yes or no, lists joined by `, `, objects as JSON, None as
    nothing."""
    if isinstance(value, str):
        return value
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(printed(item) for item in value)
        case Mapping():
            return msgspec.json.encode(value).decode()
        case _:
            return str(value)
