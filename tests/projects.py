"""What tests carry runs out on: a person's repository or folder, a home, and templates of their own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bigtask.agents.table import AgentTable
from bigtask.approvals import Approvals
from bigtask.host.creation import Options, create
from bigtask.host.home import Home, RunFolder
from bigtask.templates.manager import TemplateManager

ENV = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "LC_ALL": "C",
}
"""The whole environment of the programs that tests start."""


@dataclass(frozen=True)
class Project:
    """Handled with plain git, as its person would."""

    root: Path

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, env=ENV, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def lines(self, *arguments: str) -> list[str]:
        return self.git(*arguments).splitlines()

    def seen(self) -> dict[str, str]:
        """Every file with mode and content; HEAD, the index and every ref that isn't bigtask's."""
        seen = {}
        for folder, folders, files in os.walk(self.root):
            if Path(folder) == self.root and ".git" in folders:
                folders.remove(".git")
            for name in files:
                file = Path(folder) / name
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                seen[str(file.relative_to(self.root))] = f"{file.lstat().st_mode:o} {digest}"
        if (self.root / ".git").is_dir():
            for name in ("HEAD", "index", "config"):
                seen[f".git/{name}"] = hashlib.sha256((self.root / ".git" / name).read_bytes()).hexdigest()
            refs = self.lines("for-each-ref", "--format=%(refname) %(objectname)")
            seen["refs"] = "\n".join(ref for ref in refs if "bigtask/" not in ref)
        return seen


def repository(root: Path, files: Mapping[str, str] | None = None) -> Project:
    """A new repository on branch `trunk` with one commit; files that lie there already are part of it."""
    root.mkdir(parents=True, exist_ok=True)
    project = Project(root.resolve())
    for path, text in (files or {"a.txt": "one\ntwo\nthree\n"}).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    project.git("init", "-q", "-b", "trunk")
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "begin")
    return project


@dataclass(frozen=True)
class Desk:
    """A person's home with one template, `tested`, made of `config` and `phases` over the default one."""

    home: Home

    def template(self, *, config: Mapping[str, Any], phases: Mapping[str, Any] | None = None) -> None:
        self.home.templates.mkdir(parents=True, exist_ok=True)
        whole = {
            "id": "tested",
            "name": "Tested",
            "extends": "_default",
            "config": {"spawnDelay": 0, **config},
            "phases": dict(phases or {}),
        }
        (self.home.templates / "tested.json").write_text(json.dumps(whole))

    def script(self, script: Mapping[str, Any]) -> str:
        """The agent's name. A process reads a script once: another one is another file."""
        written = json.dumps(script)
        file = self.home.path / f"script-{hashlib.sha256(written.encode()).hexdigest()[:8]}.json"
        file.write_text(written)
        return f"scripted:{file}"

    async def create(
        self, project: Project, *, agent: str, agents: AgentTable | None = None, **options: Any
    ) -> RunFolder:
        return await create(
            self.home,
            template_id="tested",
            cwd=project.root,
            request="Do the work",
            agents=agents or AgentTable(),
            templates=TemplateManager(user_dir=self.home.templates, approvals=Approvals(self.home.approvals)),
            options=Options(agent=agent, **{"yes": True, **options}),
        )
