"""Files in a project that the person can't read: nothing begins without them in silence."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bigtask.errors import InvalidInput
from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.source import examine
from projects import repository

NOBODY = 65_534


@contextmanager
def another() -> Iterator[None]:
    """Root may read everything: meanwhile this process is somebody who may not."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that anybody may reach, whose files are that person's."""
    made = Path(tempfile.mkdtemp(prefix="bigtask-unreadable-"))
    yield made
    shutil.rmtree(made)


def close(place: Path, *files: Path) -> None:
    for path in (place, *place.rglob("*")):
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    for file in files:
        file.chmod(0)


async def test_a_folder_with_a_file_that_can_t_be_read_is_refused_by_its_name(place: Path) -> None:
    folder = place / "folder"
    folder.mkdir()
    (folder / "open.txt").write_text("open")
    (folder / "closed.txt").write_text("closed")
    (folder / "link").symlink_to("nowhere")
    close(place, folder / "closed.txt")
    with another():
        run = RunWorkspaces("r1", await examine(folder), place / "home")
        with pytest.raises(InvalidInput, match=r"^closed\.txt can't be read by you: have that made readable"):
            await run.prepare()
        (folder / "closed.txt").chmod(0o600)
        await run.prepare()
    assert (run.integration.path / "closed.txt").read_text() == "closed"


async def test_a_change_that_can_t_be_read_isn_t_left_out_in_silence(place: Path) -> None:
    project = repository(place / "project")
    (project.root / "new.txt").write_text("new")
    close(place, project.root / "new.txt")
    with another():
        source = await examine(project.root)
        with pytest.raises(InvalidInput, match=r"^new\.txt can't be read by you"):
            await RunWorkspaces("r1", source, place / "home").prepare(include_changes=True)
        # Without the changes it isn't needed.
        run = RunWorkspaces("r2", source, place / "home2")
        await run.prepare()
    assert not (run.integration.path / "new.txt").exists()
