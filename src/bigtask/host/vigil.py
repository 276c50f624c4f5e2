"""Looks at what governs git before and after each attempt, and says what changed in between."""

from __future__ import annotations

from collections.abc import Callable

from bigtask.core import observations as o
from bigtask.errors import BigtaskError
from bigtask.sink import log
from bigtask.workspaces.integrity import Changes, Integrity


class Vigil:
    """Without an `integrity`, where there is no repository to look at, nothing ever changes."""

    def __init__(self, integrity: Integrity | None) -> None:
        self._integrity = integrity

    async def begin(self, task_id: str, number: int) -> None:
        """Raises `GitError`."""
        if self._integrity is not None:
            await self._integrity.begin(task_id, number)

    async def held(self, task_id: str, number: int, tell: Callable[[o.Observation], None]) -> tuple[str, ...]:
        """The changes that hold the attempt's work back, as sentences; empty where nothing does. Changes that
        are only worth noting are told.

        An attempt is compared once. Where something holds it back, it is compared at every call until
        `forget`.
        """
        if self._integrity is None:
            return ()
        changes = await self._changes(self._integrity, task_id, number)
        if changes.noted:
            tell(o.Tampered(task_id=task_id, attempt=number, changed=changes.noted, held=False))
        if not changes.held:
            self.forget(task_id, number)
        return changes.held

    def forget(self, task_id: str, number: int) -> None:
        """The attempt isn't compared again: it has been looked at, and what was found is recorded."""
        if self._integrity is not None:
            self._integrity.forget(task_id, number)

    async def _changes(self, integrity: Integrity, task_id: str, number: int) -> Changes:
        try:
            return await integrity.changes(task_id, number)
        except BigtaskError as error:
            log("WorkerManager").warning("%s %d can't be compared: %s", task_id, number, error)
            return Changes(held=("something that can't be read any more",))
