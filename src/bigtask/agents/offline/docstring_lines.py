"""A docstring as lines of a page."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from dataclasses import dataclass

from bigtask.agents.offline.definitions import summary
from bigtask.agents.offline.docstrings import Item, Section, sections
from bigtask.agents.offline.inline import Link, code, inline, plain
from bigtask.agents.offline.order import Order
from bigtask.agents.offline.page_links import linked_type
from bigtask.agents.offline.prose import blocks, callout, cell, fence, flat

_MAX_VALUE = 60
_MAX_SUMMARY = 160
_EXAMPLES = frozenset({"example", "examples"})
_TITLES = {
    "returns": "Returns",
    "yields": "Yields",
    "receives": "Receives",
    "raises": "Raises",
    "warns": "Warns",
    "parameters": "Parameters",
    "other parameters": "Other parameters",
    "type parameters": "Type parameters",
    "attributes": "Attributes",
    "functions": "Functions",
    "classes": "Classes",
    "modules": "Modules",
    "type aliases": "Type aliases",
}


def short(docstring: str | None, link: Link) -> str:
    """The summary of a docstring for a list, with its markup."""
    text = summary(docstring)
    if len(text) > _MAX_SUMMARY:
        text = text[:_MAX_SUMMARY].rpartition(" ")[0] + " …"
    return inline(text, link)


@dataclass(frozen=True)
class DocstringLines:
    """Written as the order wants it."""

    order: Order

    def of(self, docstring: str | None, link: Link, listed: Sequence[Item] = ()) -> list[str]:
        """`listed` are the parameters as the signature has them."""
        if not docstring:
            return []
        if self.order.brief:
            return inline(summary(docstring), link).split("\n")
        rows = [section for section in sections(docstring) if self._is_wanted(section)]
        documented = [
            item.name.lstrip("*")
            for section in rows
            if "parameters" in section.kind
            for item in section.items
        ]
        return apart([self._section(section, link, listed, documented) for section in rows])

    def _is_wanted(self, section: Section) -> bool:
        return self.order.examples or not (
            section.kind == "examples"
            or (section.kind == "admonition" and section.items[0].name in _EXAMPLES)
        )

    def _section(
        self, section: Section, link: Link, listed: Sequence[Item], documented: Sequence[str]
    ) -> list[str]:
        examples = self.order.examples
        if section.kind == "text":
            return blocks(section.text, link, examples=examples)
        if section.kind == "examples":
            return [f"**{plain(section.title or 'Examples')}**", "", *blocks(section.text, link)]
        if section.kind in {"admonition", "deprecated"}:
            name = section.items[0].name
            body = blocks(section.text, link, examples=examples)
            if section.kind == "deprecated":
                return callout(f"Deprecated since version {plain(name)}", body)
            title = section.title or name.replace("-", " ").capitalize()
            if name in _EXAMPLES:
                return [f"**{plain(title)}**", "", *_as_code(section.text, body)]
            return callout(plain(title), body)
        title = f"**{plain(section.title) or _TITLES.get(section.kind, section.kind.capitalize())}**"
        if section.kind == "parameters":
            return [title, "", *self._parameter_table(section.items, link, listed, documented)]
        if section.kind in {"other parameters", "type parameters", "attributes"}:
            return [title, "", *self._parameter_table(section.items, link, (), documented)]
        lines = []
        for item in section.items:
            head = " ".join(part for part in (code(item.name), linked_type(item.type, link)) if part)
            text = blocks(item.text, link, examples=examples)
            first = text[0] if text and not text[0].startswith(("`" * 3, "- ", "> ", "1. ")) else ""
            rest = text[1:] if first else text
            lines.append(f"- {head}{': ' if head and first else ''}{first}".rstrip())
            lines += [f"  {line}".rstrip() for line in ([""] if rest and not first else []) + rest]
        return [title, "", *lines]

    def _parameter_table(
        self, items: Sequence[Item], link: Link, listed: Sequence[Item], documented: Sequence[str]
    ) -> list[str]:
        """Rows in the order of the signature, with what only one of signature and docstring says."""
        signature = {item.name.lstrip("*"): item for item in listed}
        told = {item.name.lstrip("*"): item for item in items}
        # A parameter that another section explains is not repeated without its explanation.
        order = [name for name in signature if name in told or name not in documented]
        order += [name for name in told if name not in signature]
        order = [name for name in order if name in told or not name.startswith("_")]
        lines = ["| Name | Type | Default | Description |", "| --- | --- | --- | --- |"]
        for name in order:
            one, other = signature.get(name, Item()), told.get(name, Item())
            shown_name = code(one.name or other.name)
            default = code(clipped(one.default or other.default))
            kind = linked_type(one.type or other.type, link)
            lines.append(f"| {shown_name} | {cell(kind)} | {cell(default)} | {flat(other.text, link)} |")
        return lines


def apart(parts: Sequence[list[str]]) -> list[str]:
    """The parts that aren't empty, with a blank line between them."""
    lines: list[str] = []
    for part in parts:
        if part:
            lines += [*([""] if lines else []), *part]
    return lines


def _as_code(text: str, converted: list[str]) -> list[str]:
    """An example that is nothing but code is shown as code, even where nothing marks it."""
    lines = inspect.cleandoc(text).splitlines()
    if any(line.startswith((">>>", "```", "- ", "* ", ".. ")) for line in lines) or not lines:
        return converted
    try:
        tree = ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return converted
    return fence(lines, "python") if tree.body else converted


def clipped(text: str) -> str:
    return text if len(text) <= _MAX_VALUE else text[: _MAX_VALUE - 1] + "…"
