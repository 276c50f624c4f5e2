"""What runs have left in a repository besides files: their branches and refs, found by name, and removed only
where somebody says so."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bigtask.errors import Conflict
from bigtask.workspaces import names
from bigtask.workspaces.git import Git

_PLACES = ("refs/heads/bigtask", "refs/bigtask")


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Of one run. `refs` are full names with the ids that they point to."""

    refs: Mapping[str, str]

    @property
    def branches(self) -> int:
        return sum(name.startswith("refs/heads/") for name in self.refs)

    @property
    def rescued(self) -> int:
        return sum(name.startswith("refs/bigtask/rescue/") for name in self.refs)


async def kept(git: Git) -> dict[str, Kept]:
    """By the ids of runs, as their names say; refs that aren't called like ours are nobody's here."""
    found: dict[str, dict[str, str]] = {}
    for name, commit in (await git.refs(*_PLACES)).items():
        run_id = names.run_of(name)
        if run_id is not None:
            found.setdefault(run_id, {})[name] = commit
    return {run_id: Kept(refs=refs) for run_id, refs in found.items()}


async def delete(git: Git, run_id: str, *, own: Path) -> int:
    """Deletes all of the run's, in one step, and says how many. `own` is where the run's worktrees lie.

    Raises Conflict, and deletes nothing, where one of the branches is checked out elsewhere.
    """
    found = (await kept(git)).get(run_id)
    if found is None:
        return 0
    listed = os.fsdecode((await git.call("worktree", "list", "--porcelain", "-z")).stdout)
    at = Path()
    for entry in listed.split("\0"):
        kind, _, value = entry.partition(" ")
        if kind == "worktree":
            at = Path(value)
        elif kind == "branch" and value in found.refs and not at.is_relative_to(own):
            branch = value.removeprefix("refs/heads/")
            raise Conflict(f"{branch} is checked out in {at}: check another branch out there first")
    orders = "".join(f"delete {name} {commit}\n" for name, commit in found.refs.items())
    await git.call("update-ref", "--stdin", input=orders.encode())
    return len(found.refs)
