"""A run's workspaces without a run: what tasks did is put there by hand, and merged."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.source import examine
from bigtask.workspaces.values import Conflicted, Merged, Nothing, Strategy, TakenOut
from projects import Project, repository

Work = Callable[[Path], object]
"""What a task does in its worktree."""

LINES = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n"
FILES = {"a.txt": LINES, "b.txt": "b\n", "doc.md": "# Title\n"}


@dataclass
class Bench:
    place: Path
    run: RunWorkspaces | None = None

    @property
    def project(self) -> Project:
        return Project((self.place / "project").resolve())

    async def opened(self) -> RunWorkspaces:
        """As a new process would have it."""
        home = self.place / "home"
        home.mkdir(exist_ok=True)
        self.run = RunWorkspaces("r1", await examine(self.project.root), home)
        await self.run.prepare()
        return self.run

    async def begin(self, before: Work | None = None) -> RunWorkspaces:
        repository(self.place / "project", FILES)
        if before is not None:
            before(self.project.root)
            self.project.git("add", "-A")
            self.project.git("commit", "-q", "--allow-empty", "-m", "before")
        return await self.opened()

    async def work(self, **works: Work) -> None:
        """All begin on what is merged by now; then each does its work."""
        assert self.run is not None
        places = {id: await self.run.acquire(id, 1) for id in works}
        for id, do in works.items():
            do(places[id].path)
            await self.run.commit(id, 1, id)

    async def merge(
        self, id: str, n: int = 1, strategy: Strategy | None = None
    ) -> Merged | TakenOut | Conflicted | Nothing:
        assert self.run is not None
        return await self.run.merge(id, n, f"Do {id}", strategy)

    @property
    def main(self) -> Path:
        assert self.run is not None
        return self.run.integration.path

    def tree(self) -> dict[str, str]:
        """The integration branch: mode and content (or what it is) of each file."""
        found = {}
        listed = self.project.git("ls-tree", "-r", "-z", "bigtask/r1/main")
        for entry in listed.split("\0"):
            if entry:
                about, _, path = entry.partition("\t")
                mode, kind, blob = about.split(" ")
                text = self.project.git("cat-file", "-p", blob) if kind == "blob" else blob
                found[path] = f"{mode} {text}"
        return found

    def is_clean(self) -> bool:
        """The integration worktree is what its branch says."""
        done = Project(self.main)
        return done.git("status", "--porcelain") == ""


def writes(**texts: str | bytes | None) -> Work:
    """`a_txt` stands for `a.txt`; None deletes."""

    def do(at: Path) -> None:
        for name, text in texts.items():
            file = at / name.replace("_", ".")
            if text is None:
                file.unlink()
            else:
                file.write_bytes(text if isinstance(text, bytes) else text.encode())

    return do


def all_of(*works: Work) -> Work:
    def do(at: Path) -> None:
        for work in works:
            work(at)

    return do


def link(name: str, target: str) -> Work:
    def do(at: Path) -> None:
        (at / name).unlink(missing_ok=True)
        (at / name).symlink_to(target)

    return do


def rename(old: str, new: str) -> Work:
    return lambda at: (at / old).rename(at / new)


def mode(name: str, bits: int) -> Work:
    return lambda at: (at / name).chmod(bits)


def folder(name: str, inside: str) -> Work:
    """A folder in place of a file."""

    def do(at: Path) -> None:
        if os.path.lexists(at / name):
            (at / name).unlink()
        (at / name).mkdir()
        (at / name / "inside").write_text(inside)

    return do
