"""What runs have left behind outside of their folders: branches of runs that are gone, records of worktrees
whose files are gone, and processes that nobody carries out any more."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bigtask.approvals import Approvals
from bigtask.core.run import Run
from bigtask.core.states import IllegalMove
from bigtask.errors import BigtaskError
from bigtask.host.access import read_run
from bigtask.host.home import Home, RunFolder
from bigtask.host.repositories import Repositories
from bigtask.process import proc
from bigtask.workspaces import refs
from bigtask.workspaces.source import Source, examine

_FIRST = 1
_SETTLED_S = 5.0
"""Somebody's short call of git isn't left over."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """The branches and other refs of a run in the repository at `root`."""

    run_id: str
    root: Path
    refs: Mapping[str, str]
    branches: int
    rescued: int


async def repositories(home: Home) -> AsyncIterator[Source]:
    """Every one that a run was started in and that can still be read."""
    roots = dict.fromkeys(Repositories(home.repositories).listed())
    for folder in home.folders():
        run = await _read(folder)
        if run is not None and run.created.source.kind == "git":
            roots[Path(run.created.source.root)] = None
    allowed = Approvals(home.approvals).allow_git
    for root in sorted(roots):
        try:
            found = await examine(root, allowed)
        except BigtaskError:
            continue
        if found.git_dir is not None:
            yield found


async def _read(folder: RunFolder) -> Run | None:
    try:
        return await read_run(folder)
    except (BigtaskError, IllegalMove, OSError):
        return None


async def kept_branches(home: Home) -> AsyncIterator[Left]:
    """Of all runs, also of those that are gone."""
    async for source in repositories(home):
        for run_id, kept in (await refs.kept(source.git)).items():
            yield Left(
                run_id=run_id,
                root=source.root,
                refs=kept.refs,
                branches=kept.branches,
                rescued=kept.rescued,
            )


async def branches_of(home: Home, given: str) -> Left | None:
    """Of one run, by its id or the end of it. None where there are none, or of several runs."""
    found = {left.run_id: left async for left in kept_branches(home) if left.run_id.endswith(given.lower())}
    return next(iter(found.values())) if len(found) == 1 else None


async def delete_branches(home: Home, run_id: str) -> None:
    """Raises Conflict where one of them is checked out."""
    own = home.runs / run_id
    async for source in repositories(home):
        await refs.delete(source.git, run_id, own=own)
        if not await refs.kept(source.git):
            Repositories(home.repositories).forget(source.root)


async def records(home: Home, *, lost: bool = False) -> AsyncIterator[tuple[Path, str]]:
    """The top of a repository, and the name of a worktree of ours in it; `lost`: whose files are gone."""
    runs = home.runs.resolve()
    async for source in repositories(home):
        assert source.common_dir is not None
        for name, at in _records(source.common_dir):
            if at.is_relative_to(runs) and not (lost and at.exists()):
                yield source.root, name


def _records(common_dir: Path) -> Iterator[tuple[str, Path]]:
    try:
        records = sorted((common_dir / "worktrees").iterdir())
    except OSError:
        return
    for record in records:
        try:
            yield record.name, Path((record / "gitdir").read_text().strip()).parent
        except (OSError, UnicodeDecodeError):
            continue


def processes(home: Home) -> list[int]:
    """What was started in a workspace of this home and has been running for a while, though whoever started
    it has ended: it has come to the system's first process. Nothing where the system has no `/proc`."""
    holders = {os.getpid(), *_holders(home)}
    runs = home.runs.resolve()
    return [
        pid
        for pid in proc.pids()
        if proc.tag(pid)
        and Path(proc.temporary_folder(pid)).is_relative_to(runs)
        and _orphaned(pid, holders)
        and _age_s(pid) > _SETTLED_S
    ]


def _orphaned(pid: int, holders: set[int]) -> bool:
    """In a container a holder can be the first process itself."""
    line = list(_line(pid))
    unmarked = next((above for above in line if not proc.tag(above)), _FIRST)
    return not holders & set(line) and (unmarked == _FIRST or _is_session_manager(unmarked))


def _is_session_manager(pid: int) -> bool:
    """Of a person's session, which takes over what nobody waits for there."""
    seen = proc.seen(pid)
    try:
        return (
            seen is not None
            and seen.parent == _FIRST
            and Path(f"/proc/{pid}/comm").read_text() == "systemd\n"
        )
    except OSError:
        return False


def _holders(home: Home) -> Iterator[int]:
    for folder in home.folders():
        try:
            yield int(json.loads(folder.lock.read_text())["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            continue


def _line(pid: int) -> Iterator[int]:
    """The process and those that it descends from."""
    while pid > 0:
        yield pid
        seen = proc.seen(pid)
        pid = seen.parent if seen is not None else 0


def _age_s(pid: int) -> float:
    seen = proc.seen(pid)
    if seen is None:
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - seen.started / os.sysconf("SC_CLK_TCK")
