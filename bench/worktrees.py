"""What a worktree of an attempt costs beside git's own: made and given up in a repository of --files files.

Git is started for its own as bigtask starts it, bare: `worktree add` on a new branch, and `worktree remove`.
Both are done by turns, --times each, in one repository on the disk that is measured; the medians count.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.source import examine
from kit.command import tell
from kit.recording import now
from kit.scratch import scratch

_FOLDERS = 100
_LINES = 40
_ENV = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "bench",
    "GIT_AUTHOR_EMAIL": "bench@example.org",
    "GIT_COMMITTER_NAME": "bench",
    "GIT_COMMITTER_EMAIL": "bench@example.org",
}


def git(at: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=at,
        env=_ENV,
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return done.stdout


def repository(place: Path, files: int) -> Path:
    for number in range(files):
        file = place / f"part{number % _FOLDERS:03}" / f"module{number:05}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"line {line} of file {number}\n" for line in range(_LINES)))
    git(place, "init", "-q", "-b", "trunk")
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", "begin")
    return place


def by_git(root: Path, place: Path, number: int) -> tuple[float, float]:
    """Seconds to make one and to remove it."""
    tree = place / f"git-{number}"
    began = now()
    git(root, "worktree", "add", "-q", "-b", f"own/{number}", "--", str(tree), "trunk")
    made = now()
    git(root, "worktree", "remove", "--", str(tree))
    return made - began, now() - made


async def by_bigtask(run: RunWorkspaces, number: int) -> tuple[float, float]:
    began = now()
    workspace = await run.acquire(f"task{number}", 1)
    made = now()
    assert workspace.path.is_dir()
    await run.release(f"task{number}", 1)
    return made - began, now() - made


async def measure(place: Path, files: int, times: int) -> dict[str, Any]:
    (place / "home").mkdir()
    (place / "own").mkdir()
    root = repository(place / "project", files)
    run = RunWorkspaces("bench", await examine(root), place / "home")
    await run.prepare()
    own: list[tuple[float, float]] = []
    ours: list[tuple[float, float]] = []
    for number in range(times + 1):
        own.append(await asyncio.to_thread(by_git, root, place / "own", number))
        ours.append(await by_bigtask(run, number))
    left = git(root, "worktree", "list").splitlines()
    # The first ones read what is on the disk.
    own, ours = own[1:], ours[1:]
    return {
        "git_add_ms": _median_ms(add for add, _ in own),
        "add_ms": _median_ms(add for add, _ in ours),
        "git_remove_ms": _median_ms(remove for _, remove in own),
        "remove_ms": _median_ms(remove for _, remove in ours),
        "git_whole_ms": _median_ms(map(sum, own)),
        "whole_ms": _median_ms(map(sum, ours)),
        "errors": [] if len(left) == 2 else [f"{len(left) - 2} worktrees are left over"],
    }


def _median_ms(taken: Any) -> float:
    return round(statistics.median(taken) * 1000, 2)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=5_000)
    parser.add_argument("--times", type=int, default=7)
    given = parser.parse_args()
    with scratch() as place:
        found = asyncio.run(measure(place, given.files, given.times))
    about = {"system": "bigtask", "variant": "whole", "version": version("bigtask"), "workload": "worktrees"}
    return tell({**about, "files": given.files, "times": given.times, **found})


if __name__ == "__main__":
    sys.exit(main())
