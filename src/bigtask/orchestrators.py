"""Runs, as the public API calls what is done with them: an orchestrator is a run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bigtask.core import view as views
from bigtask.core.commands import (
    Answer,
    Cancel,
    Confirm,
    EditPlan,
    Modification,
    Pause,
    Resume,
    Start,
    require,
)
from bigtask.core.edits import Edit
from bigtask.core.events import Event
from bigtask.core.outlook import Outlook, outlook
from bigtask.core.states import Status
from bigtask.core.summary import Summary
from bigtask.core.values import Value
from bigtask.core.view import RunView
from bigtask.errors import NotFound, StoreError
from bigtask.host import creation, removal
from bigtask.host.creation import Options
from bigtask.host.following import PAGE
from bigtask.host.link import RunLink
from bigtask.host.page_export import html_of, redaction_of
from bigtask.host.person import user
from bigtask.host.run_list import RunPage, page_of, summary_of
from bigtask.report.documents import DOCUMENTS
from bigtask.report.result import RunResult, result_of
from bigtask.sink import log
from bigtask.workspaces.changes import FileChange
from bigtask.workspaces.forecast import Forecast, in_words

if TYPE_CHECKING:
    from bigtask.module import OrchestratorModule


class Changes(Value, omit_defaults=False):
    """What a run or a task has changed: `patch` as `git diff` writes it, `files` all that it is about."""

    files: tuple[FileChange, ...]
    patch: str


class OrchestratorManager:
    """Ids may be whole, a unique part of one, or `last`. `by` is recorded as who decided, by default whoever
    runs this process.

    Every method raises NotFound for a run that isn't there, Conflict where that isn't possible now, with what
    is, and RunBusy where another process holds the run and doesn't answer.
    """

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
        by: str | None = None,
        run_id: str | None = None,
    ) -> RunView:
        """What neither `options` nor the module's WorkerConfig says comes from the configuration, the
        environment's variables first, and from the template. `run_id` is one that no run has, by default a
        new one.

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
            templates=module.templates_of(cwd),
            options=self._options(options or Options()),
            variables=custom_variables,
            environ=module.environ,
            by=by or user(),
            run_id=run_id,
        )
        module.made(folder)
        return await self.get(folder.id)

    def _options(self, options: Options) -> Options:
        config = self._module.worker_config
        defaults = {
            "agent": self._module.agent,
            "max_workers": config.max_workers,
            "worker_timeout_ms": config.worker_timeout,
            "max_retries": config.retry_limit,
            "spawn_delay_ms": config.spawn_delay,
            "poll_interval_ms": config.poll_interval,
        }
        missing = {name: value for name, value in defaults.items() if getattr(options, name) is None}
        return msgspec.structs.replace(options, **missing)

    async def start(self, run_id: str, *, by: str | None = None) -> RunView:
        """Begins a run. One that has begun and that nobody carries out any more is carried on."""
        return views.view(await self._module.carry_on(run_id, Start(by=by or user())))

    async def pause(self, run_id: str, *, now: bool = False, by: str | None = None) -> RunView:
        """Nothing new begins, and what is under way stops at its next safe point, or with `now` at once."""
        return views.view(await self._module.ask(run_id, Pause(now=now, by=by or user())))

    async def resume(self, run_id: str, *, by: str | None = None) -> RunView:
        """Goes on with a run that is paused, or that nobody carries out any more."""
        return views.view(await self._module.carry_on(run_id, Resume(by=by or user())))

    async def cancel(self, run_id: str, *, by: str | None = None) -> RunView:
        """Ends a run; its work stays on its branches."""
        return views.view(await self._module.ask(run_id, Cancel(by=by or user())))

    async def confirm_tasks(
        self,
        run_id: str,
        modifications: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        revision: int | None = None,
        by: str | None = None,
    ) -> RunView:
        """Starts the workers of the plan. `modifications`: `{task id: {"skip": bool, "priority": 1 to 10}}`.

        Raises StaleRevision when somebody edited the plan since `revision` was read.
        """
        changes = {id: Modification(**wanted) for id, wanted in (modifications or {}).items()}
        command = Confirm(revision=revision, modifications=changes, by=by or user())
        return views.view(await self._module.carry_on(run_id, command))

    async def edit_plan(
        self, run_id: str, edits: Sequence[Edit], *, revision: int, by: str | None = None
    ) -> RunView:
        """All edits or none. Raises StaleRevision when somebody edited the plan since `revision` was read."""
        command = EditPlan(revision=revision, edits=tuple(edits), by=by or user())
        return views.view(await self._module.ask(run_id, command))

    async def check_plan(self, run_id: str, edits: Sequence[Edit], *, revision: int) -> Outlook:
        """What these edits would make of the plan, which stays as it is. Raises StaleRevision when somebody
        edited the plan since `revision` was read."""
        agents = self._module.agents
        return outlook(
            await self._module.run(run_id),
            edits,
            revision=revision,
            known_agents=lambda names: {name for name in names if agents.knows(name)},
        )

    async def answer(
        self,
        run_id: str,
        waiting_id: str,
        answer: str,
        *,
        scope: str = "once",
        data: Mapping[str, Any] | None = None,
        by: str | None = None,
    ) -> RunView:
        """Settles something that the run waits for; `waiting` of its view has what there is."""
        author = by or f"{user()}@python"
        command = Answer(waiting_id=waiting_id, answer=answer, scope=scope, data=data, by=author)
        return views.view(await self._module.ask(run_id, command))

    async def merge(self, run_id: str, *, undo: bool = False, by: str | None = None) -> dict[str, Any]:
        """Puts the result into the person's branch or folder, or takes it out again:
        `{"commit", "files", "already"}`."""
        who = by or user()

        async def merge(link: RunLink) -> dict[str, Any]:
            return await (link.undo_merge(by=who) if undo else link.merge(by=who))

        return await self._module.custody.through(await self._module.heard(run_id), merge)

    async def foresee_merge(self, run_id: str) -> tuple[Forecast, str]:
        """What `merge` would do, looked at without a trace, and the same as a sentence."""

        async def look(link: RunLink) -> Forecast:
            return await link.foresee_merge()

        seen = await self._module.custody.through(self._module.home.find(run_id), look)
        return seen, in_words(seen)

    async def changes(self, run_id: str, task_id: str | None = None) -> Changes:
        """Of the run, or of the last attempt at one of its tasks."""

        async def look(link: RunLink) -> Changes:
            return Changes(files=await link.changes(task_id), patch=await link.diff(task_id))

        return await self._module.custody.through(self._module.home.find(run_id), look)

    async def diff(self, run_id: str, task_id: str | None = None) -> str:
        return (await self.changes(run_id, task_id)).patch

    async def result(self, run_id: str) -> RunResult:
        """What the run has come to, also while it goes on; docs/results.md."""
        return result_of(await self._module.run(run_id))

    async def report(self, run_id: str, form: str, *, by: str | None = None) -> str:
        """The result as `markdown`, `json`, `junit` or `html`: a page that can be opened anywhere, from which
        what tells of `by` and the machine is taken as `bigtask export` does it."""
        if form != "html":
            return DOCUMENTS[form](await self.result(run_id))
        module = self._module
        folder = module.home.find(run_id)
        events: list[Event] = []
        while found := await module.following.page(folder, events[-1].seq if events else 0, PAGE):
            events += found
        redaction = redaction_of(module.home, events, user=by or user(), environ=module.environ)
        return await asyncio.to_thread(html_of, folder.id, events, redaction)

    async def delete(self, run_id: str) -> None:
        """Forgets a finished run: its log, transcripts and worktrees. Its branches stay in the repository.

        Raises Conflict for a run that hasn't ended, and for one in a plain folder whose result wasn't merged
        and exists nowhere else.
        """
        module = self._module
        folder = module.home.find(run_id)
        require(await module.run(run_id), "delete")
        await module.custody.let_go(folder.id)
        await removal.delete(folder, module.agents)
        module.custody.tell()

    async def get(self, run_id: str) -> RunView:
        """The whole state."""
        return views.view(await self._module.run(run_id))

    async def status(self, run_id: str) -> Summary:
        """The state in a few words, with progress and cost."""
        module = self._module
        return await summary_of(module.home.find(run_id), module.custody, module.agents)

    async def page(
        self, *, status: Status | None = None, limit: int = 50, cursor: str | None = None
    ) -> RunPage:
        """Runs in a few words, newest first. Raises InvalidInput for a cursor that no page gave."""
        module = self._module
        return await page_of(
            module.home, module.custody, module.agents, status=status, limit=limit, cursor=cursor
        )

    async def list(self) -> list[RunView]:
        """Newest first; what can't be read is left out and logged."""
        found = []
        for folder in self._module.home.folders():
            try:
                found.append(await self.get(folder.id))
            except (NotFound, StoreError) as error:
                log("OrchestratorManager").warning("%s", error)
        return found
