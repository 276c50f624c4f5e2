"""Tasks with their current attempts, which the public API calls workers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from bigtask.core import view as views
from bigtask.core.commands import CancelTask, ResumeTask, Retry
from bigtask.core.events import WorkerStarted
from bigtask.core.ledger import counts
from bigtask.core.observations import Progressed
from bigtask.core.run import Run, TaskRecord
from bigtask.core.values import Value
from bigtask.core.view import WorkerView
from bigtask.errors import Conflict, NotFound
from bigtask.host.conflict_versions import Versions, folder_of_versions, versions_in
from bigtask.host.home import RunFolder
from bigtask.host.link import RunLink
from bigtask.host.person import user
from bigtask.host.transcript_folder import TranscriptFolder

if TYPE_CHECKING:
    from bigtask.module import OrchestratorModule


class TranscriptPage(Value, omit_defaults=False):
    """`lines` are JSON objects `{"who", "text"}`; `after` asks for what comes next. `attempt` is 0 where
    there was none yet."""

    task_id: str
    attempt: int
    lines: tuple[msgspec.Raw, ...]
    after: int


class WorkerManager:
    """Runs are named as in OrchestratorManager, and tasks by their ids; a phase by its name (`@analysis`).

    Every method raises NotFound for a run or a task that isn't there, and Conflict where that isn't possible
    now.
    """

    def __init__(self, module: OrchestratorModule) -> None:
        self._module = module

    async def list(self, run_id: str, *, status: str | None = None) -> list[WorkerView]:
        """The tasks of the plan, in its order."""
        run = await self._module.run(run_id)
        chosen = [record for record in run.tasks.values() if status is None or record.state == status]
        return [views.worker(record) for record in chosen]

    async def get(self, run_id: str, task_id: str) -> WorkerView:
        return views.worker(_record(await self._module.run(run_id), task_id))

    async def retry(
        self, run_id: str, task_id: str, *, wait_s: float = 0.0, by: str | None = None
    ) -> WorkerView:
        """Tries the task again. Waits at most so long for the new attempt to have a session: it may have to
        wait for its turn."""
        module = self._module
        folder = await module.heard(run_id)
        tried = len(_record(await module.custody.run(folder), task_id).attempts)
        run = await module.custody.carry_on(folder, Retry(task_id=task_id, by=by or user()))
        if wait_s:
            await self._begun(folder, run.seq, task_id, tried, wait_s)
        return await self.get(folder.id, task_id)

    async def cancel(self, run_id: str, task_id: str, *, by: str | None = None) -> WorkerView:
        """Ends one task; those that depend on it are skipped."""
        run = await self._module.ask(run_id, CancelTask(task_id=task_id, by=by or user()))
        return views.worker(_record(run, task_id))

    async def pause(self, run_id: str, task_id: str) -> WorkerView:
        """The attempt stops at its next safe point."""

        async def pause(link: RunLink) -> None:
            await link.pause_task(task_id)

        return await self._through(run_id, task_id, pause)

    async def resume(self, run_id: str, task_id: str, *, by: str | None = None) -> WorkerView:
        """Goes on with a paused attempt."""
        run = await self._module.carry_on(run_id, ResumeTask(task_id=task_id, by=by or user()))
        return views.worker(_record(run, task_id))

    async def message(self, run_id: str, task_id: str, text: str) -> WorkerView:
        """Says something to the session that is at work. Raises Conflict where none is open."""

        async def say(link: RunLink) -> None:
            await link.say(task_id, text)

        return await self._through(run_id, task_id, say)

    async def conflict(self, run_id: str, task_id: str) -> tuple[Versions, ...]:
        """The three versions of each file, while the task's conflict waits for somebody to settle it. Raises
        NotFound where none does."""
        folder = folder_of_versions(await self._module.run(run_id), task_id)
        return tuple(await asyncio.to_thread(versions_in, folder))

    async def report(
        self,
        run_id: str,
        task_id: str,
        number: int,
        *,
        percent: float | None = None,
        action: str = "",
        files_done: int | None = None,
        files_total: int | None = None,
    ) -> None:
        """How far an attempt is that is carried out here; of one that isn't under way any more nothing is
        recorded. Raises Conflict where another process carries it out."""
        link = self._module.custody.local(self._module.home.find(run_id).id)
        if link is None:
            raise Conflict("this process doesn't carry the run out: report in the attempt's session")
        seen = Progressed(
            task_id=task_id,
            attempt=number,
            percent=percent,
            action=action,
            files_done=files_done,
            files_total=files_total,
        )
        link.holder.see(seen)

    async def transcript(self, run_id: str, task_id: str, attempt: int | None = None) -> str:
        """JSON lines `{"who", "text"}` of an attempt, by default the last; empty before it begins."""
        worker = await self.get(run_id, task_id)
        number = attempt or len(worker.attempts)
        if not 1 <= number <= len(worker.attempts):
            raise NotFound(f"{task_id} has no attempt {number}")
        return (await self._said(self._module.home.find(run_id), task_id, number)).decode()

    async def transcript_page(
        self, run_id: str, task_id: str, *, attempt: int | None = None, after: int = 0, limit: int = 1_000
    ) -> TranscriptPage:
        """From line `after` on, without the one that is still being written."""
        folder = self._module.home.find(run_id)
        had = len(_record(await self._module.custody.run(folder), task_id).attempts)
        if not had and attempt is None:
            return TranscriptPage(task_id=task_id, attempt=0, lines=(), after=0)
        number = attempt or had
        if number > had:
            raise NotFound(f"{task_id} has no attempt {number}: it has had {had}")
        said = await self._said(folder, task_id, number)
        lines = said[: said.rfind(b"\n") + 1].splitlines()[after : after + limit]
        raw = tuple(msgspec.Raw(line) for line in lines)
        return TranscriptPage(task_id=task_id, attempt=number, lines=raw, after=after + len(lines))

    async def statistics(self, run_id: str) -> dict[str, int]:
        """`total`, and one count for every task state."""
        return counts(await self._module.run(run_id))

    async def _through(
        self, run_id: str, task_id: str, work: Callable[[RunLink], Awaitable[None]]
    ) -> WorkerView:
        folder = await self._module.heard(run_id)
        _record(await self._module.custody.run(folder), task_id)
        await self._module.custody.through(folder, work)
        return await self.get(folder.id, task_id)

    async def _said(self, folder: RunFolder, task_id: str, number: int) -> bytes:
        return await asyncio.to_thread(TranscriptFolder(folder.transcripts).read, task_id, number)

    async def _begun(self, folder: RunFolder, after: int, task_id: str, tried: int, wait_s: float) -> None:
        """Waits until the attempt after number `tried` has a session, the time is over, or nobody carries the
        run out any more."""
        try:
            async with (
                asyncio.timeout(wait_s),
                aclosing(self._module.following.follow(folder, after)) as events,
            ):
                async for event in events:
                    data = event.data
                    if isinstance(data, WorkerStarted) and data.task_id == task_id and data.attempt > tried:
                        return
        except TimeoutError:
            return


def _record(run: Run, task_id: str) -> TaskRecord:
    record = run.record(task_id)
    if record is None:
        raise NotFound(f"the run has no task {task_id[:80]!r}: its plan lists them")
    return record
