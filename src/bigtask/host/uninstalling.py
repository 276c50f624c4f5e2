"""Everything that bigtask has put on this machine, found by its own records, and its removal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bigtask.agents.table import AgentTable
from bigtask.configuration.files import user_path
from bigtask.errors import BigtaskError, Conflict
from bigtask.host import cleaning, removal, strays
from bigtask.host.access import read_run
from bigtask.host.home import Home, RunFolder
from bigtask.host.lock import holder_of, reading
from bigtask.workspaces.disk_use import used_bytes

_OURS = frozenset(
    {
        "runs",
        "answers.json",
        "approvals.json",
        "approvals.lock",
        "ports.json",
        "ports.lock",
        "repositories.json",
        "repositories.lock",
        "cleaned",
    }
)
"""What lies in a home. Other things there aren't ours to remove."""


@dataclass(frozen=True, kw_only=True)
class Worktree:
    root: Path
    name: str


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """`home` is None where there is none; `persons` are files and folders that the person wrote."""

    home: Path | None
    used: int
    runs: tuple[RunFolder, ...]
    worktrees: tuple[Worktree, ...]
    branches: tuple[strays.Left, ...]
    persons: tuple[Path, ...]
    held: tuple[str, ...]
    only_here: tuple[str, ...]

    @property
    def anything(self) -> bool:
        return self.home is not None or bool(self.branches) or bool(self.worktrees)


async def inventory(home: Home, environ: Mapping[str, str]) -> Inventory:
    """Looks, and changes nothing."""
    folders = tuple(home.folders())
    held, only_here = [], []
    for folder in folders:
        with reading(folder.lock) as free:
            if not free:
                held.append(f"{folder.id} by {holder_of(folder.lock)}")
        try:
            if removal.only_here(await read_run(folder)):
                only_here.append(folder.id)
        except (BigtaskError, OSError):
            # What can't be read can't be known to be merged.
            if (folder.path / "shadow.git").exists():
                only_here.append(folder.id)
    persons = [path for path in (user_path(environ), home.templates) if path.exists()]
    there = home.path.exists() and any(path.name in _OURS for path in home.path.iterdir())
    return Inventory(
        home=home.path if there else None,
        used=await asyncio.to_thread(used_bytes, home.path),
        runs=folders,
        worktrees=tuple([Worktree(root=root, name=name) async for root, name in strays.records(home)]),
        branches=tuple([left async for left in strays.kept_branches(home)]),
        persons=tuple(persons),
        held=tuple(held),
        only_here=tuple(only_here),
    )


def require_possible(found: Inventory, *, branches: bool) -> None:
    """Raises Conflict where somebody is at work, or where unmerged work would be lost without a word."""
    if found.held:
        raise Conflict(f"the run {found.held[0]} is being carried out: pause or cancel it first")
    if found.only_here and not branches:
        raise Conflict(
            f"the result of run {found.only_here[0]} exists only in {found.home}: merge it first, or say "
            "--branches to lose it"
        )


async def carry_out(
    home: Home, agents: AgentTable, found: Inventory, *, branches: bool
) -> list[tuple[str, str]]:
    """What stayed, and why. What isn't committed in a workspace is rescued before that goes."""
    stayed: list[tuple[str, str]] = []
    for folder in found.runs:
        try:
            await removal.abandon(folder, agents, branches=branches)
        except (BigtaskError, OSError) as error:
            stayed.append((str(folder.path), str(error)))
    if branches:
        for left in found.branches:
            try:
                await strays.delete_branches(home, left.run_id)
            except BigtaskError as error:
                stayed.append((f"what run {left.run_id} left in {left.root}", str(error)))
    if stayed:
        return stayed
    await cleaning.remove_remains(home)
    for name in sorted(_OURS):
        path = home.path / name
        if path.is_dir() and not path.is_symlink():
            await asyncio.to_thread(removal.remove_tree, path)
        else:
            path.unlink(missing_ok=True)
    if home.path.is_dir() and not any(home.path.iterdir()):
        home.path.rmdir()
    return stayed


def as_json(found: Inventory) -> dict[str, Any]:
    return {
        "home": str(found.home) if found.home is not None else None,
        "bytes": found.used,
        "runs": [folder.id for folder in found.runs],
        "worktrees": [{"repository": str(one.root), "name": one.name} for one in found.worktrees],
        "branches": [
            {"repository": str(left.root), "runId": left.run_id, "refs": sorted(left.refs)}
            for left in found.branches
        ],
        "yours": [str(path) for path in found.persons],
        "heldRuns": list(found.held),
        "onlyHere": list(found.only_here),
    }
