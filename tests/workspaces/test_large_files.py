"""Files of Git LFS, with and without the program of that name."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from shutil import which

import pytest

from bigtask.errors import GitError
from bigtask.workspaces.settings import for_large_files, names_program
from bigtask.workspaces.source import examine
from projects import ENV, Project

LARGE = b"\x89PNG\r\n" + bytes(range(256)) * 1000
NEWER = b"newer" + LARGE


def pointer(content: bytes) -> str:
    oid = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"


def stored(project: Project, content: bytes) -> Path:
    oid = hashlib.sha256(content).hexdigest()
    return project.root / ".git" / "lfs" / "objects" / oid[:2] / oid[2:4] / oid


@pytest.fixture
def large(project):
    """art.png is a large file that this machine has, gone.png one that it hasn't."""
    for setting in for_large_files(project.root / ".git"):
        project.git("config", *setting.split("=", 1))
    project.write(".gitattributes", "*.png filter=lfs diff=lfs merge=lfs -text\n")
    (project.root / "art.png").write_bytes(LARGE)
    project.write("gone.png", pointer(b"somewhere else"))
    project.commit("with large files")
    assert stored(project, LARGE).read_bytes() == LARGE
    return project


async def test_a_workspace_has_those_that_are_here_and_pointers_of_the_others(large, opened):
    assert (await examine(large.root)).dirty == ()
    workspaces = await opened()
    await workspaces.prepare()
    place = (await workspaces.acquire("one", 1)).path
    assert (place / "art.png").read_bytes() == LARGE
    assert (place / "gone.png").read_text() == pointer(b"somewhere else")
    assert (await workspaces.commit("one", 1, "one")).commit is None


async def test_what_an_agent_makes_is_merged_as_a_pointer_and_reaches_the_project_whole(large, opened):
    workspaces = await opened()
    await workspaces.prepare()
    place = (await workspaces.acquire("one", 1)).path
    (place / "art.png").write_bytes(NEWER)
    (place / "new.png").write_bytes(LARGE[::-1])
    (place / "empty.png").write_bytes(b"")
    done = await workspaces.commit("one", 1, "one")
    assert large.git("show", f"{done.commit}:art.png") + "\n" == pointer(NEWER)
    assert large.git("show", f"{done.commit}:new.png") + "\n" == pointer(LARGE[::-1])
    assert large.git("show", f"{done.commit}:empty.png") == ""
    await workspaces.merge("one", 1, "one")
    assert (workspaces.integration.path / "art.png").read_bytes() == NEWER
    large.git(
        "config", "filter.lfs.clean", "cat"
    )  # so that plain git takes the file for the pointer it isn't
    await workspaces.apply_result()
    assert (large.root / "art.png").read_bytes() == NEWER
    assert (large.root / "new.png").read_bytes() == LARGE[::-1]
    assert stored(large, NEWER).read_bytes() == NEWER
    assert large.git("status", "--porcelain") == ""
    await workspaces.undo_apply()
    assert (large.root / "art.png").read_bytes() == LARGE
    assert not (large.root / "new.png").exists()


@pytest.mark.parametrize("trick", ["link", "pipe", "another content", "folder"])
async def test_what_is_no_file_of_that_content_is_left_alone(large, opened, tmp_path, trick):
    secret = tmp_path / "secret"
    secret.write_bytes(LARGE if trick == "link" else b"secret")
    place = stored(large, LARGE)
    place.unlink()
    if trick == "link":
        place.symlink_to(secret)
    elif trick == "pipe":
        os.mkfifo(place)
    elif trick == "folder":
        place.mkdir()
    else:
        place.write_bytes(b"another")
    workspaces = await opened()
    await workspaces.prepare()
    assert (workspaces.integration.path / "art.png").read_text() == pointer(LARGE)


async def test_the_settings_of_the_project_for_it_are_never_run(large, opened, tmp_path):
    canary = tmp_path / "ran"
    for key in ("clean", "smudge", "process"):
        large.git("config", f"filter.lfs.{key}", f"touch {canary}; cat")
    large.git("config", "filter.lfs.required", "true")
    workspaces = await opened()
    await workspaces.prepare()
    place = (await workspaces.acquire("one", 1)).path
    (place / "art.png").write_bytes(NEWER)
    assert (await workspaces.commit("one", 1, "one")).commit is not None
    assert not canary.exists()


@pytest.mark.parametrize(
    "key", ["filter.lfs.foo.clean", "filter.LFS.clean", "filter.lfs.clean.process", "filter.x.smudge"]
)
def test_no_other_filter_passes_for_it(key):
    assert names_program(key)


async def test_a_store_that_cannot_be_written_is_an_error_and_no_raw_content(large, opened):
    workspaces = await opened()
    await workspaces.prepare()
    place = (await workspaces.acquire("one", 1)).path
    (place / "art.png").write_bytes(NEWER)
    prefix = stored(large, NEWER).parent.parent
    prefix.write_text("in the way")
    with pytest.raises(GitError):
        await workspaces.commit("one", 1, "one")


@pytest.mark.skipif(which("git-lfs") is None, reason="git-lfs isn't installed")
async def test_the_program_finds_what_we_made_and_we_find_what_it_made(project, opened, tmp_path):
    env = {**ENV, "HOME": str(tmp_path)}

    def lfs(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=project.root, env=env, check=True, capture_output=True, text=True
        )
        return done.stdout

    lfs("lfs", "install", "--local")
    lfs("lfs", "track", "*.png")
    (project.root / "art.png").write_bytes(LARGE)
    lfs("add", "-A")
    lfs("commit", "-q", "-m", "by the program")
    workspaces = await opened()
    await workspaces.prepare()
    place = (await workspaces.acquire("one", 1)).path
    assert (place / "art.png").read_bytes() == LARGE
    (place / "art.png").write_bytes(NEWER)
    await workspaces.commit("one", 1, "one")
    await workspaces.merge("one", 1, "one")
    await workspaces.apply_result()
    assert lfs("status", "--porcelain") == ""
    lfs("lfs", "fsck")
    (project.root / "art.png").unlink()
    lfs("checkout", "-q", "--", "art.png")
    assert (project.root / "art.png").read_bytes() == NEWER
