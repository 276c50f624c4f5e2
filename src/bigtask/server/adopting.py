"""Runs that the server carries out because another process has asked it to: they go on when that one ends."""

from __future__ import annotations

import asyncio
import os

from bigtask.errors import BigtaskError
from bigtask.host.home import RunFolder
from bigtask.host.lock import reading
from bigtask.server.asking import ask_leader
from bigtask.server.credentials import folder_of
from bigtask.server.leader import leader
from bigtask.sink import log

VARIABLE = "BIGTASK_SERVER"
"""Set to `off`, commands carry runs out themselves, also where a server runs."""


async def adopted(folder: RunFolder) -> bool:
    """Whether a server has taken the run up, which nobody carried out. One that can't is no reason not to
    begin."""
    found = leader(folder_of(folder.home))
    if os.environ.get(VARIABLE) == "off" or found is None:
        return False
    with reading(folder.lock) as free:
        if not free:
            return False
    path = f"/api/orchestrator/{folder.id}/adopt"
    try:
        await asyncio.to_thread(ask_leader, folder.home, "POST", path)
    except BigtaskError as error:
        log("OrchestratorManager").info("carried out by this process: %s", error)
        return False
    log("OrchestratorManager").info("%s carries the run out, and goes on when this ends", found.url)
    return True
