"""What a run that asks nobody leaves for whoever reads its results: a Markdown page and a JUnit file."""

from __future__ import annotations

from pathlib import Path

from bigtask.cli.screen import note
from bigtask.core.run import Run
from bigtask.errors import InvalidInput
from bigtask.words import plain

FOLDER = "bigtask-report"
_NAMES = ("report.md", "report.xml")


def require_writable(folder: Path) -> None:
    """Raises InvalidInput: that is no news for the end of a run that costs money."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Reports that lie in a repository must not count as its changes.
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        for name in _NAMES:
            (folder / name).touch()
    except OSError as error:
        raise _unwritable(folder, error) from None


def write(run: Run, folder: Path) -> None:
    """Raises InvalidInput."""
    from bigtask.report.junit import junit
    from bigtask.report.markdown import markdown
    from bigtask.report.result import result_of

    result = result_of(run)
    try:
        for name, text in zip(_NAMES, (markdown(result), junit(result)), strict=True):
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(folder, error) from None
    note(f"reports: {', '.join(plain(str(folder / name)) for name in _NAMES)}")


def _unwritable(folder: Path, error: OSError) -> InvalidInput:
    return InvalidInput(
        f"the reports can't be written to {plain(str(folder))}: {error.strerror}. Name another folder with "
        "--report-dir"
    )
