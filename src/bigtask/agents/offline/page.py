"""One module's page.

The same source gives the same bytes. Every object has an anchor that is its dotted path, so other pages
link to it without having seen this one.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from bigtask.agents.offline.definitions import (
    Definition,
    FunctionNode,
    Kind,
    Module,
    Unreadable,
    constructor,
    objects,
    shown,
    shown_members,
    summary,
)
from bigtask.agents.offline.docstrings import Item, Section, sections
from bigtask.agents.offline.inline import Link, code, inline, named, plain
from bigtask.agents.offline.names import Names
from bigtask.agents.offline.order import Order
from bigtask.agents.offline.project import Source
from bigtask.agents.offline.prose import blocks, callout, cell, fence, flat
from bigtask.agents.offline.signature import SourceText, parameters

_CONTENTS_FROM = 4
_MAX_VALUE = 60
_MAX_SUMMARY = 160
_EXAMPLES = frozenset({"example", "examples"})
_NAME = re.compile(r"\"[^\"]*\"|'[^']*'|[A-Za-z_][\w.]*")
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


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What a page documents; `documented` of all objects, the module included, have a docstring."""

    modules: int = 0
    classes: int = 0
    functions: int = 0
    methods: int = 0
    documented: int = 0
    undocumented: int = 0

    @property
    def objects(self) -> int:
        return self.documented + self.undocumented

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            modules=self.modules + other.modules,
            classes=self.classes + other.classes,
            functions=self.functions + other.functions,
            methods=self.methods + other.methods,
            documented=self.documented + other.documented,
            undocumented=self.undocumented + other.undocumented,
        )


def tally(module: Module) -> Tally:
    listed = list(_once(objects(shown(module))))
    explained = [module.docstring, *(explanation(definition) for definition in listed)]
    kinds = [definition.kind for definition in listed]
    documented = sum(1 for text in explained if text)
    return Tally(
        modules=1,
        classes=kinds.count(Kind.CLASS),
        functions=kinds.count(Kind.FUNCTION),
        methods=kinds.count(Kind.METHOD) + kinds.count(Kind.PROPERTY),
        documented=documented,
        undocumented=len(explained) - documented,
    )


def undocumented(module: Module) -> tuple[Definition, ...]:
    return tuple(definition for definition in _once(objects(shown(module))) if not explanation(definition))


def explanation(definition: Definition) -> str | None:
    """Its docstring; for a class its constructor's will do."""
    if definition.docstring or definition.kind is not Kind.CLASS:
        return definition.docstring
    made = constructor(definition)
    return made.docstring if made else None


def short(docstring: str | None, link: Link) -> str:
    """The summary of a docstring for a list, with its markup."""
    text = summary(docstring)
    if len(text) > _MAX_SUMMARY:
        text = text[:_MAX_SUMMARY].rpartition(" ")[0] + " …"
    return inline(text, link)


def source_href(source: Source, docs_dir: PurePosixPath, lines: tuple[int, int] | None = None) -> str:
    """Relative to a page, with the line anchors of code hosts."""
    path = quote(PurePosixPath(os.path.relpath(source.path, docs_dir)).as_posix())
    if lines is None:
        return path
    return f"{path}#L{lines[0]}" if lines[0] == lines[1] else f"{path}#L{lines[0]}-L{lines[1]}"


def unreadable_page(unreadable: Unreadable, order: Order) -> str:
    source = unreadable.source
    lines = [
        f'<a id="{source.name}"></a>',
        "",
        f"# {code(source.name)}",
        "",
        f"Source: [{code(source.path)}]({source_href(source, order.docs_dir)}) · [Index](index.md)",
        "",
        *callout(
            "Not documented",
            [
                plain(f"The source can't be read: {unreadable.problem}."),
                "",
                "Mend the file and write this page again.",
            ],
        ),
    ]
    return "\n".join(lines) + "\n"


def module_page(module: Module, names: Names, order: Order) -> str:
    return _Page(module, names, order).render()


class _Page:
    def __init__(self, module: Module, names: Names, order: Order) -> None:
        self._module = module
        self._names = names
        self._order = order
        self._source = SourceText(module.text)
        self._anchored: set[str] = set()

    def render(self) -> str:
        module, source = self._module, self._module.source
        listed = shown(module)
        parts = [
            self._anchor(source.name),
            [f"# {code(source.name)}"],
            [self._header_line()],
            self._docstring(module.docstring, "", ()),
            self._contents(listed),
            self._submodules(),
            self._reexports(),
            self._values("Type aliases", [each for each in listed if each.kind is Kind.TYPE_ALIAS], 2),
            self._values(
                "Constants and variables", [each for each in listed if each.kind is Kind.ATTRIBUTE], 2
            ),
            self._definitions("Functions", [each for each in listed if each.kind is Kind.FUNCTION]),
            self._definitions("Classes", [each for each in listed if each.kind is Kind.CLASS]),
            self._missing(),
        ]
        lines = [line for part in parts if part for line in [*part, ""]]
        return "\n".join(line.rstrip() for line in lines).rstrip("\n") + "\n"

    def _link(self, scope: str) -> Link:
        def link(written: str) -> str | None:
            target = self._names.find(written, self._module, scope)
            return self._local(target.href) if target else None

        return link

    def _local(self, href: str) -> str:
        return href.removeprefix(self._module.source.page)

    def _anchor(self, path: str) -> list[str]:
        if path in self._anchored:
            return []
        self._anchored.add(path)
        return [f'<a id="{path}"></a>']

    def _header_line(self) -> str:
        source = self._module.source
        parts = [f"Source: [{code(source.path)}]({source_href(source, self._order.docs_dir)})"]
        parent = self._names.source(source.name.rpartition(".")[0])
        if parent and self._names.has_page(parent):
            parts.append(f"Package: [{code(parent.name)}]({parent.page})")
        count = tally(self._module)
        parts.append("[Index](index.md)")
        return " · ".join(parts) + f"\\\nDocumented: {count.documented} of {count.objects} public objects"

    def _contents(self, listed: Sequence[Definition]) -> list[str]:
        found = list(_once(objects([each for each in listed if each.kind is Kind.FUNCTION])))
        found += list(_once(objects([each for each in listed if each.kind is Kind.CLASS])))
        if len(found) < _CONTENTS_FROM:
            return []
        lines = ["## Contents", ""]
        prefix = len(self._module.source.name) + 1
        for definition in found:
            depth = definition.path.count(".", prefix)
            shown_name = code(definition.path[prefix:] if not depth else definition.name)
            note = short(explanation(definition), self._link(definition.path.rpartition(".")[0]))
            entry = f"- [{shown_name}](#{definition.path})"
            lines.append("  " * depth + (f"{entry} — {note}" if note else entry))
        return lines

    def _submodules(self) -> list[str]:
        children = [
            child for child in self._names.children(self._module.source) if self._names.has_page(child)
        ]
        if not children:
            return []
        lines = ["## Modules", ""]
        for child in children:
            module = self._names.read(child)
            about = short(module.docstring, lambda _: None) if isinstance(module, Module) else ""
            entry = f"- [{code(child.name)}]({child.page})"
            lines.append(f"{entry} — {about}" if about else entry)
        return lines

    def _reexports(self) -> list[str]:
        module = self._module
        rows = []
        for local, target in sorted(module.imports.items()):
            if f"{module.source.name}.{local}" in self._names.anchors(module.source):
                continue
            if module.exports is None:
                # Without `__all__`, what a package imports from itself is what it offers.
                if not module.source.package or local.startswith("_"):
                    continue
            elif local not in module.exports:
                continue
            found = self._names.absolute(target)
            if found:
                about = found.definition.docstring if found.definition else None
                name = f'<a id="{module.source.name}.{local}"></a>{code(local)}'
                place = named(found.path, self._local(found.href))
                rows.append(f"| {name} | {place} | {cell(short(about, self._link('')))} |")
        stars = []
        for origin in module.stars:
            found = self._names.absolute(origin)
            if found:
                stars.append(
                    f"Everything public of {named(found.path, self._local(found.href))} is offered here too."
                )
        if not rows and not stars:
            return []
        table = ["| Name | Defined in | Summary |", "| --- | --- | --- |", *rows] if rows else []
        gap = [""] if rows and stars else []
        return ["## Offered from elsewhere", "", *table, *gap, *stars]

    def _values(
        self,
        title: str,
        values: Sequence[Definition],
        level: int,
        scope: str = "",
        types: Mapping[str, str] | None = None,
    ) -> list[str]:
        """A table. `types` are the annotations of the constructor, for `self.name = name`."""
        if not values:
            return []
        link = self._link(scope)
        heading = f"{'#' * level} {title}" if level < 5 else f"**{title}**"
        lines = [heading, "", "| Name | Type | Value | Description |", "| --- | --- | --- | --- |"]
        for each in values:
            node = each.node
            annotation = self._source.of(node.annotation) if isinstance(node, ast.AnnAssign) else ""
            if not annotation and types and isinstance(getattr(node, "value", None), ast.Name):
                annotation = types.get(self._source.of(getattr(node, "value", None)), "")
            value = self._value(getattr(node, "value", None), instance=self._is_instance_value(node))
            anchor = "".join(self._anchor(each.path))
            about = flat(each.docstring, link) if each.docstring else ""
            if self._order.brief:
                about = cell(short(each.docstring, link))
            lines.append(
                f"| {anchor}{code(each.name)} | {self._type(annotation, link)} | {cell(value)} | {about} |"
            )
        return lines

    def _is_instance_value(self, node: ast.AST) -> bool:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        return any(isinstance(target, ast.Attribute) for target in targets)

    def _value(self, node: ast.expr | None, *, instance: bool) -> str:
        # `self.name = name` says nothing to a reader; a literal does.
        if node is None or (instance and not isinstance(node, ast.Constant)):
            return ""
        end = (getattr(node, "end_lineno", 0) or 0) - node.lineno
        if end > 20:
            return "…"
        text = " ".join(self._source.of(node).split())
        return code(text if len(text) <= _MAX_VALUE else text[: _MAX_VALUE - 1] + "…")

    def _type(self, annotation: str, link: Link) -> str:
        """An annotation with its names linked, for a table cell."""
        text = annotation.strip()
        if len(text) > 2 and text[0] in "\"'" and text[-1] == text[0] and text[0] not in text[1:-1]:
            text = text[1:-1]
        text = " ".join(text.split())
        pieces = []
        position = 0
        for match in _NAME.finditer(text):
            word = match[0]
            quoted = word[0] in "\"'"
            href = link(word[1:-1] if quoted else word)
            shown_word = plain(word[1:-1] if quoted and href else word)
            pieces += [
                plain(text[position : match.start()]),
                f"[{shown_word}]({href})" if href else shown_word,
            ]
            position = match.end()
        return "".join([*pieces, plain(text[position:])])

    def _definitions(self, title: str, definitions: Sequence[Definition]) -> list[str]:
        if not definitions:
            return []
        lines = [f"## {title}"]
        for definition in definitions:
            lines += ["", *self._definition(definition, 3)]
        return lines

    def _definition(self, definition: Definition, level: int) -> list[str]:
        again = definition.path in self._anchored
        local = definition.path[len(self._module.source.name) + 1 :]
        label = " *(another definition)*" if again else ""
        kind = "" if definition.kind in {Kind.METHOD, Kind.FUNCTION} else f" · {definition.kind.value}"
        lines = (self._anchor(definition.path) or ["---"]) + [
            "",
            f"{'#' * min(level, 6)} {code(local)}{label}",
            "",
        ]
        place = source_href(
            self._module.source, self._order.docs_dir, (definition.first_line, definition.last_line)
        )
        where = f"{self._module.source.path}:{definition.first_line}"
        lines += [f"<sub>[{plain(where)}]({place}){kind}{self._traits(definition)}</sub>", ""]
        node = definition.node
        if isinstance(node, ast.ClassDef):
            return [*lines, *self._class(definition, node, level)]
        return [*lines, *self._function(definition, node)] if isinstance(node, FunctionNode) else lines

    def _traits(self, definition: Definition) -> str:
        traits = [{"setter": "writable", "deleter": "deletable"}[each] for each in definition.accessors]
        return "".join(f" · {trait}" for trait in traits)

    def _function(self, definition: Definition, node: FunctionNode) -> list[str]:
        heads = [self._source.header(each) for each in (*definition.overloads, node)]
        heads = list(dict.fromkeys(heads))
        lines = fence("\n\n".join(heads).split("\n"), "python")
        scope = definition.path.rpartition(".")[0]
        about = self._docstring(definition.docstring, scope, self._parameters(definition))
        uses = self._uses([node, *definition.overloads], scope, about)
        return [*lines, *uses, *([""] if about else []), *about]

    def _class(self, definition: Definition, node: ast.ClassDef, level: int) -> list[str]:
        made = constructor(definition)
        heads = self._source.header(node)
        if made and isinstance(made.node, FunctionNode):
            inner = "\n\n".join(self._source.header(each) for each in (*made.overloads, made.node))
            heads += "\n" + "\n".join(f"    {line}" if line else line for line in inner.split("\n"))
        parts = [fence(heads.split("\n"), "python")]
        if node.bases:
            link = self._link("")
            parts.append(
                ["Bases: " + ", ".join(self._type(self._source.of(base), link) for base in node.bases)]
            )
        listed = self._parameters(made) if made else ()
        parts.append(self._docstring(definition.docstring, definition.path, listed))
        if made and made.docstring:
            parts.append(self._docstring(made.docstring, definition.path, listed))
        if made and made.node:
            about = [line for part in parts[2 if node.bases else 1 :] for line in part]
            parts.append([line for line in self._uses([made.node], definition.path, about) if line])
        members = shown_members(definition)
        values = [each for each in members if each.kind in {Kind.ATTRIBUTE, Kind.TYPE_ALIAS}]
        parts.append(
            self._values("Attributes", values, 5, definition.path, {each.name: each.type for each in listed})
        )
        rest = [each for each in members if each.kind not in {Kind.ATTRIBUTE, Kind.TYPE_ALIAS}]
        order = {Kind.PROPERTY: 0, Kind.METHOD: 1, Kind.CLASS: 2}
        rest.sort(key=lambda each: order[each.kind])
        return _apart([*parts, *(self._definition(member, level + 1) for member in rest)])

    def _parameters(self, definition: Definition) -> tuple[Item, ...]:
        node = definition.node
        if not isinstance(node, FunctionNode) or definition.kind is Kind.PROPERTY:
            return ()
        static = any(isinstance(each, ast.Name) and each.id == "staticmethod" for each in node.decorator_list)
        bound = definition.kind is Kind.METHOD and not static
        return tuple(
            Item(name=each.name, type=each.annotation, default=each.default)
            for each in parameters(node, self._source, bound=bound)
        )

    def _uses(self, nodes: Sequence[ast.AST], scope: str, about: Sequence[str]) -> list[str]:
        """Links to the project's own types in a signature, where the text below has no table with them."""
        if any(line.startswith("| Name | Type |") for line in about):
            return []
        link = self._link(scope)
        found: dict[str, str] = {}
        for node in nodes:
            if not isinstance(node, FunctionNode):
                continue
            arguments = node.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            every += [each for each in (arguments.vararg, arguments.kwarg) if each]
            for annotation in [*(each.annotation for each in every), node.returns]:
                for word in _NAME.findall(self._source.of(annotation)):
                    name = word.strip("\"'")
                    href = link(name)
                    if href:
                        found.setdefault(name, href)
        if not found:
            return []
        return ["", "Types: " + ", ".join(named(name, href) for name, href in sorted(found.items()))]

    def _docstring(self, docstring: str | None, scope: str, listed: Sequence[Item]) -> list[str]:
        if not docstring:
            return []
        link = self._link(scope)
        if self._order.brief:
            return inline(summary(docstring), link).split("\n")
        rows = [section for section in sections(docstring) if self._is_wanted(section)]
        documented = [
            item.name.lstrip("*")
            for section in rows
            if "parameters" in section.kind
            for item in section.items
        ]
        return _apart([self._section(section, link, listed, documented) for section in rows])

    def _is_wanted(self, section: Section) -> bool:
        return self._order.examples or not (
            section.kind == "examples"
            or (section.kind == "admonition" and section.items[0].name in _EXAMPLES)
        )

    def _section(
        self, section: Section, link: Link, listed: Sequence[Item], documented: Sequence[str]
    ) -> list[str]:
        examples = self._order.examples
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
            head = " ".join(part for part in (code(item.name), self._type(item.type, link)) if part)
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
            default = code(_clipped(one.default or other.default))
            kind = self._type(one.type or other.type, link)
            lines.append(f"| {shown_name} | {cell(kind)} | {cell(default)} | {flat(other.text, link)} |")
        return lines

    def _missing(self) -> list[str]:
        missing = undocumented(self._module)
        lines = [] if self._module.docstring else ["- the module itself"]
        prefix = len(self._module.source.name) + 1
        lines += [f"- [{code(each.path[prefix:])}](#{each.path})" for each in missing]
        return ["## Without a docstring", "", *lines] if lines else []


def _apart(parts: Sequence[list[str]]) -> list[str]:
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


def _clipped(text: str) -> str:
    return text if len(text) <= _MAX_VALUE else text[: _MAX_VALUE - 1] + "…"


def _once(definitions: Iterable[Definition]) -> list[Definition]:
    found: dict[str, Definition] = {}
    for definition in definitions:
        found.setdefault(definition.path, definition)
    return list(found.values())
