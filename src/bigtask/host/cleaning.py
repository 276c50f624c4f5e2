"""What runs take of the disk, and the removal of what rules or a person name. To repeat it is harmless."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bigtask.agents.table import AgentTable
from bigtask.configuration.files import user_layer
from bigtask.configuration.layers import of_environment, require_fit
from bigtask.configuration.resolution import resolve
from bigtask.core.states import IllegalMove
from bigtask.errors import BigtaskError, NotFound
from bigtask.host import strays
from bigtask.host.access import read_run
from bigtask.host.home import Home, RunFolder, is_run_id
from bigtask.host.removal import REMAINS, delete, empty_trash, give_up_workspaces, only_here, remove_tree
from bigtask.host.retention import Discarded, Removal, Rules, Seen, What, due
from bigtask.sink import log
from bigtask.workspaces.disk_use import used_bytes
from bigtask.workspaces.ports import PortBlocks

_DAY_MS = 86_400_000
_UNFINISHED = ".new"
_UNFINISHED_AFTER_S = 3_600.0
"""A run is made in a moment: what is so old was cut off."""


def rules(environ: Mapping[str, str]) -> Rules:
    """What is in force on this machine. Raises InvalidInput with every problem of the environment and of the
    person's own file."""
    layers = (of_environment(environ), user_layer(environ))
    require_fit(layers)
    settings = resolve(layers)
    return Rules(
        runs=settings["keepRuns"].value,
        days=settings["keepDays"].value,
        gib=settings["keepGib"].value,
        trash_days=settings["keepTrashDays"].value,
    )


async def look(folders: Iterable[RunFolder]) -> list[Seen]:
    """In the order given."""
    return [await _seen(folder) for folder in folders]


async def _seen(folder: RunFolder) -> Seen:
    try:
        run = await read_run(folder)
    except (BigtaskError, IllegalMove, OSError):
        # What can't be read isn't known to be over.
        return Seen(id=folder.id, ended_at=None, rest=await asyncio.to_thread(used_bytes, folder.path))
    return Seen(
        id=folder.id,
        ended_at=run.updated_at if run.outcome is not None else None,
        only_here=only_here(run),
        **await asyncio.to_thread(_measured, folder),
    )


def _measured(folder: RunFolder) -> dict[str, Any]:
    workspaces = sum(used_bytes(path) for path in (folder.workspaces, folder.path / "tmp") if _filled(path))
    trash = []
    for path in sorted(folder.trash.iterdir()) if folder.trash.is_dir() else ():
        since = int(path.lstat().st_mtime * 1000)
        trash.append(Discarded(name=path.name, since=since, used=used_bytes(path)))
    whole = used_bytes(folder.path)
    return {
        "workspaces": workspaces,
        "trash": tuple(trash),
        "rest": max(whole - workspaces - sum(each.used for each in trash), 0),
    }


def _filled(path: Path) -> bool:
    return path.is_dir() and any(path.iterdir())


async def carry_out(home: Home, agents: AgentTable, removal: Removal, *, branches: bool = False) -> None:
    """Removes what `removal` names. With `branches` what a whole run has left in its repository goes too,
    also when the run itself is gone.

    Raises BigtaskError, such as RunBusy, and OSError; then nobody's work is lost.
    """
    try:
        folder = home.find(removal.id)
    except NotFound:
        if branches:
            await strays.delete_branches(home, removal.id)
        return
    match removal.what:
        case What.RUN:
            await delete(folder, agents, branches=branches)
        case What.WORKSPACES:
            await give_up_workspaces(folder, agents)
        case What.TRASH:
            await asyncio.to_thread(empty_trash, folder, removal.names)


async def now_and_then(home: Home, agents: AgentTable, environ: Mapping[str, str]) -> list[Removal]:
    """What is due by the rules, at most once a day; workspaces only of runs that ended a day ago, since they
    may still be looked at. Returns what went. What can't go is no reason not to begin something else."""
    if not _next_day(home):
        return []
    now, done = int(time.time() * 1000), []
    seen = {run.id: run for run in await look(home.folders())}
    for removal in due(seen.values(), rules(environ), now):
        ended_at = seen[removal.id].ended_at
        assert ended_at is not None
        if removal.what is What.WORKSPACES and now - ended_at < _DAY_MS:
            continue
        try:
            await carry_out(home, agents, removal)
            done.append(removal)
        except (BigtaskError, OSError) as error:
            log("OrchestratorManager").info("%s of run %s stays: %s", removal.what, removal.id, error)
    return done


def _next_day(home: Home) -> bool:
    """Whether this is the first time today that anybody asks."""
    stamp = home.path / "cleaned"
    try:
        if time.time() - stamp.stat().st_mtime < _DAY_MS / 1000:
            return False
    except FileNotFoundError:
        pass
    try:
        stamp.touch()
    except OSError:
        return False  # such as a full disk, which is told elsewhere
    return True


def remains(home: Home) -> Iterator[Path]:
    """Folders of runs that were being removed, or made, when bigtask was killed."""
    with suppress(FileNotFoundError):
        for path in sorted(home.runs.iterdir()):
            id, dot, kind = path.name.partition(".")
            if not is_run_id(id) or path.is_symlink():
                continue
            if dot + kind == REMAINS or (dot + kind == _UNFINISHED and _old(path)):
                yield path


def _old(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > _UNFINISHED_AFTER_S


async def remove_remains(home: Home) -> None:
    """Removes half-made and half-removed run folders, and what is kept for runs that are gone."""
    known = {folder.id for folder in home.folders()}
    ports = PortBlocks(home.ports)
    ports.give_back(name for name in ports.names() if name.partition(".")[0] not in known)
    for path in list(remains(home)):
        await asyncio.to_thread(remove_tree, path)
