"""`make demo`: the documentation template on a real project, a copy of rich's sources, by the offline agent.

The project is made anew each time. No model is asked and no account is used.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

LIBRARY = "rich"
MARK = "bigtask.demo"
REQUEST = "Generate documentation for all modules"


def main() -> int:
    here = Path.cwd()
    project = here / "demo-project"
    bigtask = Path(sys.executable).with_name("bigtask")
    make_project(project)
    ended = subprocess.run(
        [bigtask, "run", "documentation", REQUEST, "--cwd", project, "--agent", "offline", "--yes"],
        env=without_accounts(),
        check=False,
    )
    if ended.returncode == 0:
        say(
            where_the_pages_are(
                project, bigtask.relative_to(here) if bigtask.is_relative_to(here) else bigtask
            )
        )
    return ended.returncode


def make_project(project: Path) -> None:
    """A git repository with one commit. What isn't a demo project of ours isn't replaced."""
    if project.exists():
        if not (project / ".git").is_dir() or git(project, "config", "--get", MARK, fails=True) != "true":
            raise SystemExit(f"{project} wasn't made by the demo: move it away, then run make demo again")
        shutil.rmtree(project)
    spec = importlib.util.find_spec(LIBRARY)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{LIBRARY} isn't installed in this environment: run make demo")
    source = Path(spec.submodule_search_locations[0])
    about = importlib.metadata.metadata(LIBRARY)
    shutil.copytree(source, project / LIBRARY, ignore=shutil.ignore_patterns("__pycache__"))
    (project / "README.md").write_text(f"# {LIBRARY}\n\n{about['Summary']}\n", encoding="utf-8")
    (project / "pyproject.toml").write_text(
        f'[project]\nname = "{LIBRARY}"\nversion = "{about["Version"]}"\n', encoding="utf-8"
    )
    git(project, "init", "--quiet", "--initial-branch=main")
    git(project, "config", MARK, "true")
    git(project, "add", "--all")
    identity = ("-c", "user.name=bigtask demo", "-c", "user.email=demo@bigtask.invalid")
    git(project, *identity, "-c", "commit.gpgsign=false", "commit", "--quiet", f"--message={LIBRARY}")
    modules = sum(1 for _ in (project / LIBRARY).rglob("*.py"))
    say(f"demo-project: {LIBRARY} {about['Version']}, {modules} modules, one commit")


def where_the_pages_are(project: Path, bigtask: Path) -> str:
    """The newest run's branch, `bigtask/RUN/main`, with the pages that it adds."""
    newest = "--sort=-committerdate"
    branches = git(project, "for-each-ref", newest, "--format=%(refname:short)", "refs/heads/bigtask/*/main")
    if not branches:
        return "the run left no branch: bigtask list shows what became of it"
    branch = branches.splitlines()[0]
    added = git(project, "diff", "--name-only", "--diff-filter=A", f"main...{branch}").splitlines()
    pages = [name for name in added if name.endswith(".md")]
    if not pages:
        return f"the run left no pages on {branch}: bigtask list shows what became of it"
    first = next((name for name in pages if Path(name).stem in ("index", "README")), pages[0])
    return "\n".join(
        [
            f"{len(pages)} pages, and your own branch is as it was. Read one, then take them in:",
            f"  cd {project.name}",
            f"  git show {branch}:{first}",
            f"  {Path('..') / bigtask} merge last",
        ]
    )


def git(project: Path, *arguments: str, fails: bool = False) -> str:
    """What git printed. With `fails`, a refusal prints nothing instead of ending the demo."""
    ended = subprocess.run(["git", "-C", project, *arguments], capture_output=True, text=True, check=False)
    if ended.returncode != 0 and not fails:
        raise SystemExit(f"git {' '.join(arguments)} failed: {ended.stderr.strip()}")
    return ended.stdout.strip()


def without_accounts() -> dict[str, str]:
    """The environment without what a model's client would be found by: the demo promises to need none."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("ANTHROPIC_", "CLAUDE"))}


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    # The run writes to the same terminal: what was said before it has to stand before it.
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
