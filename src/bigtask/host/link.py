"""The way to a run: the same requests whether this process holds it or another one does.

program ──> RunLink ──┬── LocalLink ───────────────────────────> Holder
                      └── SocketLink ══ unix socket ══ serve ──> Holder
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any, Protocol

import msgspec

from bigtask.core.commands import AnyCommand
from bigtask.core.events import Event, Merged
from bigtask.core.run import Run
from bigtask.core.status import status
from bigtask.errors import Conflict
from bigtask.host.holder import Holder
from bigtask.workspaces.changes import FileChange
from bigtask.workspaces.forecast import Forecast
from bigtask.workspaces.run_workspaces import RunWorkspaces


def named(command: AnyCommand) -> AnyCommand:
    """The command with a name, a new one if it has none. A named command may be asked again when its answer
    got lost, of whoever holds the run by then: it is carried out once."""
    return command if command.id else msgspec.structs.replace(command, id=secrets.token_hex(8))


class RunLink(Protocol):
    @property
    def held_here(self) -> bool: ...

    async def ask(self, command: AnyCommand) -> int:
        """Returns the sequence number by which it is done and on the disk. Raises HolderGone when nobody
        answers any more: whether it was done isn't known then, and a `named` one may be asked again."""

    def follow(self, after: int = 0, *, stay: bool = True) -> AsyncIterator[Event]:
        """Events in order from `after` on, without `stay` only those that are there by now. Ends when the
        run isn't carried out any more; raises HolderGone when its holder died."""

    async def say(self, task_id: str, text: str) -> None: ...

    async def pause_task(self, task_id: str) -> None: ...

    async def merge(self, *, by: str = "") -> dict[str, Any]:
        """To repeat it changes nothing, and says `already`."""

    async def foresee_merge(self) -> Forecast:
        """What `merge` would do now, also of a run that hasn't ended. Changes nothing."""

    async def undo_merge(self, *, by: str = "") -> dict[str, Any]: ...

    async def diff(self, task_id: str | None = None) -> str: ...

    async def changes(self, task_id: str | None = None) -> tuple[FileChange, ...]:
        """The files that `diff` is about, all of them."""


class LocalLink:
    held_here = True

    def __init__(self, holder: Holder) -> None:
        self.holder = holder

    async def ask(self, command: AnyCommand) -> int:
        return await self.holder.ask(command)

    def follow(self, after: int = 0, *, stay: bool = True) -> AsyncIterator[Event]:
        return self.holder.feed.follow(after, stay=stay)

    async def say(self, task_id: str, text: str) -> None:
        if not await self.holder.hands.say(task_id, text):
            raise Conflict(f"{task_id} has no open session to say something to")

    async def pause_task(self, task_id: str) -> None:
        if task_id not in self.holder.run.live:
            raise Conflict(f"{task_id} isn't at work")
        self.holder.hands.interrupt(task_id)

    async def merge(self, *, by: str = "") -> dict[str, Any]:
        _require_end(self.holder.run)
        applied = await self._workspaces.apply_result()
        files = tuple(change.path for change in applied.files)
        if not applied.already:
            await self.holder.record(Merged(commit=applied.commit, files=files, by=by))
        return {"commit": applied.commit, "files": list(files), "already": applied.already}

    async def foresee_merge(self) -> Forecast:
        return await self._workspaces.foresee_apply()

    async def undo_merge(self, *, by: str = "") -> dict[str, Any]:
        undone = await self._workspaces.undo_apply()
        files = tuple(change.path for change in undone.files)
        await self.holder.record(Merged(commit=undone.commit, files=files, undone=True, by=by))
        return {"commit": undone.commit, "files": list(files)}

    async def diff(self, task_id: str | None = None) -> str:
        return (await self._workspaces.diff(task_id)).decode(errors="replace")

    async def changes(self, task_id: str | None = None) -> tuple[FileChange, ...]:
        return await self._workspaces.changes(task_id)

    @property
    def _workspaces(self) -> RunWorkspaces:
        return self.holder.hands.places.workspaces


def _require_end(run: Run) -> None:
    if run.outcome is None:
        raise Conflict("the run hasn't ended yet: merge when it has, or cancel it first", status=status(run))
