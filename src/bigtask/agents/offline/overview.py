"""The pages about all modules: the tree, what lacks a docstring, every object from A to Z."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from bigtask.agents.offline.coverage import Tally, tally, undocumented
from bigtask.agents.offline.definitions import (
    Definition,
    Kind,
    Module,
    Unreadable,
    objects,
    shown,
)
from bigtask.agents.offline.docstring_lines import short
from bigtask.agents.offline.inline import Link, code, plain
from bigtask.agents.offline.names import Names
from bigtask.agents.offline.order import Order
from bigtask.agents.offline.project import Source, is_internal

INDEX, COVERAGE, OBJECTS = "index.md", "coverage.md", "objects.md"


def overview_pages(sources: Sequence[Source], names: Names, order: Order) -> dict[str, str]:
    """File name → text. `sources` are those that have a page."""
    read = [(source, names.read(source)) for source in sources]
    modules = [(source, module) for source, module in read if isinstance(module, Module)]
    if not modules and not any(isinstance(module, Unreadable) for _, module in read):
        return {INDEX: _nothing(order)}
    total = sum((tally(module) for _, module in modules), Tally())
    return {
        INDEX: _index(read, total, names, order),
        COVERAGE: _coverage(modules, total, order),
        OBJECTS: _objects(modules, order),
    }


def percent(count: Tally) -> str:
    """Whole percent, rounded down: 100 % means all."""
    return f"{count.documented * 100 // count.objects if count.objects else 100} %"


def counted(number: int, noun: str, plural: str = "") -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def totals(total: Tally) -> str:
    return ", ".join(
        (
            counted(total.modules, "module"),
            counted(total.classes, "class", "classes"),
            counted(total.functions, "function"),
            counted(total.methods, "method and property", "methods and properties"),
        )
    )


def _nothing(order: Order) -> str:
    return (
        f"# {plain(order.project)}: API documentation\n\n"
        "There is nothing here yet: no importable Python module was found in this project.\n"
    )


def _index(
    read: Sequence[tuple[Source, Module | Unreadable]], total: Tally, names: Names, order: Order
) -> str:
    lines = [
        f"# {plain(order.project)}: API documentation",
        "",
        (
            f"{totals(total)}. {percent(total)} of the {total.objects:,} public objects have a docstring "
            f"([what lacks one]({COVERAGE})). [All objects from A to Z]({OBJECTS})."
        ),
    ]
    with_page = {source.name for source, _ in read}
    for internal in (False, True):
        entries = [
            _entry(source, module, names, with_page) for source, module in read if source.internal is internal
        ]
        if entries:
            lines += ["", "## Internal modules" if internal else "## Modules", "", *entries]
    return "\n".join(lines) + "\n"


def _entry(source: Source, module: Module | Unreadable, names: Names, with_page: Container[str]) -> str:
    """Indented below the packages that stand in the same list."""
    parts = source.name.split(".")
    packages = [".".join(parts[:length]) for length in range(1, len(parts))]
    depth = sum(1 for package in packages if package in with_page and is_internal(package) is source.internal)
    about = (
        "*can't be read*" if isinstance(module, Unreadable) else short(module.docstring, _link(names, module))
    )
    entry = f"{'  ' * depth}- [{code(source.name)}]({source.page})"
    return f"{entry} — {about}" if about else entry


def _link(names: Names, module: Module) -> Link:
    def link(written: str) -> str | None:
        target = names.find(written, module)
        return target.href if target else None

    return link


def _coverage(modules: Sequence[tuple[Source, Module]], total: Tally, order: Order) -> str:
    lines = [
        f"# {plain(order.project)}: docstring coverage",
        "",
        (
            f"{total.documented:,} of {total.objects:,} public objects have a docstring: {percent(total)}. "
            "[Index](index.md)"
        ),
        "",
        "| Module | Objects | With a docstring | Without | Coverage |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    missing: list[str] = []
    for source, module in modules:
        count = tally(module)
        lines.append(
            f"| [{code(source.name)}]({source.page}) | {count.objects} | {count.documented} "
            f"| {count.undocumented} | {percent(count)} |"
        )
        if count.undocumented:
            missing += ["", f"### {code(source.name)}", ""]
            missing += [] if module.docstring else [f"- [the module itself]({source.page}#{source.name})"]
            prefix = len(source.name) + 1
            missing += [
                f"- [{code(each.path[prefix:])}]({source.page}#{each.path}) ({each.kind.value})"
                for each in undocumented(module)
            ]
    if missing:
        lines += ["", "## Without a docstring", *missing]
    return "\n".join(lines) + "\n"


def _objects(modules: Sequence[tuple[Source, Module]], order: Order) -> str:
    entries = {
        definition.path: (source, definition)
        for source, module in modules
        for definition in reversed(list(_listed(shown(module))))
    }
    lines = [f"# {plain(order.project)}: all objects from A to Z", "", "[Index](index.md)"]
    letter = ""
    for path in sorted(entries, key=_letter_order):
        source, definition = entries[path]
        first = _initial(definition.name)
        if first != letter:
            letter = first
            lines += ["", f"## {plain(letter)}", ""]
        lines.append(
            f"- [{code(definition.name)}]({source.page}#{path}) — {definition.kind.value} in "
            f"{code(path.rpartition('.')[0])}"
        )
    return "\n".join(lines) + "\n"


def _listed(definitions: Sequence[Definition]) -> Iterable[Definition]:
    yield from objects(definitions)
    yield from (each for each in definitions if each.kind in {Kind.ATTRIBUTE, Kind.TYPE_ALIAS})


def _initial(name: str) -> str:
    return name.lstrip("_")[:1].upper() or "_"


def _letter_order(path: str) -> tuple[str, str, str]:
    name = path.rpartition(".")[2]
    return _initial(name), name.lstrip("_").lower(), path
