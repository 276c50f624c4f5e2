from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.source import examine
from projects import ENV


@dataclass(frozen=True)
class Project:
    """The person's repository or folder, handled with plain git as they would."""

    root: Path

    def git(self, *arguments: str, at: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=at or self.root, env=ENV, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def commit(self, message: str = "work") -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def untouched(self) -> dict[str, str]:
        """Every file with its content, mode and time; HEAD, the index, the settings and others' refs."""
        seen = {}
        for folder, folders, files in os.walk(self.root):
            if Path(folder) == self.root and ".git" in folders:
                folders.remove(".git")
            for name in files:
                file = Path(folder) / name
                about = file.lstat()
                content = os.readlink(file).encode() if file.is_symlink() else file.read_bytes()
                seen[str(file)] = f"{about.st_mode} {about.st_mtime_ns} {hashlib.sha256(content).hexdigest()}"
        if (self.root / ".git").is_dir():
            for name in ("HEAD", "index", "config"):
                file = self.root / ".git" / name
                seen[name] = hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else ""
            refs = self.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
            seen["refs"] = "\n".join(ref for ref in refs if "bigtask/" not in ref)
            seen["stash"] = str((self.root / ".git" / "logs" / "refs" / "stash").exists())
        return seen


@pytest.fixture
def folder(tmp_path: Path) -> Project:
    (tmp_path / "project").mkdir()
    return Project((tmp_path / "project").resolve())


@pytest.fixture
def project(folder: Project) -> Project:
    """A repository with a.txt and lib/b.txt on branch `trunk`."""
    folder.git("init", "-q", "-b", "trunk")
    folder.write("a.txt", "one\ntwo\nthree\n")
    folder.write("lib/b.txt", "b\n")
    folder.write(".gitignore", "*.log\nbuild/\n")
    folder.commit("begin")
    return folder


@pytest.fixture
def opened(folder: Project, tmp_path: Path) -> Callable[..., object]:
    """`RunWorkspaces` of the run r1, as a new process would make it."""

    async def opened(at: str = ".", run_id: str = "r1") -> RunWorkspaces:
        home = tmp_path / "home" / run_id
        home.mkdir(parents=True, exist_ok=True)
        return RunWorkspaces(run_id, await examine(folder.root / at), home)

    return opened
