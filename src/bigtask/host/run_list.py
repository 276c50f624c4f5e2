"""Runs in a few words, page by page, newest first."""

from __future__ import annotations

import time
from itertools import dropwhile

from bigtask.agents.table import AgentTable
from bigtask.core.states import Status
from bigtask.core.status import status as status_of
from bigtask.core.summary import Summary, summary
from bigtask.core.values import Value
from bigtask.errors import BigtaskError, InvalidInput
from bigtask.host.accounts import account_of
from bigtask.host.custody import Custody, goes_on
from bigtask.host.home import Home, RunFolder, is_run_id


class Unreadable(Value):
    id: str
    error: str


class RunPage(Value, omit_defaults=False):
    """`cursor` is the last run of the page, by which the next one is asked for; None where none follows.
    `unreadable` are runs whose log can't be read."""

    runs: tuple[Summary, ...]
    unreadable: tuple[Unreadable, ...]
    cursor: str | None


async def page_of(
    home: Home,
    custody: Custody,
    agents: AgentTable,
    *,
    status: Status | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> RunPage:
    """Raises InvalidInput for a cursor that no page gave."""
    folders = home.folders()
    if cursor is not None:
        if not is_run_id(cursor):
            raise InvalidInput("that cursor isn't one: begin without it, then use the one of the last answer")
        # Ids sort by time; the run itself may be gone by now.
        folders = dropwhile(lambda folder: folder.id >= cursor, folders)
    runs: list[Summary] = []
    unreadable: list[Unreadable] = []
    accounts: dict[str, str | None] = {}
    for folder in folders:
        if len(runs) == limit:
            return RunPage(runs=tuple(runs), unreadable=tuple(unreadable), cursor=runs[-1].id)
        try:
            run = await custody.run(folder)
            held = custody.is_held(folder)
        except (BigtaskError, OSError) as error:
            unreadable.append(Unreadable(id=folder.id, error=str(error)))
            continue
        if status is not None and status_of(run) is not status:
            continue
        agent = run.settings.agent
        if agent not in accounts:
            accounts[agent] = account_of(agents, agent)
        runs.append(summary(run, now=_now(), held=held, account=accounts[agent]))
    return RunPage(runs=tuple(runs), unreadable=tuple(unreadable), cursor=None)


async def summary_of(folder: RunFolder, custody: Custody, agents: AgentTable) -> Summary:
    run = await custody.run(folder)
    account = account_of(agents, run.settings.agent)
    return summary(run, now=_now(), held=custody.is_held(folder), account=account)


async def unattended(home: Home, custody: Custody) -> int:
    """How many runs have begun, haven't ended and don't rest, while nobody carries them out."""
    found = 0
    for folder in home.folders():
        try:
            found += goes_on(await custody.run(folder)) and not custody.is_held(folder)
        except (BigtaskError, OSError):
            continue
    return found


def _now() -> float:
    return time.time() * 1000
