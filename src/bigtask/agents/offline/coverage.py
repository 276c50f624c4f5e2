"""How much of a module has a docstring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bigtask.agents.offline.definitions import Definition, Kind, Module, constructor, objects, shown


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
    listed = list(once(objects(shown(module))))
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
    return tuple(definition for definition in once(objects(shown(module))) if not explanation(definition))


def explanation(definition: Definition) -> str | None:
    """Its docstring; for a class its constructor's will do."""
    if definition.docstring or definition.kind is not Kind.CLASS:
        return definition.docstring
    made = constructor(definition)
    return made.docstring if made else None


def once(definitions: Iterable[Definition]) -> list[Definition]:
    """Each path once: of several definitions of a name the first."""
    found: dict[str, Definition] = {}
    for definition in definitions:
        found.setdefault(definition.path, definition)
    return list(found.values())
