"""Runs the hooks that are due: contained, bounded in time and output, and again if a holder died over one.

One at a time, in the order of the events; only the hook that the plan waits for has a lane of its own, so
that no slow one before it holds up the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from bigtask.core.events import Event
from bigtask.core.hooks import Hook, HookEnded, due, occasion
from bigtask.core.run import Run
from bigtask.errors import BigtaskError, Forbidden
from bigtask.process import Finished, minimal_env, run
from bigtask.sink import Redact
from bigtask.templates.programs import named_files
from bigtask.workspaces.values import Workspace

TIMEOUT_S = 60.0
_KEPT = 4 * 1024
_LOOKED_AT = 4 * _KEPT
"""Bytes of each output that are redacted before they are cut, so that no half of a secret stays."""

Recall = Callable[[int], Awaitable[Event]]


@dataclass(frozen=True, slots=True)
class _Call:
    hook: Hook
    event: int


class Hooks:
    def __init__(
        self,
        state: Run,
        workspace: Callable[[], Awaitable[Workspace]],
        redact: Redact,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """`workspace` gives where hooks run. Raises what makes them fail, as BigtaskError."""
        self._state = state
        self._workspace = workspace
        self._redact = redact
        self._timeout_s = timeout_s
        self._at_work: dict[bool, tuple[_Call, asyncio.Task[None]]] = {}

    def look(self, group: asyncio.TaskGroup, recall: Recall, tell: Callable[[HookEnded], None]) -> None:
        """Begins what is due and ends what isn't any more, by the state of the run now; to be asked whenever
        that has changed. `recall` gives a recorded event by its number. Nothing begins in a paused run."""
        waiting = [_Call(hook, seq) for seq, hook in due(self._state)]
        for decides in (True, False):
            lane = [call for call in waiting if (call.hook is Hook.ON_TASKS_GENERATED) is decides]
            call, task = self._at_work.get(decides, (None, None))
            if call in lane:
                continue
            if task is not None:
                task.cancel()
                del self._at_work[decides]
            if lane and not self._state.paused:
                begun = group.create_task(self._carry_out(lane[0], recall, tell))
                self._at_work[decides] = (lane[0], begun)

    def stop(self) -> None:
        """Ends what is under way; it stays due."""
        for _, task in self._at_work.values():
            task.cancel()

    async def _carry_out(self, call: _Call, recall: Recall, tell: Callable[[HookEnded], None]) -> None:
        command = self._state.settings.hooks[call.hook]
        who: dict[str, Any] = {"hook": call.hook.value, "event": call.event}
        try:
            event = await recall(call.event)
            who["task_id"] = getattr(event.data, "task_id", "")
            told = occasion(self._state, call.hook, event)
            workspace = await self._workspace()
            self._require_unchanged(command, workspace.path)
            finished = await run(
                command,
                cwd=workspace.path,
                env=minimal_env(workspace.env),
                timeout_s=self._timeout_s,
                input=msgspec.json.encode(told) + b"\n",
                limit_bytes=_LOOKED_AT,
                contained=True,
            )
        except (BigtaskError, OSError, ValueError) as error:
            # ValueError: an argument that no program can be given.
            tell(HookEnded(**who, exit_status=None, trouble=f"couldn't be run: {error}"))
            return
        tell(
            HookEnded(
                **who,
                exit_status=None if finished.timed_out else finished.status,
                output=self._end(finished.stdout + finished.stderr),
                said=self._end(finished.stderr),
                trouble=self._trouble(finished),
            )
        )

    def _require_unchanged(self, command: Sequence[str], top: Path) -> None:
        """What a person approved is what runs: the work of agents comes into this folder as well."""
        for word, digest in named_files(command, top).items():
            known = self._state.settings.hook_files.get(word)
            if known is None and digest is not None:
                raise Forbidden(f"{word} wasn't there when the run was made: the run's work brought it")
            if digest != known:
                raise Forbidden(
                    f"{word} isn't as it was when the run was made: the run's work changed it, "
                    "or it wasn't committed"
                )

    def _trouble(self, finished: Finished) -> str:
        return f"didn't end within {self._timeout_s:g} s" if finished.timed_out else ""

    def _end(self, printed: bytes) -> str:
        text = self._redact(printed.decode(errors="replace"))
        return text.encode()[-_KEPT:].decode(errors="ignore")
