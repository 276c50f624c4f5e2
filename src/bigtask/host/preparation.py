"""What happens in a workspace before anybody works in it: the files that git ignores and the work needs are
copied in, and the template's `setup` is run, each once for each workspace.

What goes wrong here is no attempt's fault, so that it becomes an observation of its own.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from msgspec import structs

from bigtask.core.observations import Unprepared
from bigtask.core.phases.preparation import INCLUDE, SETUP, SPACE, goes_without
from bigtask.core.run import Run
from bigtask.core.values import RESERVED
from bigtask.errors import BigtaskError, InvalidInput
from bigtask.host.space import Space
from bigtask.process import minimal_env, run
from bigtask.sink import Redact, log
from bigtask.workspaces import including, names, prepared
from bigtask.workspaces.moving import named
from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.values import Workspace

SETUP_TIMEOUT_S = 1_800.0
"""Of one command. Dependencies of a large project on a slow line take their time."""
_KEPT = 4 * 1024
_LOOKED_AT = 64 * 1024
_LAST_LINE = 200

Say = Callable[[str], None]


class NotReady(BigtaskError):
    """`output` is the end of what a command printed."""

    def __init__(self, reason: str, output: str = "") -> None:
        super().__init__(reason)
        self.output = output


class Preparation:
    def __init__(self, state: Run, home: Path, redact: Redact, *, timeout_s: float = SETUP_TIMEOUT_S) -> None:
        """`home` is the run's folder."""
        self._state = state
        self._home = home
        self._redact = redact
        self._timeout_s = timeout_s
        self._space = Space(home / "workspaces")

    async def room(self, task_id: str, number: int) -> Unprepared | None:
        """To be asked before a workspace is made."""
        if goes_without(self._state, SPACE):
            return None
        reason = await self._space.lack(self._state.settings.workspaces_gib)
        if reason is None:
            return None
        return Unprepared(task_id=task_id, attempt=number, subject=SPACE, reason=reason)

    async def prepare(
        self, task_id: str, number: int, workspace: Workspace, workspaces: RunWorkspaces, say: Say
    ) -> Unprepared | None:
        """None when work may begin. `say` hears what the set-up prints."""
        who: dict[str, Any] = {"task_id": task_id, "attempt": number}
        try:
            if not goes_without(self._state, INCLUDE):
                await self._include(task_id, number, workspaces)
        except InvalidInput as error:
            return Unprepared(**who, subject=INCLUDE, reason=str(error))
        try:
            if self._state.settings.setup and not goes_without(self._state, SETUP):
                await self._set_up(workspace, say)
        except NotReady as error:
            return Unprepared(**who, subject=SETUP, reason=str(error), output=error.output)
        return None

    async def _include(self, task_id: str, number: int, workspaces: RunWorkspaces) -> None:
        source = self._state.created.source
        prefix, wanted = source.prefix.rstrip("/"), self._state.settings.include
        if wanted is None:
            rules = including.rules_in(Path(source.root), prefix)
        else:
            rules = including.rules_of(wanted, below=prefix, place="the template's include")
        if not rules.patterns:
            return
        place = (names.INTEGRATION, 1) if task_id in RESERVED else (task_id, number)
        left_out = await workspaces.include(*place, rules)
        if left_out:
            log("WorkerManager").warning(
                "%s isn't copied into the workspace of %s: it leads elsewhere, or something is in its way",
                named(left_out),
                task_id,
            )

    async def _set_up(self, workspace: Workspace, say: Say) -> None:
        top = self._top(workspace)
        known = prepared.of(self._home, top)
        if known.set_up:
            return
        for command in self._state.settings.setup:
            await self._run(command, workspace, say)
        prepared.keep(self._home, top, structs.replace(prepared.of(self._home, top), set_up=True))

    async def _run(self, command: Sequence[str], workspace: Workspace, say: Say) -> None:
        shown = shlex.join(command)
        try:
            finished = await run(
                command,
                cwd=workspace.path,
                env=minimal_env(workspace.env),
                timeout_s=self._timeout_s,
                limit_bytes=_LOOKED_AT,
                contained=True,
            )
        except (BigtaskError, OSError, ValueError) as error:
            # ValueError: an argument that no program can be given.
            raise NotReady(f"the set-up `{shown}` couldn't be run: {error}") from None
        printed = self._redact((finished.stdout + finished.stderr).decode(errors="replace"))
        say(f"$ {shown}\n{printed}")
        if finished.status == 0 and not finished.timed_out:
            return
        ended = (
            f"didn't end within {self._timeout_s:g} s"
            if finished.timed_out
            else f"ended with {finished.status}"
        )
        output = printed.encode()[-_KEPT:].decode(errors="ignore")
        last = output.strip().rpartition("\n")[2].strip()[:_LAST_LINE]
        raise NotReady(f"the set-up `{shown}` {ended}" + (f" ({last})" if last else ""), output)

    def _top(self, workspace: Workspace) -> Path:
        top = workspace.path
        for _ in PurePosixPath(self._state.created.source.prefix).parts:
            top = top.parent
        return top
