"""One module's page.

The same source gives the same bytes. Every object has an anchor that is its dotted path, so other pages
link to it without having seen this one.
"""

from __future__ import annotations

from collections.abc import Sequence

from bigtask.agents.offline.coverage import explanation, once, tally, undocumented
from bigtask.agents.offline.definition_lines import DefinitionLines
from bigtask.agents.offline.definitions import Definition, Kind, Module, Unreadable, objects, shown
from bigtask.agents.offline.docstring_lines import DocstringLines, short
from bigtask.agents.offline.inline import code, named, plain
from bigtask.agents.offline.names import Names
from bigtask.agents.offline.order import Order
from bigtask.agents.offline.page_links import PageLinks, source_href
from bigtask.agents.offline.prose import callout, cell

_CONTENTS_FROM = 4


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
        self._links = PageLinks(module, names)

    def render(self) -> str:
        module, source = self._module, self._module.source
        listed = shown(module)
        lines_of = DefinitionLines(self._links, self._order)
        parts = [
            lines_of.anchor(source.name),
            [f"# {code(source.name)}"],
            [self._header_line()],
            DocstringLines(self._order).of(module.docstring, self._links.within("")),
            self._contents(listed),
            self._submodules(),
            self._reexports(),
            lines_of.values("Type aliases", [each for each in listed if each.kind is Kind.TYPE_ALIAS], 2),
            lines_of.values(
                "Constants and variables", [each for each in listed if each.kind is Kind.ATTRIBUTE], 2
            ),
            lines_of.section("Functions", [each for each in listed if each.kind is Kind.FUNCTION]),
            lines_of.section("Classes", [each for each in listed if each.kind is Kind.CLASS]),
            self._missing(),
        ]
        lines = [line for part in parts if part for line in [*part, ""]]
        return "\n".join(line.rstrip() for line in lines).rstrip("\n") + "\n"

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
        found = list(once(objects([each for each in listed if each.kind is Kind.FUNCTION])))
        found += list(once(objects([each for each in listed if each.kind is Kind.CLASS])))
        if len(found) < _CONTENTS_FROM:
            return []
        lines = ["## Contents", ""]
        prefix = len(self._module.source.name) + 1
        for definition in found:
            depth = definition.path.count(".", prefix)
            shown_name = code(definition.path[prefix:] if not depth else definition.name)
            note = short(explanation(definition), self._links.within(definition.path.rpartition(".")[0]))
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
                place = named(found.path, self._links.local(found.href))
                rows.append(f"| {name} | {place} | {cell(short(about, self._links.within('')))} |")
        stars = []
        for origin in module.stars:
            found = self._names.absolute(origin)
            if found:
                origin_named = named(found.path, self._links.local(found.href))
                stars.append(f"Everything public of {origin_named} is offered here too.")
        if not rows and not stars:
            return []
        table = ["| Name | Defined in | Summary |", "| --- | --- | --- |", *rows] if rows else []
        gap = [""] if rows and stars else []
        return ["## Offered from elsewhere", "", *table, *gap, *stars]

    def _missing(self) -> list[str]:
        missing = undocumented(self._module)
        lines = [] if self._module.docstring else ["- the module itself"]
        prefix = len(self._module.source.name) + 1
        lines += [f"- [{code(each.path[prefix:])}](#{each.path})" for each in missing]
        return ["## Without a docstring", "", *lines] if lines else []
