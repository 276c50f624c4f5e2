"""A plain folder gets the result whole or not at all, and gives it back, whatever happens on the way."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bigtask.errors import Conflict, NotFound
from bigtask.host.faults import VARIABLE
from bigtask.workspaces import applying, exchanging
from bigtask.workspaces.exchanging import Exchange
from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.values import Merged
from nursery import Nursery
from projects import ENV
from promises.scale import FULL, SEED, seconds, share
from promises.totals import record

from .child import NAME, opened
from .states import LONG, files

pytestmark = [pytest.mark.integration, pytest.mark.timeout(seconds(120))]

BIG = random.Random(1).randbytes(3 * 2**20)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery(NAME, ENV) as found:
        yield found


def begin(root: Path) -> None:
    root.mkdir(parents=True)
    for name in (
        "doc.txt",
        "gone.txt",
        "deep/er/gone.txt",
        "ünï/ñ.txt",
        LONG,
        "file",
        "folder/in",
        "linked/ñ.txt",
        "sp ace\nline",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{name} as it was\n")
    (root / "big").write_bytes(BIG)
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "plain.sh").write_text("#!/bin/sh\n")
    (root / "private").write_text("mine alone\n")
    (root / "private").chmod(0o600)
    (root / "link").symlink_to("doc.txt")
    (root / "dangling").symlink_to("/nowhere")
    (root / "text").write_text("becomes a link\n")
    (root / "empty/inner").mkdir(parents=True)
    (root / "untouched").write_text("untouched\n")


def change(work: Path) -> None:
    """What a task does in its workspace."""
    (work / "doc.txt").write_text("new\n")
    (work / "gone.txt").unlink()
    shutil.rmtree(work / "deep")
    (work / "ünï/ñ.txt").write_text("ü\n")
    (work / "ünï/ü.txt").write_text("new\n")
    (work / LONG).write_text("long\n")
    (work / "file").unlink()
    (work / "file").mkdir()
    (work / "file/in").write_text("a file became a folder\n")
    shutil.rmtree(work / "folder")
    (work / "folder").write_text("a folder became a file\n")
    (work / "sp ace\nline").write_text("odd\n")
    (work / "big").write_bytes(BIG[::-1])
    (work / "run.sh").chmod(0o644)
    (work / "plain.sh").chmod(0o755)
    (work / "private").write_text("still mine alone\n")
    (work / "link").unlink()
    (work / "link").symlink_to("untouched")
    (work / "text").unlink()
    (work / "text").symlink_to("doc.txt")
    shutil.rmtree(work / "linked")
    (work / "linked").symlink_to("ünï")
    (work / "dangling").unlink()
    (work / "new/er").mkdir(parents=True)
    (work / "new/er/file").write_text("new\n")


async def worked(root: Path, home: Path, change: Callable[[Path], None] = change) -> RunWorkspaces:
    run = await opened(root, home)
    await run.prepare()
    change((await run.acquire("one", 1)).path)
    await run.commit("one", 1, "what was done\n")
    assert isinstance(await run.merge("one", 1, "Do one"), Merged)
    await run.release("one", 1)
    return run


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, before and after `merge`."""
    place = tmp_path_factory.mktemp("whole")
    begin(place / "before/project")
    asyncio.run(_worked_and_applied(place))
    return place


async def _worked_and_applied(place: Path) -> None:
    await worked(place / "before/project", place / "before/home/r1")
    shutil.copytree(place / "before", place / "after", symlinks=True)
    await (await opened(place / "after/project", place / "after/home/r1")).apply_result()


def litter(place: Path) -> list[str]:
    home = place / "home/r1"
    return [
        *(name for name in os.listdir(place / "project") if name.startswith(".bigtask")),
        *(name for name in os.listdir(home) if name == "moving" or name.endswith((".new", ".tmp"))),
    ]


async def test_a_folder_gets_modes_links_and_names_and_gives_them_back(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole / "before", tmp_path / "a", symlinks=True)
    root, home = tmp_path / "a/project", tmp_path / "a/home/r1"
    before = files(root)
    work = tmp_path / "expected"
    begin(work)
    change(work)
    run = await opened(root, home)
    applied = await run.apply_result()
    assert files(root) == files(work)
    assert {file.path for file in applied.files} >= {
        "file",
        "file/in",
        "folder",
        "folder/in",
        "link",
        "dangling",
    }
    assert (root / "empty/inner").is_dir()
    assert (root / "private").stat().st_mode & 0o777 == 0o600
    await run.undo_apply()
    assert files(root) == before
    assert litter(tmp_path / "a") == []


async def _steps(place: Path, deed: str) -> int:
    seen: list[str] = []
    run = await opened(place / "project", place / "home/r1", lambda when, step: seen.append(f"{when} {step}"))
    await (run.apply_result() if deed == "apply" else run.undo_apply())
    return sum(one.startswith("before") for one in seen)


@pytest.mark.parametrize("deed", ["apply", "undo"])
async def test_whoever_is_killed_on_the_way_leaves_whole_files_and_the_next_one_ends_it(
    whole: Path, nursery: Nursery, tmp_path: Path, deed: str
) -> None:
    begun = whole / ("before" if deed == "apply" else "after")
    old, new = files(whole / "before/project"), files(whole / "after/project")
    shutil.copytree(begun, tmp_path / "counted", symlinks=True)
    steps = await _steps(tmp_path / "counted", deed)
    assert steps > 25
    points = [f"{when} {deed}:any {at}" for at in range(1, steps + 1) for when in ("before", "after")]
    rng = random.Random(f"{SEED} {deed}")
    chosen = points if FULL else rng.sample(points, share(len(points)))
    half = 0
    for number, point in enumerate(chosen):
        place = tmp_path / str(number)
        shutil.copytree(begun, place, symlinks=True)
        root, home = place / "project", place / "home/r1"
        env = {**ENV, "HOME": str(tmp_path), VARIABLE: point.replace(f"{deed}:any", "any")}
        born = nursery.start([str(root), str(home), deed], env)
        try:
            assert born.wait() == -9, (point, os.read(born.stderr, 65_536).decode())
        finally:
            born.close()
        left = files(root)
        half += left not in (old, new)
        for path in {*old, *new, *left} - {
            "file",
            "folder",
            "file/in",
            "folder/in",
            "linked",
            "linked/ñ.txt",
        }:
            assert left.get(path) in (old.get(path), new.get(path)) or "empty" in str(left.get(path)), (
                point,
                path,
            )
        run = await opened(root, home)
        if rng.random() < 0.5:
            await _brought_to(run, "apply")
            assert files(root) == new, point
            await run.undo_apply()
        else:
            await _brought_to(run, "undo")
        assert files(root) == old, point
        assert (await run.apply_result()).already is False
        assert files(root) == new, point
        assert litter(place) == [], point
        shutil.rmtree(place)
    assert half > 2
    record(11, name=f"kill -9 in the {deed} of a folder", unit="kills", count=len(chosen), violations=0)


async def _brought_to(run: RunWorkspaces, end: str) -> None:
    """As a person would, by what they are told."""
    if end == "undo":
        try:
            await run.undo_apply()
        except NotFound:
            return  # it had hardly begun
        return
    forecast = await run.foresee_apply()
    if "--undo" in forecast.refused:
        await run.undo_apply()
    await run.apply_result()


async def test_what_changed_meanwhile_is_refused_file_by_file(whole: Path, tmp_path: Path) -> None:
    place = tmp_path / "a"
    shutil.copytree(whole / "before", place, symlinks=True)
    root = place / "project"
    (root / "doc.txt").write_text("edited\n")
    (root / "gone.txt").unlink()
    (root / "gone.txt").symlink_to("doc.txt")
    (root / "run.sh").write_text("#!/bin/sh\nedited\n")
    (root / "new").write_text("mine\n")
    (root / "folder/mine").write_text("mine\n")
    (root / "untouched").write_text("no matter\n")
    before = files(root)
    run = await opened(root, place / "home/r1")
    seen = await run.foresee_apply()
    assert set(seen.in_the_way) == {"doc.txt", "gone.txt", "run.sh", "new", "folder"}
    with pytest.raises(Conflict, match=r"doc\.txt, folder, gone\.txt, new, run\.sh changed since"):
        await run.apply_result()
    assert files(root) == before
    assert litter(place) == []
    with pytest.raises(NotFound):
        await run.undo_apply()


async def test_undo_refuses_what_changed_since_and_touches_nothing(whole: Path, tmp_path: Path) -> None:
    place = tmp_path / "a"
    shutil.copytree(whole / "after", place, symlinks=True)
    root = place / "project"
    (root / "gone.txt").write_text("mine\n")
    before = files(root)
    run = await opened(root, place / "home/r1")
    with pytest.raises(Conflict, match=r"gone\.txt changed since"):
        await run.undo_apply()
    assert files(root) == before
    assert (await run.apply_result()).already
    (root / "gone.txt").unlink()
    await run.undo_apply()
    assert files(root) == files(whole / "before/project")


async def test_what_cannot_be_written_leaves_every_file_as_it_was(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every file in turn."""
    place = tmp_path / "a"
    shutil.copytree(whole / "before", place, symlinks=True)
    root = place / "project"
    before = files(root)
    real = exchanging.beneath.move
    for at in range(1, 100):
        left = at

        def failing(top: Path, path: str, target: Path) -> bool:
            nonlocal left
            if root in (top, target):
                left -= 1
                if left == 0:
                    raise PermissionError(errno.EACCES, "Permission denied", path)
            return real(top, path, target)

        monkeypatch.setattr(exchanging.beneath, "move", failing)
        run = await opened(root, place / "home/r1")
        try:
            await run.apply_result()
        except Conflict as error:
            told = str(error)
        else:
            break
        assert re.search(r"can't be exchanged \(Permission denied\): nothing was changed", told)
        assert files(root) == before, at
        assert litter(place) == []
        assert not (place / "home/r1/applied.json").exists()
    assert at > 15
    monkeypatch.setattr(exchanging.beneath, "move", real)
    await run.undo_apply()
    assert files(root) == before


async def test_what_can_not_even_be_put_back_is_told_and_both_ways_stay_open(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "a"
    shutil.copytree(whole / "before", place, symlinks=True)
    root = place / "project"
    before = files(root)
    real = exchanging.beneath.move

    def failing(top: Path, path: str, target: Path) -> bool:
        if path == "plain.sh" or (path == "doc.txt" and top.name == "old"):
            raise PermissionError(errno.EPERM, "Operation not permitted", path)
        return real(top, path, target)

    monkeypatch.setattr(exchanging.beneath, "move", failing)
    run = await opened(root, place / "home/r1")
    with pytest.raises(Conflict, match=r"doc\.txt can't be put back \(Operation not permitted\)"):
        await run.apply_result()
    left = files(root)
    assert {path for path in {*left, *before} if left.get(path) != before.get(path)} == {"doc.txt"}
    monkeypatch.setattr(exchanging.beneath, "move", real)
    await run.undo_apply()
    assert files(root) == before
    assert litter(place) == []


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no process here can have a file system of its own")
    yield place
    subprocess.run(["umount", str(place)], check=True)


async def test_a_full_disk_leaves_every_file_as_it_was(disk: Path, tmp_path: Path) -> None:
    begin(disk / "project")
    run = await worked(disk / "project", tmp_path / "home/r1")
    before = files(disk / "project")
    full = disk / "full"
    room = os.statvfs(disk)
    full.write_bytes(bytes(room.f_bavail * room.f_frsize - 2 * 2**20))
    with pytest.raises(Conflict, match="can't be written"):
        await run.apply_result()
    full.unlink()
    assert files(disk / "project") == before
    assert litter_of(disk / "project") == []
    await run.apply_result()
    assert (disk / "project/doc.txt").read_text() == "new\n"
    await run.undo_apply()
    assert files(disk / "project") == before
    assert litter_of(disk / "project") == []


def litter_of(root: Path) -> list[str]:
    return [name for name in os.listdir(root) if name.startswith(".bigtask")]


async def test_a_run_that_went_on_after_a_broken_off_merge_brings_both_in(
    whole: Path, nursery: Nursery, tmp_path: Path
) -> None:
    place = tmp_path / "a"
    begin(place / "project")
    run = await worked(place / "project", place / "home/r1")
    env = {**ENV, "HOME": str(tmp_path), VARIABLE: "after apply:write 4"}
    born = nursery.start([str(place / "project"), str(place / "home/r1"), "apply"], env)
    try:
        assert born.wait() == -9
    finally:
        born.close()
    again = await run.acquire("two", 1)
    (again.path / "doc.txt").write_text("newer\n")
    await run.commit("two", 1, "more\n")
    await run.merge("two", 1, "Do two")
    await run.apply_result()
    assert (place / "project/doc.txt").read_text() == "newer\n"
    assert (place / "project/new/er/file").read_text() == "new\n"


# Without the defences


async def test_a_merge_without_its_journal_is_noticed(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can take out again what a process that was killed had begun."""
    place = tmp_path / "a"
    shutil.copytree(whole / "before", place, symlinks=True)
    monkeypatch.setattr(applying.Application, "_write", lambda *_: None)
    monkeypatch.setattr(Exchange, "_take_back", lambda *_: None)
    monkeypatch.setattr(Exchange, "_put", _killed)
    root, home = place / "project", place / "home/r1"
    before = files(root)
    with pytest.raises(KeyboardInterrupt):
        await (await opened(root, home)).apply_result()
    assert files(root) != before
    monkeypatch.undo()
    with pytest.raises(NotFound):
        await (await opened(root, home)).undo_apply()


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


async def test_an_exchange_that_keeps_nothing_is_noticed(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "a"
    shutil.copytree(whole / "before", place, symlinks=True)
    root = place / "project"
    before = files(root)
    put = Exchange._put

    def failing(self: Exchange, path: str) -> None:
        if path == "plain.sh":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        put(self, path)

    monkeypatch.setattr(Exchange, "_put", failing)
    monkeypatch.setattr(Exchange, "_take_back", lambda *_: None)
    with pytest.raises(Conflict):
        await (await opened(root, place / "home/r1")).apply_result()
    assert files(root) != before
