"""Runs page by page, newest first."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import dropwhile

from bigtask.core.states import Status
from bigtask.core.status import status as status_of
from bigtask.errors import BigtaskError, InvalidInput
from bigtask.host.home import is_run_id
from bigtask.server.accounts import account_of
from bigtask.server.parts import Parts
from bigtask.server.summary import Summary, summary


@dataclass(kw_only=True)
class RunList:
    """`cursor` is the last run of the page; None where none follows."""

    runs: list[Summary] = field(default_factory=list)
    unreadable: list[dict[str, str]] = field(default_factory=list)
    cursor: str | None = None


async def page_of(parts: Parts, *, status: Status | None, limit: int, cursor: str | None) -> RunList:
    """Raises InvalidInput for a cursor that no answer gave."""
    folders = parts.home.folders()
    if cursor is not None:
        if not is_run_id(cursor):
            raise InvalidInput("that cursor isn't one: begin without it, then use the one of the last answer")
        # Ids sort by time; the run itself may be gone by now.
        folders = dropwhile(lambda folder: folder.id >= cursor, folders)
    found = RunList()
    accounts: dict[str, str | None] = {}
    for folder in folders:
        if len(found.runs) == limit:
            found.cursor = found.runs[-1].id
            break
        try:
            run = await parts.custody.run(folder)
            held = parts.custody.is_held(folder)
        except (BigtaskError, OSError) as error:
            found.unreadable.append({"id": folder.id, "error": str(error)})
            continue
        if status is not None and status_of(run) is not status:
            continue
        agent = run.settings.agent
        if agent not in accounts:
            accounts[agent] = account_of(parts.agents, agent)
        found.runs.append(summary(run, held=held, account=accounts[agent]))
    return found


async def unattended(parts: Parts) -> int:
    """How many runs have begun, haven't ended and don't rest, while nobody carries them out."""
    found = 0
    for folder in parts.home.folders():
        try:
            run = await parts.custody.run(folder)
            begun = run.started and run.outcome is None and not run.paused
            found += begun and not parts.custody.is_held(folder)
        except (BigtaskError, OSError):
            continue
    return found
