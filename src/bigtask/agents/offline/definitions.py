"""What a module defines, read from its source with `ast`; nothing is imported or run.

Definitions under `if`, `try`, `with` and the like count: a name that is defined twice is listed twice.
"""

from __future__ import annotations

import ast
import gc
import inspect
import re
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import TypeGuard

from bigtask.agents.offline.project import Source

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_SENTENCE_END = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)\.\s+(?=[A-Z`*:\[(])")
_PROPERTIES = frozenset({"property", "cached_property", "abstractproperty"})


class Kind(StrEnum):
    CLASS = "class"
    FUNCTION = "function"
    METHOD = "method"
    PROPERTY = "property"
    ATTRIBUTE = "attribute"
    TYPE_ALIAS = "type alias"


@dataclass(frozen=True, kw_only=True)
class Definition:
    """`path` is dotted, with the module; lines count from 1 and include decorators."""

    path: str
    kind: Kind
    node: ast.AST
    first_line: int
    last_line: int
    docstring: str | None = None
    members: tuple[Definition, ...] = ()
    overloads: tuple[FunctionNode, ...] = ()
    accessors: tuple[str, ...] = ()
    """`setter` and `deleter` of a property, where it has them."""

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]


@dataclass(frozen=True, kw_only=True)
class Module:
    """A parsed source. `imports` maps local names to dotted targets; `exports` is a literal `__all__`."""

    source: Source
    text: str
    docstring: str | None
    members: tuple[Definition, ...]
    imports: dict[str, str] = field(default_factory=dict)
    stars: tuple[str, ...] = ()
    exports: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """A source that Python can't parse; `problem` is a sentence without the source's text."""

    source: Source
    problem: str


def read_module(root: Path, source: Source) -> Module | Unreadable:
    try:
        content = (root / source.path).read_bytes()
        encoding, _ = tokenize.detect_encoding(BytesIO(content).readline)
        text = content.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        return Unreadable(source=source, problem=f"can't be read: {error.strerror}")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return Unreadable(
            source=source, problem=f"line {line} is not {error.encoding}, the encoding it declares"
        )
    except SyntaxError as error:
        return Unreadable(source=source, problem=f"can't be decoded: {error.msg}")
    collecting = gc.isenabled()
    # A tree is tens of thousands of live objects: the collector would walk them again and again.
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.removeprefix("\ufeff"))
        return _Reader(source, text).module(tree)
    except SyntaxError as error:
        return Unreadable(source=source, problem=f"line {error.lineno or 0} is not valid Python: {error.msg}")
    except ValueError as error:
        return Unreadable(source=source, problem=f"is not valid Python: {error}")
    except (RecursionError, MemoryError):
        return Unreadable(source=source, problem="is nested too deeply to be parsed")
    finally:
        if collecting:
            gc.enable()


def shown(module: Module) -> tuple[Definition, ...]:
    """What belongs on the module's page: public names, and what `__all__` lists."""
    exports = module.exports or ()
    return tuple(
        member for member in module.members if not member.name.startswith("_") or member.name in exports
    )


def shown_members(definition: Definition) -> tuple[Definition, ...]:
    """Public members, and special methods that somebody explained."""
    return tuple(member for member in definition.members if _is_shown(member))


def _is_shown(member: Definition) -> bool:
    if not member.name.startswith("_"):
        return True
    special = member.name.startswith("__") and member.name.endswith("__") and member.name != "__init__"
    return special and member.kind is Kind.METHOD and member.docstring is not None


def objects(definitions: Sequence[Definition]) -> Iterator[Definition]:
    """Shown classes, functions, methods and properties, depth first: what should have a docstring."""
    for definition in definitions:
        if definition.kind not in {Kind.ATTRIBUTE, Kind.TYPE_ALIAS}:
            yield definition
            yield from objects(shown_members(definition))


def constructor(definition: Definition) -> Definition | None:
    return next((member for member in definition.members if member.name == "__init__"), None)


def summary(docstring: str | None) -> str:
    """The first paragraph's first sentence or line, on one line; empty without a docstring."""
    if not docstring:
        return ""
    paragraph: list[str] = []
    for line in inspect.cleandoc(docstring).splitlines():
        if not line.strip():
            if paragraph:
                break
            continue
        paragraph.append(line.strip())
    joined = " ".join(paragraph)
    end = _SENTENCE_END.search(joined)
    return joined[: end.start() + 1] if end else joined


class _Reader:
    def __init__(self, source: Source, text: str) -> None:
        self._source = source
        self._text = text
        self._lines = text.split("\n")
        self._imports: dict[str, str] = {}
        self._stars: list[str] = []
        self._exports: list[str] | None = None

    def module(self, tree: ast.Module) -> Module:
        members = self._scope(tree.body, self._source.name, in_class=False)
        return Module(
            source=self._source,
            text=self._text,
            docstring=ast.get_docstring(tree),
            members=members,
            imports=self._imports,
            stars=tuple(self._stars),
            exports=None if self._exports is None else tuple(self._exports),
        )

    def _scope(self, body: Sequence[ast.stmt], path: str, *, in_class: bool) -> tuple[Definition, ...]:
        found: list[Definition] = []
        overloads: dict[str, list[FunctionNode]] = {}
        accessors: dict[str, set[str]] = {}
        attributes: dict[str, Definition] = {}
        # What a module assigns when it is run as a program is nothing that it offers.
        script = {inner for node in body if _is_script(node) for inner, _ in _statements(node.body)}
        for node, following in _statements(body):
            if isinstance(node, ast.ClassDef):
                found.append(self._class(node, path))
            elif isinstance(node, FunctionNode):
                words = [_decorator(decorator) for decorator in node.decorator_list]
                accessor = next(
                    (word for name, word in words if word in {"setter", "deleter"} and name), None
                )
                if any(word == "overload" for _, word in words):
                    overloads.setdefault(node.name, []).append(node)
                elif accessor:
                    accessors.setdefault(node.name, set()).add(accessor)
                else:
                    found.append(self._function(node, path, in_class=in_class))
                if in_class and node.name == "__init__":
                    self._instance_attributes(node, path, attributes)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                if not in_class and node not in script:
                    self._import(node)
            elif node not in script:
                self._attribute(node, following, path, attributes, in_class=in_class)
        taken = {definition.name for definition in found}
        # Overloads in a stub-like module have no implementation: the first one stands for it.
        for name, nodes in overloads.items():
            if name not in taken:
                found.append(self._function(nodes[0], path, in_class=in_class))
        found = [self._complete(definition, overloads, accessors) for definition in found]
        found += [attribute for name, attribute in attributes.items() if name not in taken]
        return tuple(sorted(found, key=lambda definition: (definition.first_line, definition.path)))

    def _complete(
        self, definition: Definition, overloads: dict[str, list[FunctionNode]], accessors: dict[str, set[str]]
    ) -> Definition:
        if definition.kind is Kind.CLASS:
            return definition
        return Definition(
            path=definition.path,
            kind=definition.kind,
            node=definition.node,
            first_line=definition.first_line,
            last_line=definition.last_line,
            docstring=definition.docstring
            or next(
                (text for node in overloads.get(definition.name, ()) if (text := ast.get_docstring(node))),
                None,
            ),
            overloads=tuple(overloads.get(definition.name, ())),
            accessors=tuple(sorted(accessors.get(definition.name, ()), reverse=True)),
        )

    def _class(self, node: ast.ClassDef, path: str) -> Definition:
        own = f"{path}.{node.name}"
        return Definition(
            path=own,
            kind=Kind.CLASS,
            node=node,
            first_line=_first_line(node),
            last_line=node.end_lineno or node.lineno,
            docstring=ast.get_docstring(node),
            members=self._scope(node.body, own, in_class=True),
        )

    def _function(self, node: FunctionNode, path: str, *, in_class: bool) -> Definition:
        is_property = in_class and any(_decorator(each)[1] in _PROPERTIES for each in node.decorator_list)
        return Definition(
            path=f"{path}.{node.name}",
            kind=Kind.PROPERTY if is_property else Kind.METHOD if in_class else Kind.FUNCTION,
            node=node,
            first_line=_first_line(node),
            last_line=node.end_lineno or node.lineno,
            docstring=ast.get_docstring(node),
        )

    def _attribute(
        self,
        node: ast.stmt,
        following: ast.stmt | None,
        path: str,
        attributes: dict[str, Definition],
        *,
        in_class: bool,
    ) -> None:
        if isinstance(node, ast.AugAssign | ast.Expr) and not in_class:
            self._grow_exports(node)
        for target in _targets(node):
            if not isinstance(target, ast.Name):
                continue
            if target.id == "__all__" and not in_class:
                self._exports = _strings(getattr(node, "value", None))
                continue
            self._keep(node, following, f"{path}.{target.id}", attributes)

    def _instance_attributes(self, node: FunctionNode, path: str, attributes: dict[str, Definition]) -> None:
        for statement, following in _statements(node.body):
            for target in _targets(statement):
                if isinstance(target, ast.Attribute) and _last_word(target.value) == "self":
                    self._keep(statement, following, f"{path}.{target.attr}", attributes)

    def _keep(
        self, node: ast.stmt, following: ast.stmt | None, path: str, attributes: dict[str, Definition]
    ) -> None:
        name = path.rpartition(".")[2]
        docstring = self._attribute_docstring(node, following)
        annotation = node.annotation if isinstance(node, ast.AnnAssign) else None
        known = attributes.get(name)
        if known and (known.docstring or not docstring):
            return
        alias = annotation is not None and _last_word(annotation) == "TypeAlias"
        attributes[name] = Definition(
            path=path,
            kind=Kind.TYPE_ALIAS if alias else Kind.ATTRIBUTE,
            node=known.node if known and annotation is None else node,
            first_line=node.lineno,
            last_line=node.end_lineno or node.lineno,
            docstring=docstring,
        )

    def _attribute_docstring(self, node: ast.stmt, following: ast.stmt | None) -> str | None:
        text = getattr(following.value, "value", None) if isinstance(following, ast.Expr) else None
        if isinstance(text, str):
            return inspect.cleandoc(text)
        # `#:` comments above or behind an assignment are what Sphinx reads.
        comments: list[str] = []
        line = node.lineno - 2
        while line >= 0 and self._lines[line].lstrip().startswith("#:"):
            comments.insert(0, self._lines[line].lstrip()[2:].removeprefix(" "))
            line -= 1
        if not comments:
            _, mark, behind = self._lines[(node.end_lineno or node.lineno) - 1].partition("  #: ")
            comments = [behind] if mark else []
        return "\n".join(comments).strip() or None

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                local = alias.asname or alias.name.partition(".")[0]
                self._imports[local] = alias.name if alias.asname else local
            return
        origin = node.module or ""
        if node.level:
            parts = self._source.name.split(".")
            kept = len(parts) - node.level + (1 if self._source.package else 0)
            origin = ".".join([*parts[: max(kept, 0)], *([origin] if origin else [])])
        for alias in node.names:
            if alias.name == "*":
                self._stars.append(origin)
            else:
                self._imports[alias.asname or alias.name] = f"{origin}.{alias.name}"

    def _grow_exports(self, node: ast.AugAssign | ast.Expr) -> None:
        added: list[str] | None = None
        if isinstance(node, ast.AugAssign):
            if isinstance(node.target, ast.Name) and node.target.id == "__all__":
                added = _strings(node.value)
        elif isinstance(node.value, ast.Call) and node.value.args:
            called = ast.unparse(node.value.func) if isinstance(node.value.func, ast.Attribute) else ""
            if called == "__all__.extend":
                added = _strings(node.value.args[0])
            elif called == "__all__.append":
                added = _strings(ast.List(elts=[node.value.args[0]]))
        if added:
            self._exports = [*(self._exports or []), *added]


def _statements(body: Sequence[ast.stmt]) -> Iterator[tuple[ast.stmt, ast.stmt | None]]:
    """Each statement with the one behind it, those of inner blocks included; bodies of definitions not."""
    for position, node in enumerate(body):
        yield node, body[position + 1] if position + 1 < len(body) else None
        if isinstance(node, ast.ClassDef | FunctionNode):
            continue
        for inner in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(node, inner, ()))
        for block in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            yield from _statements(block.body)


def _is_script(node: ast.stmt) -> TypeGuard[ast.If]:
    """`if __name__ == "__main__":`"""
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Compare)
        and _last_word(node.test.left) == "__name__"
    )


def _targets(node: ast.stmt) -> Iterator[ast.expr]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Tuple | ast.List):
                yield from target.elts
            else:
                yield target
    elif isinstance(node, ast.AnnAssign):
        yield node.target


def _strings(node: ast.expr | None) -> list[str] | None:
    """The literal strings of a list, tuple or sum of them; None for anything else."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = [strings for side in (node.left, node.right) if (strings := _strings(side)) is not None]
        return [name for side in sides for name in side] if sides else None
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [
            each.value for each in node.elts if isinstance(each, ast.Constant) and isinstance(each.value, str)
        ]
    return None


def _decorator(node: ast.expr) -> tuple[str, str]:
    """The part before the last dot, and the last word."""
    called = node.func if isinstance(node, ast.Call) else node
    if isinstance(called, ast.Attribute):
        return _last_word(called.value), called.attr
    return "", _last_word(called)


def _last_word(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _first_line(node: ast.ClassDef | FunctionNode) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
