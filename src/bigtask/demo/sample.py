"""The sample project: a real git repository with a history, made on the spot."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from bigtask.errors import GitError, InvalidInput
from bigtask.workspaces.git import Git, outside

_ENDING = ".txt"
"""Of every file in the package: what is material must not be taken for modules of ours."""

_HISTORY = (
    ("Amounts are whole cents", (".gitignore", "README.md", "tally/__init__.py", "tally/money.py")),
    ("Expense files are read", ("tally/entries.py", "march.csv")),
    ("Sums by category, and a command that prints them", ("tally/report.py", "tally/__main__.py")),
)


def material(*path: str) -> str:
    """The text of a file of the package: `material("work", "docs/money.md")`."""
    return _file(*path).read_text(encoding="utf-8")


def _file(*path: str) -> Traversable:
    return files("bigtask.demo").joinpath(*path[:-1], *(path[-1] + _ENDING).split("/"))


async def make_sample(project: Path) -> None:
    """Raises InvalidInput where `project` isn't new or empty, GitError, and ProgramNotFound without git."""
    try:
        project.mkdir(parents=True, exist_ok=True)
        taken = next(project.iterdir(), None)
    except OSError as error:
        raise InvalidInput(f"{project} can't be made ({error.strerror}): choose another with --dir") from None
    if taken is not None:
        raise InvalidInput(f"{project} isn't empty: choose a new folder with --dir")
    made = await outside("init", "-q", "--template=", "-b", "main", "--", str(project), cwd=project)
    if made.status != 0:
        raise GitError(("init",), made.status, made.stderr.decode(errors="replace"))
    git = Git(git_dir=project / ".git", work_tree=project)
    for subject, paths in _HISTORY:
        for path in paths:
            file = project / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(material("project", path), encoding="utf-8")
        await git.call("add", "--", *paths)
        await git.call("commit", "-q", "-m", subject)
