"""Giving up what is kept of a run without losing anybody's work."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from bigtask.agents.table import AgentTable
from bigtask.core.commands import require
from bigtask.core.ledger import output_files
from bigtask.core.run import Run
from bigtask.errors import BigtaskError, Conflict
from bigtask.host.access import hold
from bigtask.host.home import RunFolder
from bigtask.host.link import LocalLink
from bigtask.host.repositories import Repositories
from bigtask.workspaces import refs
from bigtask.workspaces.ports import PortBlocks

REMAINS = ".deleted"
"""Ends the name of a folder of which a crash has left a part."""


async def delete(folder: RunFolder, agents: AgentTable, *, branches: bool = False) -> None:
    """Everything that is kept of a run goes; with `branches` also what it has left in its repository, merged
    or not.

    Raises Conflict for a run that hasn't ended and, without `branches`, where its result or its uncommitted
    work would be lost; RunBusy while another process holds it. Then nothing is lost.
    """
    await _delete(folder, agents, branches=branches, over=True)


async def abandon(folder: RunFolder, agents: AgentTable, *, branches: bool) -> None:
    """As `delete`, of a run that needn't have ended."""
    await _delete(folder, agents, branches=branches, over=False)


async def _delete(folder: RunFolder, agents: AgentTable, *, branches: bool, over: bool) -> None:
    async with hold(folder, agents, who="a deletion", idle=True) as link:
        run = link.holder.run
        if over:
            require(run, "delete")
        if only_here(run) and not branches:
            raise Conflict("the result isn't merged and exists only with the run: merge it first")
        try:
            await _give_up(link)
            await _let_go_of_repository(link, folder, branches=branches)
        except BigtaskError as error:
            # The repository may be gone for good, and what has been said about its branches holds then too.
            if not branches or _reachable(run):
                raise Conflict(f"its workspaces can't be given up: {error}") from None
    PortBlocks(folder.ports).give_back(
        name for name in PortBlocks(folder.ports).names() if name.startswith(f"{folder.id}.")
    )
    gone = folder.path.with_name(folder.id + REMAINS)
    folder.path.rename(gone)
    remove_tree(gone)


async def give_up_workspaces(folder: RunFolder, agents: AgentTable) -> None:
    """Of a run that is over. Raises what `delete` raises."""
    async with hold(folder, agents, who="a cleaning", idle=True) as link:
        require(link.holder.run, "delete")
        await _give_up(link)


def empty_trash(folder: RunFolder, names: Sequence[str]) -> None:
    """The named folders of a run's trash go."""
    for name in names:
        remove_tree(folder.trash / name)


def only_here(run: Run) -> bool:
    """Whether the run's result is lost with what is kept of it."""
    return run.created.source.kind == "folder" and run.merged is None and bool(output_files(run))


async def _give_up(link: LocalLink) -> None:
    run = link.holder.run
    if run.started and run.settings.isolation != "none":
        await link.holder.hands.places.workspaces.give_up()


async def _let_go_of_repository(link: LocalLink, folder: RunFolder, *, branches: bool) -> None:
    run = link.holder.run
    if run.created.source.kind != "git" or not run.started or run.settings.isolation == "none":
        return
    repository, root = link.holder.hands.places.workspaces.repository, Path(run.created.source.root)
    if branches:
        await refs.delete(repository, run.id, own=folder.path)
    if await refs.kept(repository):
        Repositories(folder.home.repositories).remember(root)


def _reachable(run: Run) -> bool:
    return os.path.lexists(run.created.source.cwd)


def remove_tree(path: Path) -> None:
    """No link in it is followed; what agents have made unwritable goes as well, and what is gone already
    counts as removed. Raises OSError."""
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        if os.path.lexists(path):
            remove_tree(path)
    except PermissionError:
        for at, folders, _ in os.walk(path):
            for name in folders:
                inner = Path(at, name)
                if not inner.is_symlink():
                    inner.chmod(0o700)
        shutil.rmtree(path)
