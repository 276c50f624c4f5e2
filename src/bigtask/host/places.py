"""Where sessions, checks and hooks of a run work: looked up or made, and ready for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path, PurePosixPath

from bigtask.core import observations as o
from bigtask.core.phases.intake import includes_changes
from bigtask.core.run import Attempt, Run
from bigtask.core.values import AGGREGATION, ANALYSIS, PLANNING, RESERVED
from bigtask.errors import BigtaskError, NotFound
from bigtask.host.home import RunFolder
from bigtask.host.integration import strategy_of
from bigtask.host.preparation import Preparation
from bigtask.sink import log
from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.values import Begun, Workspace


class Places:
    """Without a `preparation` workspaces are used as they are. `workspaces` may be why there are none: the
    project can't be reached any more, which most methods raise."""

    def __init__(
        self,
        run: Run,
        folder: RunFolder,
        workspaces: RunWorkspaces | BigtaskError,
        preparation: Preparation | None,
    ) -> None:
        self._run = run
        self._folder = folder
        self._workspaces = workspaces
        self._preparation = preparation
        self._preparing = asyncio.Lock()
        self._prepared = False
        self._words = log("WorkerManager")

    @property
    def workspaces(self) -> RunWorkspaces:
        if isinstance(self._workspaces, BigtaskError):
            raise self._workspaces
        return self._workspaces

    @property
    def isolated(self) -> bool:
        """Whether what attempts write is apart from the project."""
        return self._run.settings.isolation != "none"

    @property
    def reachable(self) -> bool:
        return isinstance(self._workspaces, RunWorkspaces)

    async def prepare(self) -> None:
        """Makes the integration branch and its workspace; every call but the first does nothing."""
        async with self._preparing:
            if not self._prepared:
                settings = self._run.settings
                await self.workspaces.prepare(base=settings.base, include_changes=includes_changes(self._run))
                self._prepared = True

    async def ready(
        self, task_id: str, number: int, say: Callable[[str], None], *, resumed: bool
    ) -> Workspace | o.Unprepared:
        """An attempt's, with all that work in it needs, or what is in the way. `say` takes what a set-up
        prints; `resumed` where an interrupted session goes on in it."""
        preparation = self._preparation
        if preparation is None or not self.isolated or task_id in (ANALYSIS, PLANNING):
            return await self._of_attempt(task_id, number, resumed=resumed)
        unprepared = await preparation.room(task_id, number)
        if unprepared is not None:
            return unprepared
        workspace = await self._of_attempt(task_id, number, resumed=resumed)
        unprepared = await preparation.prepare(task_id, number, workspace, self.workspaces, say)
        return unprepared or workspace

    async def begun(self, task_id: str, attempt: Attempt) -> Begun:
        """The merge that the attempt brings to its end, in its workspace."""
        strategy = strategy_of(self._run, attempt)
        return await self.workspaces.begin_merge(task_id, attempt.number, strategy, work=attempt.resolves)

    async def of_checks(self) -> Workspace | None:
        """Where what is merged is checked, with what its commands need; None where that can't be had."""
        workspace = await self._of_integration()
        if self._preparation is None:
            return workspace
        quiet: list[str] = []
        unprepared = await self._preparation.prepare(AGGREGATION, 1, workspace, self.workspaces, quiet.append)
        if unprepared is not None:
            self._words.warning("what is merged isn't checked again: %s", unprepared.reason)
            return None
        return workspace

    async def of_hooks(self) -> Workspace:
        """At its top, wherever below that the run was started: a template names its programs from there."""
        if self.isolated:
            await self.prepare()
            workspace = await self.workspaces.beside()
        else:
            workspace = self._project
        top = workspace.path
        for _ in PurePosixPath(self._run.created.source.prefix).parts:
            top = top.parent
        return replace(workspace, path=top)

    async def _of_attempt(self, task_id: str, number: int, *, resumed: bool) -> Workspace:
        if not self.isolated or task_id in RESERVED:
            return await self._of_integration()
        await self.prepare()
        attempt = self._run.tasks[task_id].attempts[number - 1]
        if attempt.resolves is not None:
            return (await self.begun(task_id, attempt)).workspace
        if resumed:
            # To acquire a workspace of an earlier holder puts what isn't committed aside, and the session
            # that goes on in it has written that.
            with suppress(NotFound):
                await self.workspaces.commit(task_id, number, "Before an interruption\n")
        return await self.workspaces.acquire(task_id, number)

    async def _of_integration(self) -> Workspace:
        if not self.isolated:
            return self._project
        await self.prepare()
        return self.workspaces.integration

    @cached_property
    def _project(self) -> Workspace:
        """The project itself, for read-only work."""
        tmp = self._folder.path / "tmp"
        tmp.mkdir(exist_ok=True)
        return Workspace(path=Path(self._run.created.source.cwd), branch="", start_commit="", tmp=tmp)
