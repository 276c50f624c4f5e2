"""Counts the public objects of Python sources, and what documentation pages hold, without bigtask's code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote


def public_names(file: Path, module: str) -> Iterator[str]:
    """Module, classes, functions and methods of a source whose dotted path has no private part."""
    yield module
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError:
        # Written for a newer Python than the one that runs the tests.
        return
    yield from _names(tree, module)


def _names(parent: ast.AST, path: str) -> Iterator[str]:
    for node in ast.iter_child_nodes(parent):
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _names(node, path)
        elif not node.name.startswith("_"):
            yield f"{path}.{node.name}"
            if isinstance(node, ast.ClassDef):
                yield from _names(node, f"{path}.{node.name}")


def all_public_names(root: Path) -> set[str]:
    top = root / "src" if (root / "src").is_dir() else root
    names: set[str] = set()
    for file in sorted(top.rglob("*.py")):
        parts = [*file.relative_to(top).parts[:-1], *([] if file.stem == "__init__" else [file.stem])]
        if not any(part.startswith("_") for part in parts):
            names |= set(public_names(file, ".".join(parts)))
    return names


def prose(text: str) -> str:
    """A page without its code."""
    text = re.sub(r"^((?:> |  )*)(`{3,})[^`\n]*\n.*?^\1\2`*$", "", text, flags=re.MULTILINE | re.DOTALL)

    # From left to right: a backslash takes a sign's meaning outside of code only.
    def kept(found: re.Match[str]) -> str:
        return found[0] if found[0][0] == "\\" and found[0] != "\\`" else ""

    return re.sub(r"\\.|(`+)(?!`).+?(?<!`)\1(?!`)", kept, text, flags=re.DOTALL)


def broken_links(pages: Path) -> list[str]:
    anchors = {
        page.name: set(re.findall(r'<a id="([^"]+)"></a>', prose(page.read_text())))
        for page in pages.glob("*.md")
    }
    broken = []
    for page in sorted(pages.glob("*.md")):
        for href in re.findall(r"(?<!\\)\]\(<?([^)>\s]+)>?\)", prose(page.read_text())):
            if href.startswith(("http://", "https://", "mailto:")):
                continue
            path, _, fragment = unquote(href).partition("#")
            name = path or page.name
            if name.endswith(".py"):
                lines = [int(number) for number in re.findall(r"\d+", fragment)]
                source = pages / name
                if not source.is_file() or (lines and max(lines) > len(source.read_bytes().splitlines())):
                    broken.append(f"{page.name}: {href}")
            elif name not in anchors or (fragment and fragment not in anchors[name]):
                broken.append(f"{page.name}: {href}")
    return broken


def anchors_of(pages: Path) -> set[str]:
    return {
        name for page in pages.glob("*.md") for name in re.findall(r'<a id="([^"]+)"></a>', page.read_text())
    }
