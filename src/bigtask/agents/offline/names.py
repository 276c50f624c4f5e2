"""Where a name leads: the page and anchor of a documented object.

Modules are parsed when a name first leads into them, so a task pays only for what its pages mention.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bigtask.agents.offline.definitions import (
    Definition,
    Kind,
    Module,
    Unreadable,
    read_module,
    shown,
    shown_members,
)
from bigtask.agents.offline.project import Project, Source

_DOTTED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*", re.ASCII)
_MAX_HOPS = 12


@dataclass(frozen=True, kw_only=True)
class Target:
    """`path` is where the object is defined; `href` leads there from any page."""

    path: str
    href: str
    definition: Definition | None


class Names:
    """The names of one project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._sources = {source.name: source for source in project.sources}
        self._parsed: dict[str, Module | Unreadable] = {}
        self._anchors: dict[str, dict[str, Definition]] = {}

    def source(self, name: str) -> Source | None:
        return self._sources.get(name)

    def children(self, source: Source) -> tuple[Source, ...]:
        """The modules directly inside a package, internal ones last."""
        if not source.package:
            return ()
        inside = [each for each in self._project.sources if each.name.rpartition(".")[0] == source.name]
        return tuple(sorted(inside, key=lambda each: each.internal))

    def read(self, source: Source) -> Module | Unreadable:
        """Parsed once."""
        if source.name not in self._parsed:
            self._parsed[source.name] = read_module(self._project.root, source)
        return self._parsed[source.name]

    def has_page(self, source: Source) -> bool:
        """Modules with a private name get a page when there is something public in them."""
        if not source.internal:
            return True
        module = self.read(source)
        return isinstance(module, Module) and bool(shown(module))

    def anchors(self, source: Source) -> dict[str, Definition]:
        """Everything on the module's page, by dotted path; of two definitions the first."""
        if source.name not in self._anchors:
            module = self.read(source)
            self._anchors[source.name] = _flat(shown(module)) if isinstance(module, Module) else {}
        return self._anchors[source.name]

    def absolute(self, dotted: str, hops: int = 0) -> Target | None:
        """Follows re-exports to the definition."""
        parts = dotted.split(".")
        for length in range(len(parts), 0, -1):
            source = self._sources.get(".".join(parts[:length]))
            if source is not None:
                return self._inside(source, parts[length:], hops)
        return None

    def find(self, written: str, module: Module, scope: str = "") -> Target | None:
        """What `written` means in `module`, inside the class `scope` (a dotted path, or empty).

        Takes what people write in docstrings as well: `~pkg.Name`, `.Name`, `name()`.
        """
        name = written.strip().removeprefix("~").removeprefix(".").removesuffix("()")
        if not _DOTTED.fullmatch(name):
            return None
        own = self.anchors(module.source)
        while scope:
            if f"{scope}.{name}" in own:
                return self._target(module.source, f"{scope}.{name}")
            scope = scope.rpartition(".")[0] if scope != module.source.name else ""
        first, _, rest = name.partition(".")
        if f"{module.source.name}.{first}" not in own and first in module.imports:
            return self.absolute(module.imports[first] + (f".{rest}" if rest else ""))
        found = self._inside(module.source, name.split("."), 0)
        if found or (name.isalpha() and name.islower() and not written.endswith("()")):
            # A lone lower-case word in backticks is as often a keyword, a value or a builtin.
            return found
        package = module.source.name.partition(".")[0]
        return (self.absolute(name) if "." in name else None) or self.absolute(f"{package}.{name}")

    def _inside(self, source: Source, rest: list[str], hops: int) -> Target | None:
        if not rest:
            if not self.has_page(source):
                return None
            return Target(path=source.name, href=f"{source.page}#{source.name}", definition=None)
        path = ".".join([source.name, *rest])
        if path in self.anchors(source):
            return self._target(source, path)
        module = self.read(source)
        if hops >= _MAX_HOPS or not isinstance(module, Module):
            return None
        if rest[0] in module.imports:
            origin = module.imports[rest[0]]
            # A package's `from .console import Console` names the module and its class alike.
            return None if origin == path else self.absolute(".".join([origin, *rest[1:]]), hops + 1)
        for star in module.stars:
            target = self.absolute(".".join([star, *rest]), hops + 1)
            if target is not None:
                return target
        return None

    def _target(self, source: Source, path: str) -> Target:
        return Target(path=path, href=f"{source.page}#{path}", definition=self.anchors(source)[path])


def _flat(definitions: tuple[Definition, ...]) -> dict[str, Definition]:
    found: dict[str, Definition] = {}
    for definition in definitions:
        found.setdefault(definition.path, definition)
        if definition.kind is Kind.CLASS:
            for path, member in _flat(shown_members(definition)).items():
                found.setdefault(path, member)
    return found
