"""Brings docs/events.md up to date with core/events.py: what can happen, and what each event says."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

from bigtask.core import events, values
from bigtask.core.events import TYPES, Happened

MARK = "<!-- From here on made by tools/events.py. -->"
"""What stands before it in the page is written by hand."""

PAGE = Path(__file__).parents[1] / "docs" / "events.md"

PARTS = (
    ("orchestrator", "Of the run"),
    ("worker", "Of a task and its attempts"),
)


def page(before: str) -> str:
    """The page anew, with what was written by hand in `before`."""
    lines = [before.partition(MARK)[0] + MARK, ""]
    for prefix, title in PARTS:
        lines.append(f"## {title}\n")
        for name, kind in TYPES.items():
            if name.startswith(f"{prefix}:"):
                lines.append(_event(name, kind))
    return "\n".join(lines)


def _event(name: str, kind: type[Happened]) -> str:
    about = inspect.cleandoc(kind.__dict__.get("__doc__") or "").replace("\n", " ")
    lines = [f"### `{name}`", *([about] if about else [])]
    words = _words(kind)
    fields = [
        (encoded, words.get(own, ("", ""))[0], words.get(own, ("", ""))[1], default)
        for own, encoded, default in zip(
            kind.__struct_fields__, kind.__struct_encode_fields__, _defaults(kind), strict=True
        )
    ]
    if fields:
        lines += ["", "| key | type | default | meaning |", "| --- | --- | --- | --- |"]
        lines += [
            f"| `{key}` | {_escaped(kind_of)} | {default} | {_escaped(meaning)} |"
            for key, kind_of, meaning, default in fields
        ]
    return "\n".join(lines) + "\n"


def _defaults(kind: type[Happened]) -> list[str]:
    fields, defaults = kind.__struct_fields__, kind.__struct_defaults__
    shown = [f"`{_shown(default)}`" for default in defaults]
    # Keyword-only fields may have a default or none in any order: msgspec marks those without.
    return ["" if "NODEFAULT" in one else one for one in [""] * (len(fields) - len(shown)) + shown]


def _shown(default: object) -> str:
    if isinstance(default, str):
        return f'"{default}"'
    if default is None or isinstance(default, bool):
        return {None: "null", True: "true", False: "false"}[default]
    if isinstance(default, tuple):
        return "[]"
    if isinstance(default, int | float) or "NODEFAULT" in repr(default):
        return repr(default)
    return "{}"


def _words(kind: type[Happened]) -> dict[str, tuple[str, str]]:
    """Of each field, its own ones and the inherited: the type as it is written, and what is said below it."""
    found: dict[str, tuple[str, str]] = {}
    for one in reversed(kind.__mro__):
        if one.__module__ in (events.__name__, values.__name__):
            found.update(_BY_CLASS.get(one.__name__, {}))
    return found


def _read() -> dict[str, dict[str, tuple[str, str]]]:
    by_class: dict[str, dict[str, tuple[str, str]]] = {}
    for node in ast.parse(inspect.getsource(events)).body:
        if isinstance(node, ast.ClassDef):
            fields = by_class.setdefault(node.name, {})
            last = ""
            for line in node.body:
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                    last = line.target.id
                    fields[last] = (_json(ast.unparse(line.annotation)), "")
                elif last and isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant):
                    said = inspect.cleandoc(str(line.value.value)).replace("\n", " ")
                    fields[last] = (fields[last][0], said)
    return by_class


def _json(annotation: str) -> str:
    """As somebody who reads JSON would say it."""
    for python, said in (
        ("tuple[str, ...]", "texts"),
        ("Mapping[str, str]", "object of texts"),
        ("Mapping[str, int]", "object of numbers"),
        ("Mapping[str, Any]", "object"),
        ("None", "null"),
    ):
        annotation = annotation.replace(python, said)
    if annotation.startswith("tuple["):
        annotation = f"list of {annotation[6:].partition(',')[0]}"
    names = {"str": "text", "int": "number", "float": "number", "bool": "true or false"}
    return " or ".join(names.get(part.strip(), part.strip()) for part in annotation.split("|"))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


_BY_CLASS = _read()

if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), encoding="utf-8")
