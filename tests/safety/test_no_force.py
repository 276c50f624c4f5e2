"""Nothing in the sources asks git to throw away what somebody has: read off them, word by word."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import bigtask
from bigtask.workspaces import gates
from promises.totals import record

SOURCES = Path(bigtask.__file__).parent
FORBIDDEN = frozenset(
    {
        "--force",
        "--force-with-lease",
        "--delete-force",
        "-f",
        "-ff",
        "-fd",
        "-fdx",
        "-D",
        "--prune",
        "--expire",
        "--discard-changes",
        "--no-verify",
        "--overwrite-ignore",
        "--no-keep",
        "push",
        "gc",
        "prune",
        "clean",
        "checkout",
        "restore",
        "switch",
        "rm",
        "filter-branch",
    }
)
"""What git would be told to lose something, or to give it to somebody, by."""
_RESETS = {
    ("workspaces/worktree.py", "rescue"),
    ("workspaces/beside.py", "_put_aside"),
    ("workspaces/attempt_workspaces.py", "release"),
}
"""The only places that put a worktree of ours back, each just after everything in it was kept."""
_CALLS = {"call", "peek", "word", "outside", "_git"}


def words(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every word that is handed to git, and tuples and lists of them that were made before."""
    for node in ast.walk(tree):
        found: list[ast.expr] = []
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            found = node.args if name in _CALLS else []
        elif isinstance(node, ast.Tuple | ast.List):
            found = node.elts
        for word in found:
            if isinstance(word, ast.Constant) and isinstance(word.value, str):
                yield word.value, word.lineno


def forced(folder: Path) -> list[str]:
    return [
        f"{file.relative_to(folder)}:{line}: {word}"
        for file in sorted(folder.rglob("*.py"))
        for word, line in words(ast.parse(file.read_text()))
        if word in FORBIDDEN
    ]


def resets(folder: Path) -> set[tuple[str, str]]:
    """Files and functions that say `reset --hard`."""
    found = set()
    for file in folder.rglob("*.py"):
        text = file.read_text()
        for node in ast.walk(ast.parse(text)) if '"--hard"' in text else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                said = {word for word, _ in words(node)}
                if "--hard" in said:
                    found.add((str(file.relative_to(folder)), node.name))
    return found


def test_git_is_never_told_to_force_anything() -> None:
    assert forced(SOURCES / "workspaces") == []
    assert resets(SOURCES) == _RESETS
    count = sum(1 for _ in SOURCES.rglob("*.py"))
    record(12, name="sources without a word that forces git", unit="files", count=count, violations=0)


def test_no_option_that_forces_gets_past_the_gate() -> None:
    assert gates.OPTIONS & (FORBIDDEN - {"-d"}) == set()
    # It takes a path out of an index, and no file.
    assert [option for option in gates.OPTIONS if "force" in option] == ["--force-remove"]


@pytest.mark.parametrize(
    "mutant",
    [
        'async def remove(self): await self.repository.call("worktree", "remove", "--force", "--", path)',
        'async def undo(self): await git.call("checkout", "-q", branch)',
        'async def drop(self): arguments = ("branch", "-D", branch)',
        'async def send(self): await git.call("push", remote)',
    ],
)
def test_the_lint_sees_each_of_them(tmp_path: Path, mutant: str) -> None:
    (tmp_path / "careless.py").write_text(mutant)
    assert len(forced(tmp_path)) == 1


def test_the_lint_sees_another_reset(tmp_path: Path) -> None:
    (tmp_path / "careless.py").write_text('async def undo(): await git.call("reset", "-q", "--hard", commit)')
    assert resets(tmp_path) == {("careless.py", "undo")}
