"""Only one module starts git, and it gives it only options from a closed list."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import bigtask
from bigtask.workspaces.gates import OPTIONS

SOURCE = Path(bigtask.__file__).parent
_GIT = SOURCE / "workspaces/git.py"
_MADE_THERE = {"--work-tree", "--no-pager", "-c"}
"""What `git.py` puts before the verb."""

_STARTING = {
    *("run", "running", "start", "start_kept", "Popen", "call", "check_call", "check_output", "popen"),
    *("system", "create_subprocess_exec", "create_subprocess_shell", "execv", "execvp", "execvpe", "spawn"),
}


def starts_git(tree: ast.AST) -> Iterator[int]:
    """The lines where an argument list or a command begins with git."""
    for node in ast.walk(tree):
        if isinstance(node, ast.List | ast.Tuple) and node.elts:
            first = node.elts[0]
        elif isinstance(node, ast.Call) and node.args:
            first = node.args[0]
            if _name(node.func) not in _STARTING:
                continue
        else:
            continue
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            word = first.value.partition(" ")[0]
            if word == "git" or word.endswith("/git"):
                yield node.lineno


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def test_nothing_else_starts_git() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        if path == _GIT:
            continue
        found = list(starts_git(_without_types(ast.parse(path.read_text()))))
        assert not found, f"{path}:{found[0]} starts git: only {_GIT.name} may"


def _without_types(tree: ast.Module) -> ast.Module:
    """A `Literal["git", …]` looks like an argument list."""

    class Drop(ast.NodeTransformer):
        def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
            return ast.Constant(value=None) if getattr(node.value, "id", "") == "Literal" else node

    return ast.fix_missing_locations(Drop().visit(tree))


@pytest.mark.parametrize(
    "code",
    [
        "run(['git', 'status'])",
        "run(('/usr/bin/git', name))",
        "argv = ['git', *rest]",
        "run('git status', shell=True)",
        "await asyncio.create_subprocess_exec('git', 'log')",
    ],
)
def test_the_lint_sees_a_call(code: str) -> None:
    module = ast.parse(f"async def f():\n    {code}")
    assert list(starts_git(module))


def options_used() -> set[str]:
    found = set()
    for path in sorted((SOURCE / "workspaces").glob("*.py")):
        if path.name == "gates.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("-"):
                found.add(node.value.partition("=")[0])
    return {option for option in found if option.strip("-") and " " not in option} - _MADE_THERE


def test_the_list_of_options_is_that_of_those_used() -> None:
    """One that is used and isn't there would be refused; one that is there and not used is an opening."""
    used = options_used() - {"--end-of-options"}
    assert used - OPTIONS == set(), "add them to gates.OPTIONS, if none of them runs or overwrites anything"
    assert OPTIONS - {"-"} - used == set(), "take them out of gates.OPTIONS"
