"""Functions, classes and values as lines of a page."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from bigtask.agents.offline.definitions import Definition, FunctionNode, Kind, constructor, shown_members
from bigtask.agents.offline.docstring_lines import DocstringLines, apart, clipped, short
from bigtask.agents.offline.docstrings import Item
from bigtask.agents.offline.inline import Link, code, named, plain
from bigtask.agents.offline.order import Order
from bigtask.agents.offline.page_links import PageLinks, linked_type, names_in, source_href
from bigtask.agents.offline.prose import cell, fence, flat
from bigtask.agents.offline.signature import SourceText, parameters


class DefinitionLines:
    """Each path gets its anchor once, where it is defined first."""

    def __init__(self, links: PageLinks, order: Order) -> None:
        self._links = links
        self._module = links.module
        self._order = order
        self._docstrings = DocstringLines(order)
        self._source = SourceText(links.module.text)
        self._anchored: set[str] = set()

    def anchor(self, path: str) -> list[str]:
        if path in self._anchored:
            return []
        self._anchored.add(path)
        return [f'<a id="{path}"></a>']

    def values(
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
        link = self._links.within(scope)
        heading = f"{'#' * level} {title}" if level < 5 else f"**{title}**"
        lines = [heading, "", "| Name | Type | Value | Description |", "| --- | --- | --- | --- |"]
        for each in values:
            node = each.node
            annotation = self._source.of(node.annotation) if isinstance(node, ast.AnnAssign) else ""
            if not annotation and types and isinstance(getattr(node, "value", None), ast.Name):
                annotation = types.get(self._source.of(getattr(node, "value", None)), "")
            value = self._value(getattr(node, "value", None), instance=self._is_instance_value(node))
            anchor = "".join(self.anchor(each.path))
            about = flat(each.docstring, link) if each.docstring else ""
            if self._order.brief:
                about = cell(short(each.docstring, link))
            lines.append(
                f"| {anchor}{code(each.name)} | {linked_type(annotation, link)} | {cell(value)} | {about} |"
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
        return code(clipped(text))

    def section(self, title: str, definitions: Sequence[Definition]) -> list[str]:
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
        lines = (self.anchor(definition.path) or ["---"]) + [
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
        link = self._links.within(definition.path.rpartition(".")[0])
        about = self._docstrings.of(definition.docstring, link, self._parameters(definition))
        uses = self._uses([node, *definition.overloads], link, about)
        return [*lines, *uses, *([""] if about else []), *about]

    def _class(self, definition: Definition, node: ast.ClassDef, level: int) -> list[str]:
        made = constructor(definition)
        heads = self._source.header(node)
        if made and isinstance(made.node, FunctionNode):
            inner = "\n\n".join(self._source.header(each) for each in (*made.overloads, made.node))
            heads += "\n" + "\n".join(f"    {line}" if line else line for line in inner.split("\n"))
        parts = [fence(heads.split("\n"), "python")]
        if node.bases:
            outside = self._links.within("")
            parts.append(
                ["Bases: " + ", ".join(linked_type(self._source.of(base), outside) for base in node.bases)]
            )
        link = self._links.within(definition.path)
        listed = self._parameters(made) if made else ()
        parts.append(self._docstrings.of(definition.docstring, link, listed))
        if made and made.docstring:
            parts.append(self._docstrings.of(made.docstring, link, listed))
        if made and made.node:
            about = [line for part in parts[2 if node.bases else 1 :] for line in part]
            parts.append([line for line in self._uses([made.node], link, about) if line])
        members = shown_members(definition)
        values = [each for each in members if each.kind in {Kind.ATTRIBUTE, Kind.TYPE_ALIAS}]
        parts.append(
            self.values("Attributes", values, 5, definition.path, {each.name: each.type for each in listed})
        )
        rest = [each for each in members if each.kind not in {Kind.ATTRIBUTE, Kind.TYPE_ALIAS}]
        order = {Kind.PROPERTY: 0, Kind.METHOD: 1, Kind.CLASS: 2}
        rest.sort(key=lambda each: order[each.kind])
        return apart([*parts, *(self._definition(member, level + 1) for member in rest)])

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

    def _uses(self, nodes: Sequence[ast.AST], link: Link, about: Sequence[str]) -> list[str]:
        """Links to the project's own types in a signature, where the text below has no table with them."""
        if any(line.startswith("| Name | Type |") for line in about):
            return []
        found: dict[str, str] = {}
        for node in nodes:
            if not isinstance(node, FunctionNode):
                continue
            arguments = node.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            every += [each for each in (arguments.vararg, arguments.kwarg) if each]
            for annotation in [*(each.annotation for each in every), node.returns]:
                for name in names_in(self._source.of(annotation)):
                    href = link(name)
                    if href:
                        found.setdefault(name, href)
        if not found:
            return []
        return ["", "Types: " + ", ".join(named(name, href) for name, href in sorted(found.items()))]
