from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parents[2]


def load_demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_demo", HERE / "tools" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


demo = load_demo()


def program(directory: Path, name: str, script: str) -> None:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("name", ["demo", "dev"])
def test_a_lock_holds_hashes_and_no_address(name: str) -> None:
    text = (HERE / "requirements" / f"{name}.txt").read_text()
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    entries = [entry for entry in re.split(r"\n(?=\S)", text.strip()) if not entry.startswith("#")]
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==[^\s;]+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_the_demo_runs_the_versions_that_are_tested() -> None:
    def versions(name: str) -> set[str]:
        return set(
            re.findall(r"^\S+==\S+", (HERE / "requirements" / f"{name}.txt").read_text(), re.MULTILINE)
        )

    assert versions("demo") < versions("dev")


@pytest.mark.integration
def test_a_python_that_is_only_a_wrapper_is_passed_over(tmp_path: Path) -> None:
    program(tmp_path, "python3.13", "exit 127")
    program(tmp_path, "python3", f'exec "{sys.executable}" "$@"')
    found = ask_for_python(tmp_path)
    assert (found.returncode, found.stdout.strip()) == (0, str(tmp_path / "python3"))


@pytest.mark.integration
def test_no_python_is_one_clear_sentence(tmp_path: Path) -> None:
    program(tmp_path, "python3", "exit 1")
    found = ask_for_python(tmp_path)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith("bigtask needs Python 3.11 or newer: install it")
    assert found.stderr.count("\n") == 1


@pytest.mark.integration
def test_a_python_without_environments_says_which_package_is_missing(tmp_path: Path) -> None:
    program(tmp_path, "python3", 'case "$2" in *ensurepip*) exit 1;; esac')
    assert "apt install python3-venv" in ask_for_python(tmp_path).stderr


def ask_for_python(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", HERE / "tools" / "python"],
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.integration
def test_the_demo_project_is_a_repository_with_one_commit(tmp_path: Path) -> None:
    project = tmp_path / "demo-project"
    demo.make_project(project)
    assert demo.git(project, "rev-list", "--count", "HEAD") == "1"
    assert demo.git(project, "status", "--porcelain") == ""
    assert (project / "rich" / "console.py").is_file()
    assert not list(project.rglob("__pycache__"))


@pytest.mark.integration
def test_the_demo_project_is_made_anew_but_only_over_its_own(tmp_path: Path) -> None:
    project = tmp_path / "demo-project"
    demo.make_project(project)
    (project / "rich" / "console.py").unlink()
    demo.make_project(project)
    assert (project / "rich" / "console.py").is_file()

    shutil.rmtree(project)
    project.mkdir()
    (project / "mine.txt").write_text("kept")
    with pytest.raises(SystemExit, match="wasn't made by the demo"):
        demo.make_project(project)
    demo.git(project, "init", "--quiet")
    with pytest.raises(SystemExit, match="wasn't made by the demo"):
        demo.make_project(project)
    assert (project / "mine.txt").read_text() == "kept"


@pytest.mark.integration
def test_the_demo_says_where_the_pages_are(tmp_path: Path) -> None:
    project = tmp_path / "demo-project"
    demo.make_project(project)
    bigtask = Path(".venv/bin/bigtask")
    assert "left no branch" in demo.where_the_pages_are(project, bigtask)
    demo.git(project, "switch", "--quiet", "--create", "bigtask/01jz/main")
    (project / "docs" / "api").mkdir(parents=True)
    for name in ("console.md", "index.md"):
        (project / "docs" / "api" / name).write_text("# page\n")
    demo.git(project, "add", "--all")
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.invalid", "-c", "commit.gpgsign=false")
    demo.git(project, *identity, "commit", "--quiet", "--message=pages")
    demo.git(project, "switch", "--quiet", "main")
    said = demo.where_the_pages_are(project, bigtask)
    assert said.startswith("2 pages")
    assert "show bigtask/01jz/main:docs/api/index.md" in said
    assert "cd demo-project" in said
    assert "../.venv/bin/bigtask merge last" in said


def test_the_demo_passes_no_account_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "x")
    monkeypatch.setenv("CLAUDE_CODE_TOKEN", "x")
    passed = demo.without_accounts()
    assert not [key for key in passed if key.startswith(("ANTHROPIC_", "CLAUDE"))]
    assert passed["PATH"] == os.environ["PATH"]
