from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from bigtask.errors import InvalidInput
from bigtask.workspaces.settings import for_large_files
from bigtask.workspaces.source import examine


async def test_a_repository_is_seen_from_a_folder_in_it(project):
    project.write("a.txt", "changed\n")
    project.write("new file.txt", "n\n")
    (project.root / "lib/b.txt").unlink()
    project.write("x.log", "ignored\n")
    os.utime(project.root / ".gitignore", (1, 1))  # Git would note in its index that nothing changed.
    before = project.untouched()
    source = await examine(project.root / "lib")
    assert (source.kind, source.root, source.prefix, source.branch) == ("git", project.root, "lib", "trunk")
    assert source.head == project.git("rev-parse", "HEAD")
    assert set(source.dirty) == {
        ("modified", "a.txt"),
        ("deleted", "lib/b.txt"),
        ("untracked", "new file.txt"),
    }
    assert source.dirty_count == 3
    assert project.untouched() == before


async def test_many_changes_are_counted_but_not_all_listed(project):
    for i in range(250):
        project.write(f"f{i}", "x")
    source = await examine(project.root)
    assert (len(source.dirty), source.dirty_count) == (200, 250)


async def test_a_repository_without_a_commit_and_a_detached_head(folder):
    folder.git("init", "-q", "-b", "trunk")
    source = await examine(folder.root)
    assert (source.head, source.branch) == (None, "trunk")
    head = folder.commit()
    folder.git("checkout", "-q", "--detach")
    source = await examine(folder.root)
    assert (source.head, source.branch) == (head, None)


async def test_a_conflict_in_progress_is_no_obstacle(project):
    project.git("checkout", "-q", "-b", "other")
    project.write("a.txt", "x\n")
    project.commit()
    project.git("checkout", "-q", "trunk")
    project.write("a.txt", "y\n")
    project.commit()
    with pytest.raises(Exception, match="merge"):
        project.git("merge", "-q", "other")
    assert (await examine(project.root)).dirty == (("conflicted", "a.txt"),)


async def test_a_plain_folder(folder):
    source = await examine(folder.root)
    assert (source.kind, source.root, source.head, source.dirty) == ("folder", folder.root, None, ())


async def test_what_cannot_be_used_says_why_and_what_to_do(project, tmp_path):
    project.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/.git").write_text("gitdir: nowhere\n")
    for cwd, sentence in {
        tmp_path / "missing": "create it",
        project.root / "a.txt": "isn't a folder",
        tmp_path / "bare.git": "bare repository",
        project.root / ".git": "inside a .git folder",
        tmp_path / "broken": "git can't use the repository",
    }.items():
        with pytest.raises(InvalidInput, match=sentence):
            await examine(cwd)


def follow(advice: str, home: Path) -> None:
    subprocess.run(shlex.split(advice), check=True, env={"HOME": str(home), "PATH": os.environ["PATH"]})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
async def test_the_repository_of_another_user_is_used_when_the_person_trusts_it(
    project, tmp_path, monkeypatch
):
    (project.root / "below").mkdir()
    for path in (project.root, *project.root.rglob("*")):
        os.chown(path, 54321, 54321, follow_symlinks=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(InvalidInput, match="belongs to another user") as refused:
        await examine(project.root / "below")
    advice = re.search("`(git config .*)`", str(refused.value))
    assert advice is not None
    follow(advice[1], tmp_path)
    assert (await examine(project.root / "below")).root == project.root


async def test_an_old_git_is_refused(project, tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    git = tmp_path / "bin/git"
    git.write_text("#!/bin/sh\necho git version 2.37.9\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(InvalidInput, match=r"git version 2\.37\.9 is too old"):
        await examine(project.root)
    git.unlink()
    with pytest.raises(InvalidInput, match="git wasn't found"):
        await examine(project.root)


async def test_what_the_person_ignores_everywhere_is_not_a_change(project, tmp_path, monkeypatch):
    home = tmp_path / "person"
    home.mkdir()
    (home / "ignored").write_text("secret.env\n")
    (home / ".gitconfig").write_text("[core]\n\texcludesFile = ~/ignored\n\thooksPath = /nowhere\n")
    monkeypatch.setenv("HOME", str(home))
    project.write("secret.env", "key\n")
    source = await examine(project.root)
    assert source.dirty == ()
    large_files = for_large_files(project.root / ".git")
    assert source.settings == (f"core.excludesfile={home}/ignored", *large_files)
