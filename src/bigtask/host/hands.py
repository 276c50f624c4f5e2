"""What a holder does once something is recorded: opens and ends sessions, commits and merges their work.

Everything here may happen twice, because the process may end at any moment between doing and recording
it; so everything here looks before it redoes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bigtask.agents.protocol import Agent, Opening
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.phases.intake import includes_changes
from bigtask.core.run import Attempt, Run, TaskRecord
from bigtask.core.states import AttemptState
from bigtask.core.values import AGGREGATION, RESERVED, VERIFICATION, CheckResult
from bigtask.errors import BigtaskError, NotFound
from bigtask.host.attempt import AttemptRun, Controls
from bigtask.host.briefing import Briefer
from bigtask.host.home import RunFolder
from bigtask.host.integration import Integration, describe
from bigtask.host.transcript import Transcript, Transcripts
from bigtask.process import minimal_env
from bigtask.sink import Redact, log, nothing_secret
from bigtask.templates.template import Template
from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.values import Workspace

_OVER = frozenset(
    {
        AttemptState.COMPLETED,
        AttemptState.FAILED,
        AttemptState.TIMEOUT,
        AttemptState.CRASHED,
        AttemptState.LOST,
        AttemptState.CANCELLED,
        AttemptState.SUPERSEDED,
    }
)
"""What is in such an attempt's worktree is merged, or nobody's any more."""


@dataclass(slots=True)
class _AtWork:
    attempt: int
    agent: str
    task: asyncio.Task[None]
    controls: Controls


class Resumable:
    """The agents that can continue a session, as a container of names: asked one by one, since a table makes
    some agents only when they are asked for."""

    def __init__(self, agents: Mapping[str, Agent]) -> None:
        self._agents = agents

    def __contains__(self, name: object) -> bool:
        try:
            return name in self._agents and self._agents[str(name)].traits.can_resume
        except BigtaskError:
            return False


class Hands:
    """`tell` takes what is seen; `group` owns every task that is started here."""

    tell: Callable[[o.Observation], None]
    group: asyncio.TaskGroup

    def __init__(
        self,
        run: Run,
        folder: RunFolder,
        template: Template,
        agents: Mapping[str, Agent],
        workspaces: RunWorkspaces | BigtaskError,
        transcripts: Transcripts,
        *,
        redact: Redact = nothing_secret,
    ) -> None:
        self._run = run
        self._folder = folder
        self._transcripts = transcripts
        self._briefer = Briefer(run, template, self._knows)
        self._env = minimal_env()
        self._agents = agents
        self.resumable = Resumable(agents)
        self._workspaces = workspaces
        self._redact = redact
        self._at_work: dict[str, _AtWork] = {}
        self._questions: dict[str, tuple[str, int, str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._integration = Integration(run, redact)
        self._preparing = asyncio.Lock()
        self._prepared = False
        self._next_start: dict[str, float] = {}
        self._words = log("WorkerManager")

    @property
    def workspaces(self) -> RunWorkspaces:
        """Raises why there are none: the project can't be reached any more."""
        if isinstance(self._workspaces, BigtaskError):
            raise self._workspaces
        return self._workspaces

    def _knows(self, name: str) -> bool:
        try:
            return name in self._agents
        except BigtaskError:
            return False

    def act(self, happened: e.Happened) -> None:
        """What a recorded event demands of the world."""
        act = _ACTS.get(type(happened))
        if act is not None:
            act(self, happened)

    def on_spawned(self, happened: e.WorkerSpawned | e.WorkerResumed) -> None:
        record = self._run.record(happened.task_id)
        assert record is not None
        attempt = record.attempts[happened.attempt - 1]
        controls = Controls(self._briefer.timeout_ms(happened.task_id) / 1000)
        task = self.group.create_task(self._attempt(record, attempt, controls))
        self._at_work[happened.task_id] = _AtWork(attempt.number, attempt.agent, task, controls)

    def on_reported(self, happened: e.WorkerReported) -> None:
        if (
            happened.task_id not in RESERVED
            and self._run.integrating.get(happened.task_id) == happened.attempt
        ):
            self.integrate(happened.task_id, happened.attempt)

    def on_waiting(self, happened: e.WaitingRaised) -> None:
        waiting = happened.waiting
        if waiting.request_id and waiting.task_id:
            assert waiting.attempt is not None
            self._questions[waiting.id] = (waiting.task_id, waiting.attempt, waiting.request_id)

    def on_answered(self, happened: e.Answered) -> None:
        question = self._questions.pop(happened.waiting_id, None)
        if question is None:
            return
        task_id, number, request_id = question
        at_work = self._at_work.get(task_id)
        if at_work is not None and at_work.attempt == number:
            self._background(at_work.controls.answer(request_id, happened.answer))

    def on_pausing(self, happened: e.Pausing) -> None:
        for id in list(self._at_work):
            self.interrupt(id)

    def on_given_up(self, happened: e.WorkerLost | e.WorkerCancelled) -> None:
        at_work = self._at_work.get(happened.task_id)
        if at_work is not None and at_work.attempt == happened.attempt:
            at_work.task.cancel()
        if happened.attempt is not None:
            self._release(happened.task_id, happened.attempt)

    def on_ended(self, happened: e.WorkerEvent) -> None:
        self._release(happened.task_id, happened.attempt)

    def on_replaced(self, happened: e.WorkerReopened | e.WorkerSkipped) -> None:
        """What rested for a person isn't needed any more."""
        record = self._run.tasks.get(happened.task_id)
        attempt = record.attempt if record is not None else None
        if attempt is not None and attempt.state is AttemptState.SUPERSEDED:
            self._release(happened.task_id, attempt.number)

    def tidy(self) -> None:
        """Gives up the worktrees of ended attempts that an earlier holder had no time for."""
        if self._run.settings.isolation == "none" or isinstance(self._workspaces, BigtaskError):
            return
        for record in self._run.tasks.values():
            for attempt in record.attempts:
                if attempt.state in _OVER and self._workspaces.present(record.task.id, attempt.number):
                    self._release(record.task.id, attempt.number)

    def stop(self) -> None:
        """Ends every session here; what they were doing is found lost by the next holder."""
        for task in (*self._tasks, *(at_work.task for at_work in self._at_work.values())):
            task.cancel()

    def interrupt(self, task_id: str) -> None:
        """The attempt ends its turn at the next safe point, where its agent can; else it is left to end."""
        at_work = self._at_work.get(task_id)
        if at_work is not None and self._agent(at_work.agent).traits.can_interrupt:
            self._background(at_work.controls.interrupt())

    async def say(self, task_id: str, text: str) -> bool:
        """A person's words to the agent; False when no session of the task is open."""
        at_work = self._at_work.get(task_id)
        if at_work is None or at_work.controls.session is None:
            return False
        await at_work.controls.say(text)
        return True

    def integrate(self, task_id: str, number: int) -> None:
        self._background(self._take_in(task_id, number))

    async def _take_in(self, task_id: str, number: int) -> None:
        try:
            await self.prepare()
            workspaces = self.workspaces
        except BigtaskError as error:
            self.tell(o.Refused(task_id=task_id, attempt=number, reason=str(error)))
            return
        await self._integration.take_in(workspaces, task_id, number, self.tell)

    def _background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self.group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _agent(self, name: str) -> Agent:
        try:
            return self._agents[name]
        except KeyError:
            known = ", ".join(self._agents)
            raise NotFound(f"there is no agent {name!r}: choose one of {known}") from None

    async def _attempt(self, record: TaskRecord, attempt: Attempt, controls: Controls) -> None:
        task_id, number = record.task.id, attempt.number
        transcript = self._transcripts.open(task_id, number, goes_on=attempt.session_id is not None)
        try:
            self.tell(await self._carry_out(record, attempt, controls, transcript))
        except BigtaskError as error:
            self.tell(o.Failed(task_id=task_id, attempt=number, reason=str(error)))
        finally:
            transcript.close()
            at_work = self._at_work.get(task_id)
            if at_work is not None and at_work.attempt == number:
                del self._at_work[task_id]

    async def _carry_out(
        self, record: TaskRecord, attempt: Attempt, controls: Controls, transcript: Transcript
    ) -> o.Ended:
        task, number, settings = record.task, attempt.number, self._run.settings
        agent = self._agent(attempt.agent)
        workspace = await self._workspace(task.id, number, resumed=attempt.session_id is not None)
        await self._pace(agent)
        merged = await self._merged(task.id, number, workspace)
        briefing = self._briefer.brief(task.id, number, merged=merged)
        opening = Opening(
            name=attempt.session_name,
            cwd=workspace.path,
            env={**self._env, "TMPDIR": str(workspace.tmp)},
            read_only=briefing.read_only,
            permission_mode=settings.permission_mode,
            model=task.model or settings.model,
            effort=settings.effort,
            resume=attempt.session_id,
        )
        self._words.info("%s attempt %d starts with %s", task.id, number, agent.name)
        carried_out = AttemptRun(briefing, agent, opening, transcript, controls, self.tell)
        return await carried_out.carry_out(branch=workspace.branch or None)

    async def _merged(self, task_id: str, number: int, workspace: Workspace) -> str:
        """For the phases after the work: what it came to. Verification's commands run first."""
        if task_id not in (AGGREGATION, VERIFICATION):
            return ""
        checks: tuple[CheckResult, ...] = ()
        if task_id == VERIFICATION and self._run.settings.commands:
            checks = await self._integration.check(self._run.settings.commands, workspace)
            self.tell(o.Checked(task_id=task_id, attempt=number, results=checks))
        if self._run.settings.isolation == "none":
            return ""
        return describe(await self.workspaces.result(), checks)

    async def _workspace(self, task_id: str, number: int, *, resumed: bool) -> Workspace:
        if self._run.settings.isolation == "none":
            return self._project
        await self.prepare()
        if task_id in RESERVED:
            return self.workspaces.integration
        if resumed:
            # To acquire a workspace of an earlier holder puts what isn't committed aside, and the session
            # that goes on in it has written that.
            with suppress(NotFound):
                await self.workspaces.commit(task_id, number, "Before an interruption\n")
        return await self.workspaces.acquire(task_id, number)

    @cached_property
    def _project(self) -> Workspace:
        """The project itself, for read-only work."""
        tmp = self._folder.path / "tmp"
        tmp.mkdir(exist_ok=True)
        return Workspace(path=Path(self._run.created.source.cwd), branch="", start_commit="", tmp=tmp)

    async def prepare(self) -> None:
        async with self._preparing:
            if not self._prepared:
                settings = self._run.settings
                await self.workspaces.prepare(base=settings.base, include_changes=includes_changes(self._run))
                self._prepared = True

    async def _pace(self, agent: Agent) -> None:
        """Least time between two session starts of one agent."""
        declared = agent.traits.spawn_delay_ms
        delay_s = (self._run.settings.spawn_delay_ms if declared is None else declared) / 1000
        if not delay_s:
            return
        now = asyncio.get_running_loop().time()
        start = max(now, self._next_start.get(agent.name, now))
        self._next_start[agent.name] = start + delay_s
        await asyncio.sleep(start - now)

    def _release(self, task_id: str, number: int) -> None:
        if task_id not in RESERVED and self._run.settings.isolation != "none":
            self._background(self._let_go(task_id, number))

    async def _let_go(self, task_id: str, number: int) -> None:
        """The worktree goes when its session has ended; the branch stays, and whatever wasn't committed is
        kept under a rescue ref."""
        at_work = self._at_work.get(task_id)
        if at_work is not None and at_work.attempt == number:
            await asyncio.wait([at_work.task])
        try:
            await self.workspaces.release(task_id, number)
        except BigtaskError as error:
            self._words.warning("the workspace of %s %d stays: %s", task_id, number, error)


_ACTS: dict[type[e.Happened], Callable[[Hands, Any], None]] = {
    e.WorkerSpawned: Hands.on_spawned,
    e.WorkerResumed: Hands.on_spawned,
    e.WorkerReported: Hands.on_reported,
    e.WaitingRaised: Hands.on_waiting,
    e.Answered: Hands.on_answered,
    e.Pausing: Hands.on_pausing,
    e.WorkerLost: Hands.on_given_up,
    e.WorkerCancelled: Hands.on_given_up,
    e.WorkerReopened: Hands.on_replaced,
    e.WorkerSkipped: Hands.on_replaced,
    e.WorkerCompleted: Hands.on_ended,
    e.WorkerPartial: Hands.on_ended,
    e.WorkerFailed: Hands.on_ended,
    e.WorkerTimeout: Hands.on_ended,
    e.WorkerCrashed: Hands.on_ended,
}
"""`WorkerNeedsReview` isn't among them: a person may still take the work as it is."""
