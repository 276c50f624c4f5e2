"""Getting at a run: become its holder, reach the one that it has, or read what is recorded."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path
from typing import TypeVar

from bigtask.agents.table import AgentTable
from bigtask.approvals import Approvals
from bigtask.core.events import Event
from bigtask.core.evolve import fold
from bigtask.core.run import Run
from bigtask.errors import BigtaskError, HolderGone, RunBusy, StoreError
from bigtask.host.faults import steps_from, watch_from
from bigtask.host.governing import governor_of
from bigtask.host.hands import Hands
from bigtask.host.holder import Holder
from bigtask.host.home import RunFolder
from bigtask.host.link import LocalLink, RunLink
from bigtask.host.lock import Lock, holder_of, reading
from bigtask.host.log import SqliteLog, read_closed
from bigtask.host.log_file import looking
from bigtask.host.mounts import require_local
from bigtask.host.nesting import Handed
from bigtask.host.preparation import Preparation
from bigtask.host.snapshot import SnapshotLog, restored
from bigtask.host.socket import SocketLink, serve
from bigtask.host.standing_answers import StandingAnswers
from bigtask.host.transcript import Transcripts
from bigtask.host.trust import TrustGate
from bigtask.host.vigil import Vigil
from bigtask.kept_answers import KeptAnswers
from bigtask.process import Identity, reconcile, warden
from bigtask.secrecy import Secrecy, of_environment
from bigtask.sink import log
from bigtask.templates.template import thaw
from bigtask.workspaces.ports import PortBlocks
from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.source import examine

_PATIENCE_S = 3.0
_PAUSE_S = 0.05


@asynccontextmanager
async def hold(
    folder: RunFolder, agents: AgentTable, *, who: str, idle: bool = False, handed: Handed | None = None
) -> AsyncIterator[LocalLink]:
    """Carries the run out while the block runs. Raises RunBusy, naming the process that does already.

    Leaving the block ends the attempts under way; whoever holds the run next finds them lost and goes on.
    An `idle` holder takes commands and records them, but starts nothing: to pause must not begin to spend.
    `handed` are variables for the sessions of attempts.
    """
    require_local(folder.path)
    async with AsyncExitStack() as stack:
        await _lock(stack, folder, who)
        file = SqliteLog(folder.log, watch=watch_from(os.environ))
        stack.push_async_callback(file.close)
        found = await file.do(lambda connection: restored(connection, folder.id))
        if found is None:
            raise _never_made(folder)
        run, kept = found
        snapshots = SnapshotLog(file, run, kept=kept)
        secrecy = Secrecy(of_environment(os.environ))
        hands = await _hands(stack, run, folder, agents, secrecy, handed)
        holder = Holder(run, snapshots, hands, idle=idle, secrecy=secrecy)
        await stack.enter_async_context(_guarded(hands, idle=idle))
        await stack.enter_async_context(serve(holder, folder.socket))
        async with _carrying_out(holder, snapshots, folder):
            yield LocalLink(holder)


async def _lock(stack: AsyncExitStack, folder: RunFolder, who: str) -> None:
    lock = Lock.take(folder.lock, who=who)
    stack.callback(lock.release)
    if lock.before is not None:
        await _end_what_is_left(lock.before)


async def _hands(
    stack: AsyncExitStack,
    run: Run,
    folder: RunFolder,
    agents: AgentTable,
    secrecy: Secrecy,
    handed: Handed | None,
) -> Hands:
    transcripts = Transcripts(folder.transcripts, secrecy)
    stack.callback(transcripts.close)
    governor = governor_of(folder.home, os.environ)
    stack.callback(governor.close)
    template = thaw(run.created.template)
    workspaces = await _workspaces(run, folder)
    return Hands(
        run,
        folder,
        template,
        agents,
        workspaces,
        transcripts,
        preparation=Preparation(run, folder.path, transcripts.redact),
        vigil=Vigil(workspaces.integrity if isinstance(workspaces, RunWorkspaces) else None),
        trust=TrustGate(run, Approvals(folder.home.approvals), folder.home.path),
        governor=governor,
        standing=StandingAnswers(run, KeptAnswers(folder.home.permissions)),
        handed=handed,
        redact=secrecy.text,
    )


@asynccontextmanager
async def _carrying_out(holder: Holder, snapshots: SnapshotLog, folder: RunFolder) -> AsyncIterator[None]:
    # No task group: what the block raises has to arrive as it is.
    carrying = asyncio.create_task(holder.carry_out(), name=f"holder of {folder.id}")
    try:
        yield
        await holder.let_hooks_end()
    finally:
        holder.close()
        await carrying
        snapshots.keep_last()


async def _end_what_is_left(before: Identity) -> None:
    """The last holder was killed: what it started would go on writing beside what is started now."""
    found = await reconcile([before])
    for pid in found.left:
        log("OrchestratorManager").warning("process %s of the last holder can't be ended", pid)


def _guarded(hands: Hands, *, idle: bool) -> AbstractAsyncContextManager[object]:
    """Git runs without a keeper of its own. Where it is used, a warden ends it if this process is killed."""
    return nullcontext() if idle or not (hands.places.isolated and hands.places.reachable) else warden()


async def _workspaces(run: Run, folder: RunFolder) -> RunWorkspaces | BigtaskError:
    """A run whose project has gone can still be looked at, paused and cancelled."""
    try:
        allowed = Approvals(folder.home.approvals).allow_git
        found = await examine(Path(run.created.source.cwd), allowed)
        return RunWorkspaces(
            run.id, found, folder.path, ports=PortBlocks(folder.ports), watch=steps_from(os.environ)
        )
    except BigtaskError as error:
        return error


@asynccontextmanager
async def attach(
    folder: RunFolder, agents: AgentTable, *, who: str, idle: bool = False, handed: Handed | None = None
) -> AsyncIterator[RunLink]:
    """The run's holder, or this process as the holder (with `idle`: an idle one) when there is none."""
    async with AsyncExitStack() as stack:
        yield await _patiently(lambda: _attach(stack, folder, agents, who, idle, handed), folder)


async def _attach(
    stack: AsyncExitStack, folder: RunFolder, agents: AgentTable, who: str, idle: bool, handed: Handed | None
) -> RunLink | None:
    try:
        return await stack.enter_async_context(hold(folder, agents, who=who, idle=idle, handed=handed))
    except RunBusy:
        link = SocketLink(folder.socket)
        return link if await link.answers() else None


async def read(folder: RunFolder) -> list[Event]:
    """Everything that is recorded by now. Raises NotFound, NewerSchema or StoreError."""
    return await _patiently(lambda: _read(folder), folder)


async def _read(folder: RunFolder) -> list[Event] | None:
    with reading(folder.lock) as free:
        if free:
            return read_closed(folder.log)
    try:
        return [event async for event in SocketLink(folder.socket).follow(stay=False)]
    except HolderGone:
        return None


async def read_run(folder: RunFolder) -> Run:
    """The state by now. Raises NotFound, NewerSchema or StoreError."""
    return await _patiently(lambda: _read_run(folder), folder)


async def _read_run(folder: RunFolder) -> Run | None:
    with reading(folder.lock) as free:
        if free:
            with looking(folder.log) as connection:
                found = restored(connection, folder.id) if connection is not None else None
            if found is None:
                raise _never_made(folder)
            return found[0]
    events = await _read(folder)
    return fold(folder.id, events) if events else None


def _never_made(folder: RunFolder) -> StoreError:
    return StoreError(f"{folder.log} is empty: its run was never made whole; delete {folder.path}")


T = TypeVar("T")


async def _patiently(attempt: Callable[[], Awaitable[T | None]], folder: RunFolder) -> T:
    """A holder that is just beginning or ending has the lock, but doesn't answer for a moment."""
    deadline = asyncio.get_running_loop().time() + _PATIENCE_S
    while True:
        found = await attempt()
        if found is not None:
            return found
        if asyncio.get_running_loop().time() > deadline:
            raise RunBusy(
                f"the run is held by {holder_of(folder.lock)}, which doesn't answer: wait, or end it"
            )
        await asyncio.sleep(_PAUSE_S)
