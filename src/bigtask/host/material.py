"""What a session is shown of the run's work before it begins."""

from __future__ import annotations

from collections.abc import Callable

from bigtask.core import observations as o
from bigtask.core.checks import commands_of_whole
from bigtask.core.run import Attempt, Run, TaskRecord
from bigtask.core.values import AGGREGATION, VERIFICATION, CheckResult
from bigtask.host.checking import check
from bigtask.host.conflict_words import conflict_words
from bigtask.host.integration import places_of
from bigtask.host.merged_work import merged_words, words_for_verdict
from bigtask.host.places import Places
from bigtask.sink import Redact
from bigtask.workspaces.values import Workspace


class Material:
    """What is in files isn't recorded, but what an agent is told is: all texts are given redacted."""

    def __init__(
        self, run: Run, places: Places, redact: Redact, tell: Callable[[o.Observation], None]
    ) -> None:
        """`tell` takes what verification's commands came to."""
        self._run = run
        self._places = places
        self._redact = redact
        self._tell = tell

    async def merged(self, task_id: str, number: int, workspace: Workspace) -> str:
        """What the work came to, for the phases after it; "" for all others. Before verification its commands
        are run in `workspace`."""
        if task_id == AGGREGATION:
            return self._redact(await self._for_aggregation(number))
        if task_id == VERIFICATION:
            return self._redact(await self._for_verification(number, workspace))
        return ""

    async def conflict(self, record: TaskRecord, attempt: Attempt) -> tuple[str, dict[str, str]]:
        """For an attempt that resolves a conflict: what the conflict is and what both sides wanted, and the
        places as in `events.WorkerStarted`. For all others both are empty."""
        if attempt.resolves is None:
            return "", {}
        begun = await self._places.begun(record.task.id, attempt)
        return self._redact(conflict_words(self._run, record, begun)), places_of(begun)

    async def _for_aggregation(self, number: int) -> str:
        if not self._places.isolated:
            return ""
        await self._places.workspaces.begin_phase(number)
        return merged_words(self._run, await self._places.workspaces.result())

    async def _for_verification(self, number: int, workspace: Workspace) -> str:
        run, isolated = self._run, self._places.isolated
        checks: tuple[CheckResult, ...] = ()
        if isolated:
            await self._places.workspaces.clear_integration()
        if commands := commands_of_whole(run):
            checks = await check(commands, workspace, self._redact)
            self._tell(o.Checked(task_id=VERIFICATION, attempt=number, results=checks))
        if not isolated:
            return words_for_verdict(run, checks)
        patch = (await self._places.workspaces.diff()).decode(errors="replace")
        return words_for_verdict(run, checks, await self._places.workspaces.result(), patch)
