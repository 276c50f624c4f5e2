"""Forgetting a run without losing anybody's work."""

from __future__ import annotations

import shutil

from bigtask.agents.table import AgentTable
from bigtask.core.commands import require
from bigtask.core.ledger import output_files
from bigtask.errors import Conflict
from bigtask.host.access import hold
from bigtask.host.home import RunFolder


async def delete(folder: RunFolder, agents: AgentTable) -> None:
    """Raises Conflict for a run that hasn't ended, or whose result exists only in its folder; RunBusy while
    another process holds it. Branches in the person's repository stay."""
    async with hold(folder, agents, who="a deletion", idle=True) as link:
        run = link.holder.run
        require(run, "delete")
        only_here = run.created.source.kind == "folder" and run.merged is None and output_files(run)
        if only_here:
            raise Conflict("the result isn't merged and exists only with the run: merge it first")
        if run.started and run.settings.isolation != "none":
            await link.holder.hands.workspaces.give_up()
    gone = folder.path.with_name(f"{folder.id}.deleted")
    folder.path.rename(gone)
    shutil.rmtree(gone)
