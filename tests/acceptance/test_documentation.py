"""`documentation` with the offline agent on real libraries, from the request to the merge."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import click
import pytest
import rich

from counting import all_public_names, anchors_of, broken_links
from projects import ENV, Project, repository

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

LIBRARIES = {"rich": rich, "click": click}
PAGES = "docs/api"


@pytest.fixture(params=["rich", "click"])
def library(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["repository", "folder"])
def project(request: pytest.FixtureRequest, library: str, tmp_path: Path) -> Project:
    """A copy of the library's package: in a repository with a staged and an ignored file, or plain."""
    root = tmp_path / "projects" / library
    source = Path(LIBRARIES[library].__file__ or "").parent
    shutil.copytree(source, root / library, ignore=shutil.ignore_patterns("__pycache__"))
    if request.param == "folder":
        return Project(root.resolve())
    found = repository(root, {".gitignore": "*.log\n", "notes.txt": "Committed.\n"})
    (root / "build.log").write_text("Ignored.\n")
    return found


def test_a_library_is_documented_without_touching_anything_until_the_merge(
    project: Project, library: str, tmp_path: Path
) -> None:
    before = project.seen()
    home = tmp_path / "home"
    started = time.monotonic()
    request = ("documentation", "Generate documentation for all modules")
    printed = bigtask(
        home, "run", *request, "--cwd", str(project.root), "--agent", "offline", "--yes", "--json"
    )
    took_s = time.monotonic() - started
    *events, result = [json.loads(line) for line in printed.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (result["type"], result["outcome"]) == ("result", "complete"), result
    count = result["tasks"]
    assert count["completed"] == count["total"] == sum(count.values()) / 2 > 3
    assert project.seen() == before
    (listed,) = json.loads(bigtask(home, "list", "--all", "--json"))["runs"]
    assert (listed["id"], listed["outcome"]) == (result["orchestratorId"], "complete")
    assert [json.loads(line) for line in bigtask(home, "logs", "last", "--json").splitlines()] == events

    bigtask(home, "merge", result["orchestratorId"])
    after = project.seen()
    bigtask(home, "merge", "last")
    assert project.seen() == after, "merging twice is merging once"
    pages = project.root / PAGES
    written = {f"{PAGES}/{page.name}" for page in pages.glob("*.md")}
    assert set(result["outputFiles"]) == written
    changed = {path for path in after.keys() | before.keys() if after.get(path) != before.get(path)}
    assert changed - {"refs", ".git/index"} == written
    expected = all_public_names(project.root)
    missing = sorted(expected - anchors_of(pages))
    assert len(expected) > 100
    assert len(missing) <= len(expected) * 0.02, missing
    assert broken_links(pages) == []
    in_git = (project.root / ".git").is_dir()
    if in_git:
        assert project.git("status", "--porcelain") == ""
        assert project.git("branch", "--show-current") == "trunk"

    bigtask(home, "merge", "last", "--undo")
    assert outside_git(project.seen()) == outside_git(before)
    total = {"test": "documentation", "library": library, "kind": "git" if in_git else "folder"}
    counted = {"objects": len(expected), "missing": len(missing), "pages": len(written)}
    keep({**total, "seconds": round(took_s, 1), "tasks": count["total"], **counted})


def bigtask(home: Path, *arguments: str) -> str:
    """What the command printed on stdout; it has to succeed."""
    ended = subprocess.run(
        [sys.executable, "-m", "bigtask", *arguments],
        env={**ENV, "BIGTASK_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def outside_git(seen: Mapping[str, object]) -> dict[str, object]:
    return {path: what for path, what in seen.items() if not path.startswith((".git/", "refs"))}


def keep(total: dict[str, object]) -> None:
    """A line of the totals, for whoever collects them."""
    if file := os.environ.get("BIGTASK_TOTALS"):
        with open(file, "a") as totals:
            totals.write(json.dumps(total) + "\n")
