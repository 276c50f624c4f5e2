"""The Python API: `OrchestratorModule` and the managers that the brief names.

They are small: each call is a command to the run's holder, which is this process unless another one has the
run already, or a view of what is recorded.
"""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bigtask.agents.protocol import Agent
from bigtask.agents.table import AgentTable
from bigtask.approvals import Approvals
from bigtask.core import view as views
from bigtask.core.commands import (
    Answer,
    AnyCommand,
    Cancel,
    CancelTask,
    Confirm,
    EditPlan,
    Modification,
    Pause,
    Resume,
    ResumeTask,
    Retry,
    Start,
)
from bigtask.core.edits import Edit
from bigtask.core.events import Cancelled, Completed, Errored, Event
from bigtask.core.ledger import counts
from bigtask.core.run import Run
from bigtask.core.view import RunView, WorkerView
from bigtask.errors import Conflict, HolderGone, InvalidInput, NotFound
from bigtask.host import access, creation, removal
from bigtask.host.creation import Options
from bigtask.host.home import Home, RunFolder
from bigtask.host.link import LocalLink, RunLink, named
from bigtask.host.transcript_folder import TranscriptFolder
from bigtask.protocol.parser import ResponseParser
from bigtask.sink import log
from bigtask.templates.manager import TemplateManager

Callback = Callable[[str, Event], object]
"""Called with the run's id and the event."""


@dataclass(frozen=True, kw_only=True)
class WorkerConfig:
    """What governs a module's runs where their own options say nothing, over templates and configuration.
    Times in milliseconds, as in the brief."""

    max_workers: int | None = None
    poll_interval: int | None = None
    """Only for agents that can't push."""
    worker_timeout: int | None = None
    retry_limit: int | None = None
    spawn_delay: int | None = None


class OrchestratorModule:
    """Use as `async with`, or call `initialize` and, at the end, `close`.

    Closing lets go of the runs that this process carries out: whoever takes them up next goes on.
    """

    def __init__(
        self,
        agent: str | Agent | None = None,
        *,
        worker: WorkerConfig | None = None,
        templates_dir: Path | str | None = None,
        home: Path | str | None = None,
    ) -> None:
        """`agent` is a name of the table or an agent object; `home` is where runs are kept."""
        own = {} if agent is None or isinstance(agent, str) else {agent.name: agent}
        self.agent = agent if agent is None or isinstance(agent, str) else agent.name
        self.agents = AgentTable(own)
        self.worker_config = worker or WorkerConfig()
        self.home = Home(Path(home).absolute()) if home is not None else Home.of(os.environ)
        user_dir = Path(templates_dir) if templates_dir is not None else self.home.templates
        self.templates = TemplateManager(user_dir=user_dir, approvals=Approvals(self.home.approvals))
        self.parser = ResponseParser()
        self.orchestrators = OrchestratorManager(self)
        self.workers = WorkerManager(self)
        self._carried: dict[str, _Carried] = {}
        self._callbacks: list[tuple[str, Callback]] = []
        self._open = False

    async def initialize(self) -> None:
        self._open = True

    async def close(self) -> None:
        self._open = False
        for carried in self._carried.values():
            carried.enough.set()
        # No task group: what the program's block raises has to arrive as it is.
        await asyncio.gather(*(carried.task for carried in self._carried.values() if carried.task))
        self._carried.clear()

    async def __aenter__(self) -> Self:
        await self.initialize()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def on(self, event_type: str, callback: Callback) -> Callable[[], None]:
        """Calls `callback(run_id, event)` for each recorded event of that type (`*`: of any) in the runs that
        this module works with, from when it begins to. Returns what ends it."""
        entry = (event_type, callback)
        self._callbacks.append(entry)

        def off() -> None:
            with suppress(ValueError):
                self._callbacks.remove(entry)

        return off

    async def events(self, run_id: str, after: int = 0) -> AsyncIterator[Event]:
        """In order from `after` on, without gap or repeat, up to the event that ends the run."""
        link = await self.link(run_id)
        async for event in link.follow(after):
            yield event
            if isinstance(event.data, Completed | Errored | Cancelled):
                return

    async def link(self, run_id: str) -> RunLink:
        """The way to the run's holder; this process becomes it when there is none."""
        folder = self.home.find(run_id)
        carried = self._carried.get(folder.id)
        if carried is None or carried.over:
            if not self._open:
                raise Conflict("the module isn't open: use `async with`, or call initialize() first")
            carried = self._carried[folder.id] = _Carried()
            carried.task = asyncio.create_task(self._carry(folder, carried), name=f"link to {folder.id}")
        return await asyncio.shield(carried.link)

    async def ask(self, run_id: str, command: AnyCommand) -> int:
        """Returns the sequence number by which it is done. Where a holder ends before it has answered, the
        next one is asked, which may be this process."""
        wanted = named(command)
        while True:
            link = await self.link(run_id)
            try:
                return await link.ask(wanted)
            except HolderGone:
                await self._let_go(run_id)

    async def _let_go(self, run_id: str) -> None:
        """Raises what ended it."""
        carried = self._carried.pop(self.home.find(run_id).id, None)
        if carried is not None and carried.task is not None:
            carried.enough.set()
            await carried.task
            if carried.error is not None:
                raise carried.error

    async def _carry(self, folder: RunFolder, carried: _Carried) -> None:
        """Opened, used and closed in one task; one run's trouble is no other run's."""
        try:
            async with access.attach(folder, self.agents, who="a Python program") as link:
                carried.link.set_result(link)
                pump = asyncio.create_task(self._pump(folder.id, link))
                await carried.enough.wait()
                pump.cancel()
                with suppress(asyncio.CancelledError, HolderGone):
                    await pump
        except Exception as error:  # noqa: BLE001 - the edge: it is told to whoever waits, and logged
            log("OrchestratorModule").error("run %s: %s", folder.id, error)
            carried.error = error
            if not carried.link.done():
                carried.link.set_exception(error)
        finally:
            carried.over = True

    async def _pump(self, run_id: str, link: RunLink) -> None:
        async for event in link.follow():
            for wanted, callback in list(self._callbacks):
                if wanted in ("*", event.type):
                    callback(run_id, event)

    async def run(self, run_id: str) -> Run:
        """The state as it is recorded by now."""
        folder = self.home.find(run_id)
        carried = self._carried.get(folder.id)
        if carried is not None and carried.link.done() and not carried.over:
            link = carried.link.result()
            if isinstance(link, LocalLink):
                return link.holder.run
        return await access.read_run(folder)


class _Carried:
    def __init__(self) -> None:
        self.link: asyncio.Future[RunLink] = asyncio.get_running_loop().create_future()
        self.enough = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.over = False
        self.error: Exception | None = None


class OrchestratorManager:
    """Runs, by the brief's verbs. Ids may be whole, a unique part of one, or `last`."""

    def __init__(self, module: OrchestratorModule) -> None:
        self._module = module

    async def create(
        self,
        *,
        template_id: str,
        cwd: Path | str,
        message: str,
        custom_variables: Mapping[str, Any] | None = None,
        options: Options | None = None,
    ) -> RunView:
        """What neither `options` nor the module's WorkerConfig says comes from the configuration, the
        environment's variables first, and from the template.

        Raises InvalidInput, NotFound, InvalidTemplate, AgentUnavailable, or Forbidden where the repository
        brings a configuration or a template that nobody has approved.
        """
        module = self._module
        folder = await creation.create(
            module.home,
            template_id=template_id,
            cwd=Path(cwd),
            request=message,
            agents=module.agents,
            templates=module.templates.in_project(Path(cwd)),
            options=self._options(options or Options()),
            variables=custom_variables,
            environ=os.environ,
            by=_user(),
        )
        return await self.get(folder.id)

    def _options(self, options: Options) -> Options:
        import msgspec

        config = self._module.worker_config
        defaults = {
            "agent": self._module.agent,
            "max_workers": config.max_workers,
            "worker_timeout_ms": config.worker_timeout,
            "max_retries": config.retry_limit,
            "spawn_delay_ms": config.spawn_delay,
        }
        missing = {name: value for name, value in defaults.items() if getattr(options, name) is None}
        return msgspec.structs.replace(options, **missing)

    async def start(self, run_id: str) -> RunView:
        return await self._ask(run_id, Start(by=_user()))

    async def pause(self, run_id: str, *, now: bool = False) -> RunView:
        return await self._ask(run_id, Pause(now=now, by=_user()))

    async def resume(self, run_id: str) -> RunView:
        return await self._ask(run_id, Resume(by=_user()))

    async def cancel(self, run_id: str) -> RunView:
        return await self._ask(run_id, Cancel(by=_user()))

    async def confirm_tasks(
        self,
        run_id: str,
        modifications: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        revision: int | None = None,
    ) -> RunView:
        """`modifications`: `{task id: {"skip": bool, "priority": 1 to 10}}`."""
        changes = {id: Modification(**wanted) for id, wanted in (modifications or {}).items()}
        return await self._ask(run_id, Confirm(revision=revision, modifications=changes, by=_user()))

    async def edit_plan(self, run_id: str, edits: Sequence[Edit], *, revision: int) -> RunView:
        """Raises StaleRevision when somebody edited the plan since `revision` was read."""
        return await self._ask(run_id, EditPlan(revision=revision, edits=tuple(edits), by=_user()))

    async def answer(
        self,
        run_id: str,
        waiting_id: str,
        answer: str,
        *,
        scope: str = "once",
        data: Mapping[str, Any] | None = None,
    ) -> RunView:
        command = Answer(waiting_id=waiting_id, answer=answer, scope=scope, data=data, by=_user())
        return await self._ask(run_id, command)

    async def merge(self, run_id: str, *, undo: bool = False) -> dict[str, Any]:
        """Puts the result into the person's branch or folder: `{"commit", "files", "already"}`."""
        link = await self._module.link(run_id)
        return await (link.undo_merge(by=_user()) if undo else link.merge(by=_user()))

    async def diff(self, run_id: str, task_id: str | None = None) -> str:
        return await (await self._module.link(run_id)).diff(task_id)

    async def delete(self, run_id: str) -> None:
        """Forgets a finished run: its log, transcripts and worktrees. Its branches stay in the repository.

        Raises Conflict for a run that hasn't ended, and for one in a plain folder whose result wasn't merged
        and exists nowhere else.
        """
        module = self._module
        folder = module.home.find(run_id)
        carried = module._carried.get(folder.id)
        if carried is not None and carried.task is not None:
            carried.enough.set()
            await carried.task
        await removal.delete(folder, module.agents)

    async def get(self, run_id: str) -> RunView:
        return views.view(await self._module.run(run_id))

    async def list(self) -> list[RunView]:
        """Newest first; what can't be read is left out and logged."""
        found = []
        for folder in self._module.home.folders():
            try:
                found.append(await self.get(folder.id))
            except (NotFound, InvalidInput) as error:
                log("OrchestratorManager").warning("%s", error)
        return found

    async def _ask(self, run_id: str, command: AnyCommand) -> RunView:
        await self._module.ask(run_id, command)
        return await self.get(run_id)


class WorkerManager:
    """Tasks with their attempts, by the brief's word for them."""

    def __init__(self, module: OrchestratorModule) -> None:
        self._module = module

    async def list(self, run_id: str, *, status: str | None = None) -> list[WorkerView]:
        run = await self._module.run(run_id)
        found = [views.worker(record) for record in run.tasks.values()]
        return [worker for worker in found if status is None or worker.status == status]

    async def get(self, run_id: str, task_id: str) -> WorkerView:
        record = (await self._module.run(run_id)).record(task_id)
        if record is None:
            raise NotFound(f"the run has no task {task_id!r}")
        return views.worker(record)

    async def retry(self, run_id: str, task_id: str) -> WorkerView:
        return await self._ask(run_id, task_id, Retry(task_id=task_id, by=_user()))

    async def cancel(self, run_id: str, task_id: str) -> WorkerView:
        return await self._ask(run_id, task_id, CancelTask(task_id=task_id, by=_user()))

    async def pause(self, run_id: str, task_id: str) -> WorkerView:
        await (await self._module.link(run_id)).pause_task(task_id)
        return await self.get(run_id, task_id)

    async def resume(self, run_id: str, task_id: str) -> WorkerView:
        return await self._ask(run_id, task_id, ResumeTask(task_id=task_id, by=_user()))

    async def message(self, run_id: str, task_id: str, text: str) -> None:
        """Raises Conflict when the task has no open session."""
        await (await self._module.link(run_id)).say(task_id, text)

    async def transcript(self, run_id: str, task_id: str, attempt: int | None = None) -> str:
        """JSON lines `{"who", "text"}` of an attempt, by default the last; empty before it begins."""
        worker = await self.get(run_id, task_id)
        number = attempt or len(worker.attempts)
        if not 1 <= number <= len(worker.attempts):
            raise NotFound(f"{task_id} has no attempt {number}")
        return TranscriptFolder(self._module.home.find(run_id).transcripts).read(task_id, number).decode()

    async def statistics(self, run_id: str) -> dict[str, int]:
        """`total`, and one count for every task state."""
        return counts(await self._module.run(run_id))

    async def _ask(self, run_id: str, task_id: str, command: AnyCommand) -> WorkerView:
        await self._module.ask(run_id, command)
        return await self.get(run_id, task_id)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "person"
