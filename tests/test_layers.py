"""The borders: the rules know nothing of the world, and importing bigtask does nothing."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bigtask

SOURCE = Path(bigtask.__file__).parent
_OF_THE_WORLD = {
    "asyncio",
    "concurrent",
    "fcntl",
    "io",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "random",
    "secrets",
    "selectors",
    "shutil",
    "signal",
    "socket",
    "sqlite3",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "uuid",
}
_ADAPTERS = ("bigtask.host", "bigtask.cli", "bigtask.agents", "bigtask.workspaces")


def imported(path: Path) -> Iterator[str]:
    """Every module that the file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            assert node.module is not None
            found = (SOURCE.parent / Path(*node.module.split("."))).is_dir()
            yield from (f"{node.module}.{alias.name}" for alias in node.names) if found else (node.module,)


def imports_of(folder: str) -> list[tuple[str, str]]:
    files = sorted((SOURCE / folder).rglob("*.py"))
    assert files
    return [(str(path.relative_to(SOURCE)), module) for path in files for module in imported(path)]


def within(module: str, *parts: str) -> bool:
    return any(module == part or module.startswith(part + ".") for part in parts)


def test_the_core_knows_no_clock_disk_network_or_chance():
    for path, module in imports_of("core"):
        top = module.split(".")[0]
        ours = within(module, "bigtask.core", "bigtask.errors")
        assert ours or top == "msgspec" or top in sys.stdlib_module_names - _OF_THE_WORLD, f"{path}: {module}"


def test_the_protocol_knows_itself_and_the_errors():
    for path, module in imports_of("protocol"):
        top = module.split(".")[0]
        allowed = within(module, "bigtask.protocol", "bigtask.errors")
        assert allowed or top in sys.stdlib_module_names - _OF_THE_WORLD or top == "msgspec", (
            f"{path}: {module}"
        )


@pytest.mark.parametrize("folder", ["core", "protocol", "report", "templates"])
def test_what_is_inside_knows_none_of_what_is_around_it(folder):
    assert [found for found in imports_of(folder) if within(found[1], *_ADAPTERS)] == []


_SHOW_EFFECTS = """
import sys, threading
before = set(sys.modules)
opened = []
sys.addaudithook(lambda name, args: opened.append((name, args)) if effects(name, args) else None)
def effects(name, args):
    if name == "open":
        return isinstance(args[2], int) and args[2] & 3
    acts = "socket.", "subprocess.", "os.mkdir", "os.remove", "os.rename", "os.fork", "sqlite3."
    return name.startswith(acts)
import bigtask
heavy = {"msgspec", "rich", "jsonschema", "sqlite3", "asyncio", "click", "griffe", "platformdirs"}
print(sorted(heavy & (set(sys.modules) - before)), opened, threading.active_count())
"""


def test_importing_bigtask_does_nothing_and_loads_little(tmp_path):
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _SHOW_EFFECTS],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.split("\n")[0] == "[] [] 1"
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []
