"""Whole runs over real sources, counted and checked without the program's own code."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import pytest
import rich

import bigtask
from counting import all_public_names, anchors_of, broken_links

from .conftest import Child

LIBRARIES = {"rich": rich, "click": click, "bigtask": bigtask}


@pytest.fixture(params=sorted(LIBRARIES))
def library(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """A project that holds a copy of the library's package, and the package's name."""
    name = str(request.param)
    root = tmp_path / name
    package = root / "src" / name if name == "bigtask" else root / name
    shutil.copytree(
        Path(LIBRARIES[name].__file__ or "").parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    return root, name


def work(root: Path, task: Mapping[str, Any], **variables: Any) -> dict[str, Any]:
    child = Child(root)
    try:
        answer = child.ask("workerExecution", TASK_ID=task["id"], TASK_SCOPE=task["scope"], **variables)
        assert answer.end.reason == "end"
        return answer.data
    finally:
        child.close()


def write_all(root: Path, **variables: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Plans and carries out, eight processes at a time: the tasks, and what each ended with."""
    child = Child(root)
    try:
        tasks = child.ask("taskPlanning", **variables).data["tasks"]
    finally:
        child.close()
    with ThreadPoolExecutor(8) as pool:
        return tasks, list(pool.map(lambda task: work(root, task, **variables), tasks))


@pytest.mark.integration
def test_every_public_object_of_a_library_is_on_a_page_and_no_link_is_broken(
    library: tuple[Path, str],
) -> None:
    root, name = library
    tasks, outcomes = write_all(root)
    pages = root / "docs" / "api"

    expected = all_public_names(root)
    missing = sorted(expected - anchors_of(pages))
    assert len(expected) > 100
    assert len(missing) <= len(expected) * 0.02, missing
    assert broken_links(pages) == []

    assert [outcome["status"] for outcome in outcomes] == ["success"] * len(tasks)
    written = [file for outcome in outcomes for file in outcome["output_files"]]
    assert sorted(written) == sorted(f"docs/api/{page.name}" for page in pages.glob("*.md"))
    planned = {entry for task in tasks for entry in task["scope"] if entry.endswith(".md")}
    assert planned == set(written)

    child = Child(root)
    try:
        verdict = child.ask("verification").data
        assert verdict["status"] in {"passed", "passed_with_warnings"}, verdict["issues"][:3]
        merged = child.ask("aggregation").data
        assert merged["status"] == "success"
        assert sorted(merged["output_files"]) == sorted(written)
        (pages / f"{name}.md").unlink()
        verdict = child.ask("verification").data
        assert verdict["status"] == "failed"
        assert any(f"{name} has no page" in issue["description"] for issue in verdict["issues"])
    finally:
        child.close()


@pytest.mark.integration
def test_the_plan_has_tasks_of_even_size_that_share_no_file(library: tuple[Path, str]) -> None:
    root, _ = library
    child = Child(root)
    try:
        analysis = child.ask("analysis").data
        tasks = child.ask("taskPlanning").data["tasks"]
        few = child.ask("taskPlanning", MAX_TASKS=3).data["tasks"]
        one = child.ask("taskPlanning", MAX_TASKS=1).data["tasks"]
    finally:
        child.close()
    assert analysis["recommended_splits"] == len(tasks)
    assert 6 <= len(tasks) <= 21
    assert len(few) == 3
    assert len(one) == 1
    assert any(entry.endswith("index.md") for entry in one[0]["scope"])
    ids = [task["id"] for task in tasks]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,47}", each) for each in ids)
    assert ids[-1] == "doc-index"
    assert tasks[-1]["dependencies"] == ids[:-1]
    scopes = [entry for task in tasks for entry in task["scope"]]
    assert len(set(scopes)) == len(scopes)
    sizes = [
        sum((root / entry).read_bytes().count(b"\n") for entry in task["scope"] if entry.endswith(".py"))
        for task in tasks[:-1]
    ]
    # Nothing is heavier than twice its share, but for a single module that can't be split.
    share = sum(sizes) / len(sizes)
    heavy = [task for task, size in zip(tasks, sizes, strict=False) if size > 2 * share]
    assert all(sum(entry.endswith(".py") for entry in task["scope"]) <= 2 for task in heavy)


@pytest.mark.integration
def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for place in ("one", "two"):
        root = tmp_path / place / "click"
        shutil.copytree(
            Path(click.__file__ or "").parent, root / "click", ignore=shutil.ignore_patterns("__pycache__")
        )
        write_all(root)
        contents.append({page.name: page.read_bytes() for page in (root / "docs" / "api").iterdir()})
    assert contents[0] == contents[1]
    assert all(b"\r" not in page and page.endswith(b"\n") for page in contents[0].values())


@pytest.mark.integration
def test_signatures_are_those_of_the_source(tmp_path: Path) -> None:
    root = tmp_path / "click"
    shutil.copytree(Path(click.__file__ or "").parent, root, ignore=shutil.ignore_patterns("__pycache__"))
    outcome = work(root, {"id": "t", "scope": ["core.py", "utils.py"]})
    assert outcome["output_files"] == ["docs/api/click.core.md", "docs/api/click.utils.md"]
    page = (root / "docs/api/click.core.md").read_text()
    parts = dict(re.findall(r'<a id="([\w.]+)"></a>\n\n#+ .*?```python\n(.*?)\n```', page, re.DOTALL))
    tree = ast.parse((root / "core.py").read_bytes())
    checked = 0
    for owner in (tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))):
        for node in owner.body:
            scope = f"click.core.{owner.name}" if isinstance(owner, ast.ClassDef) else "click.core"
            if isinstance(node, ast.FunctionDef) and f"{scope}.{node.name}" in parts:
                headers = re.sub(r":(\n\n|$)", r": ...\n", parts[f"{scope}.{node.name}"])
                found = [each for each in ast.walk(ast.parse(headers)) if isinstance(each, ast.FunctionDef)]
                shown = [ast.dump(each.args) for each in found]
                assert ast.dump(node.args) in shown or "setter" in ast.unparse(node), node.name
                checked += 1
    assert checked > 100
    assert (
        "| `auto_envvar_prefix` | str \\| None | `None` | the prefix to use for automatic environment" in page
    )
    assert "[Command](#click.core.Command)" in page
    assert outcome["metrics"]["modules"] == 2
