"""Which files of a project are importable Python, and under which names.

Layouts: `src/`, packages or single modules at the top, several projects in one repository (a directory
with its own `pyproject.toml` or `setup.py`), namespace packages, and a directory that is itself a
package. Nothing outside the directory is read: symbolic links are not followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bigtask.agents.offline.order import Order

_NEVER = frozenset({"__pycache__", "node_modules", "site-packages", "tests", "venv", "env"})
_NOT_AT_TOP = frozenset(
    {"test", "testing", "doc", "docs", "example", "examples", "samples", "benchmarks", "build", "dist"}
)
_PROJECTS = frozenset({"libs", "packages", "projects", "apps"})
_CONTAINERS = _PROJECTS | {"src", "lib", "python"}
_TOOL_FILES = frozenset({"setup.py", "conftest.py", "noxfile.py", "fabfile.py", "manage.py"})
_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
_MAX_DEPTH = 24

# The pages about all modules own these names, so a module called like one gets another.
_RESERVED_PAGES = frozenset({"index", "coverage", "objects"})


@dataclass(frozen=True, kw_only=True)
class Source:
    """`path` is relative to the project, with `/`; `lines` counts line feeds."""

    name: str
    path: str
    package: bool
    lines: int

    @property
    def page(self) -> str:
        return page_name(self.name)

    @property
    def internal(self) -> bool:
        return is_internal(self.name)


@dataclass(frozen=True, kw_only=True)
class Project:
    """Sorted by module name, each name once; `warnings` say what was left out."""

    root: Path
    sources: tuple[Source, ...]
    warnings: tuple[str, ...]


def is_internal(module: str) -> bool:
    """Whether a part of the dotted name is private, `__main__` included."""
    return any(part.startswith("_") for part in module.split("."))


def page_name(module: str) -> str:
    """The file name of a module's page: the same for every task, so pages can link before they exist."""
    return f"{module}-module.md" if module in _RESERVED_PAGES else f"{module}.md"


def find_sources(root: Path, order: Order) -> Project:
    """What there is to document in `root`."""
    if (root / "__init__.py").is_file():
        found = list(_package(root, root, (_own_name(order),), 0))
    else:
        found = list(_top(root, root, order, 0))
    by_name: dict[str, Source] = {}
    warnings = []
    for source in sorted(found, key=lambda source: (source.name, not source.package, source.path)):
        kept = by_name.setdefault(source.name, source)
        if kept is not source:
            warnings.append(f"{source.path} is left out: {kept.path} has the same module name {source.name}")
    return Project(root=root, sources=tuple(by_name.values()), warnings=tuple(warnings))


def _own_name(order: Order) -> str:
    if order.project.lower() == order.directory.lower() and order.directory.isidentifier():
        return order.directory
    names = (
        order.project,
        order.directory,
        order.project.replace("-", "_"),
        order.directory.replace("-", "_"),
    )
    return next((name for name in names if name.isidentifier()), "package")


def _top(root: Path, directory: Path, order: Order, depth: int) -> Iterator[Source]:
    """The packages and modules of a directory that isn't a package itself."""
    if depth > _MAX_DEPTH:
        return
    files, folders = _entries(directory)
    for name in files:
        if name not in _TOOL_FILES and not _is_test(name):
            yield from _module(root, directory / name, ())
    for name in folders:
        folder = directory / name
        if name in _NOT_AT_TOP or _in_docs(root, folder, order):
            continue
        if (folder / "__init__.py").is_file():
            yield from _package(root, folder, (name,), depth + 1)
        elif _is_root(folder):
            yield from _top(root, folder, order, depth + 1)
        elif (directory.name == "src" and depth) or _holds_package(folder, depth + 1):
            # In src/ every directory is on the import path. Elsewhere a directory of loose scripts is
            # no namespace package, so it has to hold a real package.
            yield from _package(root, folder, (name,), depth + 1)


def _package(root: Path, folder: Path, parts: tuple[str, ...], depth: int) -> Iterator[Source]:
    if depth > _MAX_DEPTH or not parts[-1].isidentifier():
        return
    files, folders = _entries(folder)
    for name in files:
        if not _is_test(name):
            yield from _module(root, folder / name, parts)
    for name in folders:
        yield from _package(root, folder / name, (*parts, name), depth + 1)


def _module(root: Path, file: Path, parts: tuple[str, ...]) -> Iterator[Source]:
    stem = file.stem
    if not stem.isidentifier():
        return
    package = stem == "__init__"
    names = parts if package else (*parts, stem)
    if not names:
        return
    yield Source(
        name=".".join(names),
        path=PurePosixPath(file.relative_to(root)).as_posix(),
        package=package,
        lines=file.read_bytes().count(b"\n"),
    )


def _entries(directory: Path) -> tuple[list[str], list[str]]:
    """Names of Python files and of directories worth entering, sorted."""
    files, folders = [], []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.is_symlink():
                    continue
                if entry.is_dir() and entry.name not in _NEVER and not entry.name.endswith(".egg-info"):
                    if not (directory / entry.name / "pyvenv.cfg").exists():
                        folders.append(entry.name)
                elif entry.is_file() and entry.name.endswith(".py"):
                    files.append(entry.name)
    except PermissionError:
        return [], []
    return sorted(files), sorted(folders)


def _is_root(folder: Path) -> bool:
    """Whether a directory without `__init__.py` is on the import path rather than a namespace package."""
    if folder.name in _CONTAINERS or any((folder / marker).is_file() for marker in _PROJECT_FILES):
        return True
    return folder.parent.name in _PROJECTS


def _is_test(name: str) -> bool:
    return name == "conftest.py" or name.startswith("test_") or name.endswith("_test.py")


def _in_docs(root: Path, folder: Path, order: Order) -> bool:
    return PurePosixPath(folder.relative_to(root)) == order.docs_dir


def _holds_package(folder: Path, depth: int) -> bool:
    if depth > _MAX_DEPTH or not folder.name.isidentifier():
        return False
    _, folders = _entries(folder)
    return any(
        (folder / name / "__init__.py").is_file() or _holds_package(folder / name, depth + 1)
        for name in folders
        if name not in _NOT_AT_TOP
    )
