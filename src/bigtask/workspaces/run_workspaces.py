"""Everything that a run does in a repository, each step of it safe to repeat after a crash.

What is there is looked up before anything is done, and every name follows from ids, so that a second try
finds what the first one made. Until `apply_result` the person's branch, index and files stay untouched.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from bigtask.workspaces import names
from bigtask.workspaces.applying import Application
from bigtask.workspaces.attempt_workspaces import AttemptWorkspaces
from bigtask.workspaces.changes import ConflictedFile, FileChange
from bigtask.workspaces.forecast import Forecast, foresee
from bigtask.workspaces.git import Git
from bigtask.workspaces.including import Rules
from bigtask.workspaces.integration_branch import IntegrationBranch
from bigtask.workspaces.integrity import Integrity
from bigtask.workspaces.merging_queue import MergeQueue
from bigtask.workspaces.merging_work import MergingWork
from bigtask.workspaces.moments import Watch, part_of, unwatched
from bigtask.workspaces.outcome import Outcome
from bigtask.workspaces.ports import PortBlocks
from bigtask.workspaces.recording import Recording
from bigtask.workspaces.run_repository import RunRepository
from bigtask.workspaces.source import Source
from bigtask.workspaces.values import (
    Applied,
    Begun,
    Commit,
    Conflicted,
    Leftover,
    Merged,
    Nothing,
    ResultDiff,
    Strategy,
    TakenOut,
    Trial,
    Workspace,
)
from bigtask.workspaces.worktree import Rescue


class RunWorkspaces:
    """`home` is the run's folder, outside of the project; worktrees, trash and temporary files lie in it.

    The one door to the parts that do the work, which say more about each call. Every method but `prepare`
    needs a run that `prepare` was called for, now or before a crash; else they raise `NotFound`. All of them
    raise `GitError` where git says no.
    """

    def __init__(
        self,
        run_id: str,
        source: Source,
        home: Path,
        *,
        ports: PortBlocks | None = None,
        watch: Watch = unwatched,
    ) -> None:
        self._run = run = RunRepository(run_id, source, home, ports=ports, watch=watch)
        self.integrity = Integrity(
            run_id=run_id, repository=run.git, common_dir=run.common_dir, home=run.home
        )
        self._attempts = AttemptWorkspaces(run)
        self._recording = Recording(run)
        self._branch = IntegrationBranch(run)
        self._merging = MergingWork(run, self._attempts, MergeQueue(run_id=run_id, git=run.git))
        self._outcome = Outcome(run_id=run_id, repository=run.git, prefix=source.prefix)
        self._application = Application(run_id=run_id, source=source, git=run.files, home=run.home)

    @property
    def repository(self) -> Git:
        """What the run's branches are in: the person's, or that of a folder's shadow."""
        return self._run.git

    # The integration branch

    @property
    def integration(self) -> Workspace:
        return self._branch.workspace

    async def prepare(self, base: str | None = None, include_changes: bool = False) -> str:
        return await self._branch.prepare(base, include_changes=include_changes)

    async def begin_phase(self, n: int) -> None:
        await self._branch.begin_phase(n)

    async def clear_integration(self) -> Rescue | None:
        return await self._branch.clear()

    async def beside(self) -> Workspace:
        return await self._branch.beside()

    def looking_back(self, trial: Trial) -> AbstractAsyncContextManager[None]:
        return self._branch.looking_back(trial)

    # Attempts

    async def acquire(self, task_id: str, n: int, start: str | None = None) -> Workspace:
        return await self._attempts.acquire(task_id, n, start)

    async def include(self, task_id: str, n: int, rules: Rules) -> tuple[str, ...]:
        return await self._attempts.include(task_id, n, rules)

    def present(self, task_id: str, n: int) -> bool:
        return self._attempts.present(task_id, n)

    async def commit(self, task_id: str, n: int, message: str, *, resolves: bool = False) -> Commit:
        """`task_id` may be `@aggregation`."""
        if task_id.startswith("@"):
            return await self._recording.phase(n, message)
        return await self._recording.attempt(task_id, n, message, resolves=resolves)

    async def release(self, task_id: str, n: int) -> Rescue | None:
        return await self._attempts.release(task_id, n)

    # Merging

    async def merge(
        self, task_id: str, n: int, title: str, strategy: Strategy | None = None
    ) -> Merged | TakenOut | Conflicted | Nothing:
        return await self._merging.merge(task_id, n, title, strategy or Strategy())

    async def begin_merge(
        self, task_id: str, n: int, strategy: Strategy | None = None, *, work: int | None = None
    ) -> Begun:
        return await self._merging.begin(task_id, n, strategy or Strategy(), work=work)

    def seen(self, files: tuple[ConflictedFile, ...]) -> tuple[ConflictedFile, ...]:
        return self._merging.seen(files)

    async def trial(self) -> Trial | None:
        return await self._merging.trial()

    async def keep(self, trial: Trial) -> None:
        await self._merging.keep(trial)

    async def take_out(self, trial: Trial, reason: str) -> TakenOut:
        return await self._merging.take_out(trial, reason)

    async def merged_since(self, task_id: str, n: int) -> tuple[str, ...]:
        return await self._merging.others_since(task_id, n)

    async def brought_in(self, merged: Merged) -> Commit:
        """What the merge changed in the integration branch."""
        return await self._recording.told(self._run.git, f"{merged.commit}^", merged.commit)

    # The result

    async def result(self) -> ResultDiff:
        """What the run has changed so far, from its base to the integration branch."""
        return await self._outcome.result()

    async def diff(self, task_id: str | None = None) -> bytes:
        """A patch of the run's result, or of a task's last attempt; at most 2 MiB, and says when it's cut."""
        return await self._outcome.patch(task_id)

    async def changes(self, task_id: str | None = None) -> tuple[FileChange, ...]:
        """The files that `diff` is about, all of them."""
        return await self._outcome.changes(task_id)

    @part_of("apply")
    async def apply_result(self) -> Applied:
        """Bring the result into the person's branch, or into the folder. To repeat it changes nothing.

        Raises `Conflict` where that can't be done without losing or mixing something; then nothing was.
        """
        base, head = await self._outcome.ends()
        async with self._run.merging:
            return await self._application.apply(base, head)

    async def foresee_apply(self) -> Forecast:
        """What `apply_result` would do now. Changes nothing."""
        base, head = await self._outcome.ends()
        return await foresee(self._application, base, head)

    @part_of("undo")
    async def undo_apply(self) -> Applied:
        """Take the result out again. Raises `Conflict` if something changed since, `NotFound` without one."""
        async with self._run.merging:
            return await self._application.undo()

    # The end

    async def leftovers(self) -> list[Leftover]:
        """Every worktree, folder of one and branch of the run's that exists."""
        return await self._run.leftovers()

    @part_of("release")
    async def give_up(self) -> None:
        """Every worktree of the run goes; the branches stay, and what wasn't committed is kept as `release`
        keeps it. `prepare` makes the integration worktree again."""
        prefix = f"{self._run.run_id}."
        for leftover in await self.leftovers():
            task_id, _, number = Path(leftover.name).name.removeprefix(prefix).rpartition(".")
            if leftover.kind == "branch" or not number.isdigit():
                continue
            if task_id == names.BESIDE:
                await self._branch.give_up_beside(int(number))
            elif task_id == names.INTEGRATION:
                await self._branch.give_up()
            else:
                await self.release(task_id, int(number))
