"""Links that lead out of a workspace: nothing outside is read into the result, changed or deleted."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bigtask.workspaces import beneath
from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.source import examine
from bigtask.workspaces.values import Workspace
from promises.scale import share
from promises.totals import record

from .scene import Scene, plain

pytestmark = pytest.mark.integration

SECRET = "the secret outside\n"  # noqa: S105  # what must not be read


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Has files of the names that the project has."""
    folder = tmp_path / "outside"
    (folder / "deep").mkdir(parents=True)
    for name in ("secret", "b.txt", "a.txt", "x.log", "deep/secret"):
        (folder / name).write_text(SECRET)
    return folder


def everything(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): os.readlink(file) if file.is_symlink() else file.read_text()
        for file in sorted(folder.rglob("*"))
        if file.is_symlink() or file.is_file()
    }


def _replaced(path: Path, target: Path | str) -> None:
    """By a link; what was there is kept beside the project, so that nothing here deletes either."""
    if os.path.lexists(path):
        path.rename(path.parent.parent / f"{path.name}.was")
    path.symlink_to(target)


Shape = Callable[[Workspace, Path], object]

SHAPES: dict[str, Shape] = {
    "a file": lambda work, out: (work.path / "link").symlink_to(out / "secret"),
    "a folder": lambda work, out: (work.path / "link").symlink_to(out),
    "relative": lambda work, out: (work.path / "link").symlink_to(os.path.relpath(out, work.path)),
    "a chain": lambda work, out: (
        (work.path / "one").symlink_to("two"),
        (work.path / "two").symlink_to(out / "deep"),
    ),
    "dangling": lambda work, out: (work.path / "link").symlink_to(out / "new"),
    "to the repository": lambda work, _: (work.path / "link").symlink_to(
        plain(work.path, "rev-parse", "--path-format=absolute", "--git-common-dir").strip()
    ),
    "in place of a file": lambda work, out: _replaced(work.path / "a.txt", out / "secret"),
    "in place of a folder": lambda work, out: _replaced(work.path / "lib", out),
    "ignored": lambda work, out: (
        (work.path / "x.log").symlink_to(out / "x.log"),
        (work.path / "dir.log").symlink_to(out),
    ),
    "a hard link": lambda work, out: os.link(out / "secret", work.path / "hard.log"),
    "in place of the temporary folder": lambda work, out: _replaced(work.tmp, out),
    "in place of the trash": lambda work, out: (
        _replaced(work.path.parents[1] / "trash", out),
        (work.path / "y.log").write_text("y\n"),
    ),
    "in place of the workspace": lambda work, out: _replaced(work.path, out),
    "in the temporary folder": lambda work, out: (work.tmp / "link").symlink_to(out),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reports", [True, False], ids=["reported", "given up"])
async def test_nothing_outside_is_read_changed_or_deleted(
    scene: Scene, outside: Path, shape: str, reports: bool
) -> None:
    project = scene.project
    home = scene.place / "run"
    home.mkdir()
    run = RunWorkspaces("r1", await examine(project.root), home)
    await run.prepare()
    work = await run.acquire("one", 1)
    before, theirs = everything(outside), project.seen()
    SHAPES[shape](work, outside)
    if reports and not work.path.is_symlink():
        await run.commit("one", 1, "m")
        await run.merge("one", 1, "t")
        assert SECRET.encode() not in await run.diff()
    again = RunWorkspaces("r1", await examine(project.root), home)
    await again.prepare()
    await again.acquire("one", 1)
    assert everything(outside) == before
    await again.release("one", 1)
    assert everything(outside) == before
    if reports:
        await again.apply_result()
        assert everything(outside) == before
        await again.undo_apply() if (await again.result()).files else None
    await again.give_up()
    unhurt = everything(outside) == before and (outside / "secret").read_text() == SECRET
    record(15, name="shapes of links that lead out", unit="links", count=1, violations=int(not unhurt))
    assert unhurt
    # Git notes times of files in its index.
    assert {**project.seen(), ".git/index": ""} == {**theirs, ".git/index": ""}
    if shape != "a hard link":
        kept = plain(project.root, "rev-list", "--objects", "--all", "--no-object-names").split()
        contents = [plain(project.root, "cat-file", "-p", each) for each in kept]
        assert not any(SECRET in content for content in contents)


async def test_a_link_within_the_project_works(scene: Scene) -> None:
    project = scene.project
    (scene.place / "run").mkdir()
    run = RunWorkspaces("r1", await examine(project.root), scene.place / "run")
    await run.prepare()
    work = await run.acquire("one", 1)
    (work.path / "AGENTS.md").symlink_to("a.txt")
    await run.commit("one", 1, "m")
    await run.merge("one", 1, "t")
    await run.apply_result()
    assert os.readlink(project.root / "AGENTS.md") == "a.txt"


def test_a_folder_that_becomes_a_link_on_the_way_is_not_followed(tmp_path: Path, outside: Path) -> None:
    """Swapped as quickly as a thread can, while files are moved out of it."""
    root, bin, real = tmp_path / "root", tmp_path / "bin", tmp_path / "real"
    for folder in (root, bin, real):
        folder.mkdir()
    (root / "d").mkdir()
    before = everything(outside)
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            os.rename(root / "d", real / "d")
            os.symlink(outside, root / "d")
            os.unlink(root / "d")
            os.rename(real / "d", root / "d")

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        moved = 0
        rounds = share(1_000)
        for _ in range(rounds):
            beneath.move(root, "d/secret", bin)
            moved += everything(outside) != before
    finally:
        done.set()
        swapping.join()
    record(
        15,
        name="a folder swapped for a link while files are moved",
        unit="moves",
        count=rounds,
        violations=moved,
    )
    assert moved == 0


def test_the_same_move_by_path_alone_follows(tmp_path: Path, outside: Path) -> None:
    """What `beneath` is for."""
    root, bin = tmp_path / "root", tmp_path / "bin"
    root.mkdir()
    bin.mkdir()
    (root / "d").symlink_to(outside)
    assert not beneath.move(root, "d/secret", bin)
    assert (outside / "secret").exists()
    (root / "d/secret").rename(bin / "secret")
    assert not (outside / "secret").exists()


def test_what_can_be_moved_is(tmp_path: Path) -> None:
    root, bin = tmp_path / "root", tmp_path / "bin"
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/file").write_text("x")
    (root / "a/b/link").symlink_to("file")
    bin.mkdir()
    assert beneath.move(root, "a/b/file", bin)
    assert beneath.move(root, "a/b/link", bin)
    assert beneath.move(root, "a/", bin / "a") is True
    assert not beneath.move(root, "gone/file", bin)
    assert (bin / "a/b/file").read_text() == "x"
    assert os.readlink(bin / "a/b/link") == "file"
