"""Signatures as the source has them: the very text of a `def` or `class` header, and its parameters."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from bigtask.agents.offline.definitions import FunctionNode


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """`name` has its stars; `annotation` and `default` are source text, empty where there is none."""

    name: str
    annotation: str = ""
    default: str = ""


class SourceText:
    """Pieces of a source by the positions of its tree, which count UTF-8 bytes."""

    def __init__(self, text: str) -> None:
        self._lines = [
            line.encode("utf-8", "surrogatepass") for line in text.removeprefix("\ufeff").split("\n")
        ]

    def of(self, node: ast.AST | None) -> str:
        """Without comments and line breaks."""
        if node is None:
            return ""
        start, end = _start(node), _end(node)
        return ast.unparse(node) if start[0] != end[0] else self._piece(start, end)

    def header(self, node: FunctionNode | ast.ClassDef) -> str:
        """Decorators and header, up to and with the colon, with the source's line breaks and comments."""
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        start = (first, node.col_offset)
        return textwrap.dedent(" " * node.col_offset + self._piece(start, self._colon(node))).strip("\n")

    def _piece(self, start: tuple[int, int], end: tuple[int, int]) -> str:
        lines = self._lines[start[0] - 1 : end[0]]
        if not lines:
            return ""
        lines[-1] = lines[-1][: end[1]]
        lines[0] = lines[0][start[1] :]
        return b"\n".join(lines).decode("utf-8", "surrogatepass")

    def _colon(self, node: FunctionNode | ast.ClassDef) -> tuple[int, int]:
        """Behind the colon that ends the header: the first one behind all parts of the header."""
        line, column = max([(node.lineno, node.col_offset), *(_end(part) for part in _header_parts(node))])
        while line <= len(self._lines):
            text = self._lines[line - 1]
            comment = text.find(b"#", column)
            colon = text.find(b":", column)
            if colon >= 0 and (comment < 0 or colon < comment):
                return line, colon + 1
            line, column = line + 1, 0
        return _end(node)


def parameters(node: FunctionNode, source: SourceText, *, bound: bool) -> tuple[Parameter, ...]:
    """In the order of the signature. `bound` leaves out what a method is called on."""
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    listed = [
        Parameter(name=argument.arg, annotation=source.of(argument.annotation), default=source.of(default))
        for argument, default in zip(positional, defaults, strict=True)
    ]
    if bound and listed:
        listed = listed[1:]
    if arguments.vararg:
        listed.append(
            Parameter(name=f"*{arguments.vararg.arg}", annotation=source.of(arguments.vararg.annotation))
        )
    listed += [
        Parameter(name=argument.arg, annotation=source.of(argument.annotation), default=source.of(default))
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg:
        listed.append(
            Parameter(name=f"**{arguments.kwarg.arg}", annotation=source.of(arguments.kwarg.annotation))
        )
    return tuple(listed)


def _header_parts(node: FunctionNode | ast.ClassDef) -> Iterator[ast.AST]:
    yield from getattr(node, "type_params", ())
    if isinstance(node, ast.ClassDef):
        yield from node.bases
        yield from (keyword.value for keyword in node.keywords)
        return
    arguments = node.args
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from (argument for argument in (arguments.vararg, arguments.kwarg) if argument)
    yield from (default for default in (*arguments.defaults, *arguments.kw_defaults) if default)
    if node.returns:
        yield node.returns


def _start(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 1), getattr(node, "col_offset", 0)


def _end(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "end_lineno", None) or 1, getattr(node, "end_col_offset", None) or 0
