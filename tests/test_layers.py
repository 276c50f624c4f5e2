"""The borders: the rules know nothing of the world, and importing bigtask does nothing."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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
LAYERS = (
    {"cli"},
    {"demo"},
    {"server", "mcp", "doctor", "leftovers"},
    {"module", "orchestrators", "workers", "callbacks"},
    {"host", "testing"},
    {"agents", "workspaces"},
    {"configuration", "dashboard", "benchmark"},
    {"templates", "report", "process"},
    {"core", "protocol", "approvals", "kept_answers", "sink"},
    {"errors", "words", "secrecy", "durable_file"},
)
"""The packages and modules of `bigtask` from the outside in. Each imports from the rows below its own."""
_PURE = {
    "templates/checking.py",
    "templates/inheritance.py",
    "templates/variables.py",
    "templates/prompting.py",
    "templates/template.py",
    "configuration/keys.py",
    "configuration/layers.py",
    "configuration/resolution.py",
}
_KNOW_EACH_OTHER = LAYERS[2:4]
"""One door in several parts: what they import of their own row is meant."""


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


def test_a_report_is_made_of_the_run_alone():
    allowed = {*sys.stdlib_module_names, "msgspec"} - _OF_THE_WORLD | {"pathlib"}  # for paths as values
    for path, module in imports_of("report"):
        ours = within(module, "bigtask.report", "bigtask.core", "bigtask.words")
        assert ours or module.split(".")[0] in allowed, f"{path}: {module}"


def test_what_something_means_is_said_without_looking_at_the_machine():
    for path, module in (*imports_of("templates"), *imports_of("configuration")):
        if path in _PURE:
            assert module.split(".")[0] not in _OF_THE_WORLD, f"{path}: {module}"
    assert all((SOURCE / path).exists() for path in _PURE)


def test_every_part_has_a_layer_and_imports_only_from_those_below():
    row_of = {part: row for row, parts in enumerate(LAYERS) for part in parts}
    upward = []
    for path, module in imports_of("."):
        part, of = Path(path).parts[0].removesuffix(".py"), module.split(".")
        if part in ("__init__", "__main__") or of[0] != "bigtask" or of[1:2] in ([], [part]):
            continue
        together = any({part, of[1]} <= parts for parts in _KNOW_EACH_OTHER)
        if row_of[part] >= row_of[of[1]] and not together:
            upward.append(f"{path}: {module}")
    assert upward == []


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
