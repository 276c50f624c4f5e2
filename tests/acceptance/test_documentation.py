"""`documentation` with the offline agent on real libraries, from the request to the merge."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import click
import pytest
import rich

from bigtask.agents.table import AgentTable
from bigtask.core.commands import Start
from bigtask.core.evolve import fold
from bigtask.core.ledger import counts
from bigtask.core.states import Outcome
from bigtask.errors import Conflict
from bigtask.host.access import hold, read
from bigtask.host.creation import Options, create
from bigtask.host.home import Home
from bigtask.templates.manager import TemplateManager
from counting import all_public_names, anchors_of, broken_links
from projects import Project, repository

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


async def test_a_library_is_documented_without_touching_anything_until_the_merge(
    project: Project, library: str, tmp_path: Path
) -> None:
    before = project.seen()
    agents = AgentTable()
    started = time.monotonic()
    folder = await create(
        Home(tmp_path / "home"),
        template_id="documentation",
        cwd=project.root,
        request="Generate documentation for all modules",
        agents=agents,
        templates=TemplateManager(),
        options=Options(agent="offline", yes=True),
    )
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        with pytest.raises(Conflict, match="merge when it has"):
            await link.merge()
        async for event in link.follow():
            if event.type in ("orchestrator:completed", "orchestrator:error"):
                break
        took_s = time.monotonic() - started
        run = fold(folder.id, await read(folder))
        assert run.outcome is Outcome.COMPLETE, run.reason
        count = counts(run)
        assert count["completed"] == count["total"] > 3
        assert project.seen() == before

        merged = await link.merge(by="Ada")
        after = project.seen()
        assert (await link.merge(by="Ada"))["already"]
        assert project.seen() == after

        pages = project.root / PAGES
        written = {f"{PAGES}/{page.name}" for page in pages.glob("*.md")}
        assert set(merged["files"]) == written
        changed = {path for path in after.keys() | before.keys() if after.get(path) != before.get(path)}
        assert changed - {"refs", ".git/index"} == written
        expected = all_public_names(project.root)
        missing = sorted(expected - anchors_of(pages))
        assert len(expected) > 100
        assert len(missing) <= len(expected) * 0.02, missing
        assert broken_links(pages) == []
        if (project.root / ".git").is_dir():
            assert project.git("status", "--porcelain") == ""
            assert project.git("branch", "--show-current") == "trunk"

        await link.undo_merge(by="Ada")
        undone = project.seen()
        assert {path: seen for path, seen in undone.items() if not path.startswith((".git/", "refs"))} == {
            path: seen for path, seen in before.items() if not path.startswith((".git/", "refs"))
        }
    kind = run.created.source.kind
    total = {"test": "documentation", "library": library, "kind": kind, "seconds": round(took_s, 1)}
    counted = {"objects": len(expected), "missing": len(missing), "pages": len(written)}
    keep({**total, "tasks": count["total"], **counted})


def keep(total: dict[str, object]) -> None:
    """A line of the totals, for whoever collects them."""
    if file := os.environ.get("BIGTASK_TOTALS"):
        with open(file, "a") as totals:
            totals.write(json.dumps(total) + "\n")
