"""What a holder does once something is recorded: opens and ends sessions, commits and merges their work.

Everything here may happen twice, because the process may end at any moment between doing and recording
it; so everything here looks before it redoes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from bigtask.agents.protocol import Agent, Opening, UsageReported
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.budget import left_usd
from bigtask.core.checks import commands_of_whole
from bigtask.core.gate import Held
from bigtask.core.phases.intake import includes_changes
from bigtask.core.phases.limits import WORTH_ASKING_MS
from bigtask.core.recovery import merges
from bigtask.core.run import Attempt, Run, TaskRecord
from bigtask.core.states import AttemptState
from bigtask.core.values import AGGREGATION, ANALYSIS, PLANNING, RESERVED, VERIFICATION, CheckResult, Usage
from bigtask.errors import BigtaskError, NotFound
from bigtask.host.attempt import AttemptRun, Controls
from bigtask.host.briefing import Briefer
from bigtask.host.checking import check
from bigtask.host.governor import Governor, Permit
from bigtask.host.home import RunFolder
from bigtask.host.hooks import Hooks
from bigtask.host.integration import Integration, places_of, strategy_of
from bigtask.host.merged_work import describe, describe_for_verdict
from bigtask.host.preparation import Preparation
from bigtask.host.resolution import describe as describe_conflict
from bigtask.host.transcript import Transcript, Transcripts
from bigtask.host.trust import TrustGate
from bigtask.host.vigil import Vigil
from bigtask.process import minimal_env
from bigtask.sink import Redact, log, nothing_secret
from bigtask.templates.template import Template
from bigtask.workspaces.run_workspaces import RunWorkspaces
from bigtask.workspaces.values import Begun, Workspace

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


_NotBegun = o.Unprepared | o.Brings


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
        preparation: Preparation | None = None,
        vigil: Vigil | None = None,
        trust: TrustGate | None = None,
        governor: Governor | None = None,
        redact: Redact = nothing_secret,
    ) -> None:
        """Without a `preparation` workspaces are used as they are; without a `vigil` nobody looks at what
        attempts do to the repository; without `trust` agents load nothing of the project by themselves;
        without a `governor` the run's sessions share nothing with those of others."""
        self._run = run
        self._preparation = preparation
        self._folder = folder
        self._transcripts = transcripts
        self._briefer = Briefer(run, template, self.knows)
        self._env = minimal_env()
        self._agents = agents
        self.resumable = Resumable(agents)
        self._workspaces = workspaces
        self._redact = redact
        self._at_work: dict[str, _AtWork] = {}
        self._questions: dict[str, tuple[str, int, str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._vigil = vigil or Vigil(None)
        self._trust = trust
        self._governor = governor or Governor()
        self._integration = Integration(run, redact, self._vigil, self._place_of_checks)
        self.hooks = Hooks(run, self._place_of_hooks, redact)
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

    @property
    def uses_git(self) -> bool:
        return self._run.settings.isolation != "none" and isinstance(self._workspaces, RunWorkspaces)

    def knows(self, name: str) -> bool:
        """Whether there is an agent of that name."""
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

    def on_reported(self, happened: e.WorkerReported | e.WorkerSettling) -> None:
        id = happened.task_id
        if merges(self._run, id) and self._run.integrating.get(id) == happened.attempt:
            self.integrate(id, happened.attempt)

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

    def on_quarantined(self, happened: e.WorkerQuarantined) -> None:
        """A person may still take the work as it is: then it isn't looked at again."""
        self._vigil.forget(happened.task_id, happened.attempt)

    def on_replaced(self, happened: e.WorkerReopened | e.WorkerSkipped | e.WorkerResolving) -> None:
        """What rested for a person isn't needed any more."""
        record = self._run.tasks.get(happened.task_id)
        attempt = record.attempt if record is not None else None
        if attempt is not None and attempt.state is AttemptState.SUPERSEDED:
            self._release(happened.task_id, attempt.number)

    def tidy(self) -> None:
        """Gives up the worktrees of ended attempts that an earlier holder had no time for, and takes a merge
        out that it left undecided and nobody wants any more."""
        if self._run.settings.isolation == "none" or isinstance(self._workspaces, BigtaskError):
            return
        if self._run.started and not self._run.integrating:
            self._background(self._integration.tidy(self._workspaces))
        for record in self._run.tasks.values():
            for attempt in record.attempts:
                if attempt.state in _OVER and self._workspaces.present(record.task.id, attempt.number):
                    self._release(record.task.id, attempt.number)

    def stop(self) -> None:
        """Ends every session here, and every hook: the next holder finds what sessions were doing lost, and
        begins hooks again."""
        self.hooks.stop()
        self._stopped = True
        for task in (*self._tasks, *(at_work.task for at_work in self._at_work.values())):
            task.cancel()

    def interrupt(self, task_id: str) -> None:
        """The attempt ends its turn at the next safe point, where its agent can; else it is left to end."""
        at_work = None if self._stopped else self._at_work.get(task_id)
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
        except (BigtaskError, OSError) as error:
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
            ended = await self._carry_out(record, attempt, controls, transcript)
            self.tell(await self._judged(ended))
        except (BigtaskError, OSError) as error:
            # Such as a disk that is full: what was at work stays on its branch.
            self.tell(o.Failed(task_id=task_id, attempt=number, reason=str(error)))
        finally:
            transcript.close()
            at_work = self._at_work.get(task_id)
            if at_work is not None and at_work.attempt == number:
                del self._at_work[task_id]

    async def _judged(self, ended: o.Ended | _NotBegun) -> o.Observation:
        """As it ended, or that it tampered. Reported work is looked at when it is taken in, and an attempt
        that rests when it has gone on."""
        taken_in = ended.task_id not in RESERVED and self._run.settings.isolation != "none"
        if isinstance(ended, _NotBegun | o.Interrupted) or (isinstance(ended, o.Reported) and taken_in):
            return ended
        held = await self._vigil.held(ended.task_id, ended.attempt, self.tell)
        if not held:
            return ended
        who: dict[str, Any] = {"task_id": ended.task_id, "attempt": ended.attempt}
        return o.Tampered(**who, usage=ended.usage, tools=ended.tools, changed=held)

    async def _carry_out(
        self, record: TaskRecord, attempt: Attempt, controls: Controls, transcript: Transcript
    ) -> o.Ended | _NotBegun:
        task, number = record.task, attempt.number
        agent = self._agent(attempt.agent)
        workspace = await self._ready(task.id, number, transcript, resumed=attempt.session_id is not None)
        if isinstance(workspace, o.Unprepared):
            return workspace
        trusted = await self._trusted(agent, task.id, number, workspace)
        if isinstance(trusted, o.Brings):
            return trusted
        permit = self._governor.permit(agent, self._run.id, f"{task.id} {number}")
        try:
            await self._pace(agent)
            await controls.wait_out(permit.begin(lambda held: self._tell_held(task.id, number, held)))
            if controls.interrupted:
                return o.Interrupted(task_id=task.id, attempt=number)
            return await self._permitted(
                record, attempt, agent, workspace, transcript, controls, permit, trusted
            )
        finally:
            permit.end()

    def _tell_held(self, task_id: str, number: int, held: Held) -> None:
        if held.kind:
            reset_ms = None if held.until is None else max(held.until - self._governor.now(), 0)
            self._notice(o.Limited(task_id=task_id, attempt=number, kind=held.kind, reset_ms=reset_ms))
        else:
            self.tell(o.Held(task_id=task_id, attempt=number, reason=held.why))

    def _notice(self, seen: o.Observation) -> None:
        """What is seen, and for a long limit which other agents could do the work."""
        if isinstance(seen, o.Limited) and (seen.reset_ms or 0) >= WORTH_ASKING_MS:
            seen = msgspec.structs.replace(seen, others=self._others())
        self.tell(seen)

    def _others(self) -> tuple[str, ...]:
        template_id, used = self._run.created.template_id, {a.agent for a in self._at_work.values()}
        found = []
        for name in self._agents:
            agent = self._agents[name]
            fits = name not in used and agent.refuses(template_id=template_id) is None
            if fits and agent.availability().usable:
                found.append(name)
        return tuple(found)

    async def _permitted(
        self,
        record: TaskRecord,
        attempt: Attempt,
        agent: Agent,
        workspace: Workspace,
        transcript: Transcript,
        controls: Controls,
        permit: Permit,
        trusted: bool,
    ) -> o.Ended:
        task, number, settings = record.task, attempt.number, self._run.settings
        await self._vigil.begin(task.id, number)
        # What is in files isn't recorded, but what an agent is told is.
        merged = self._redact(await self._merged(task.id, number, workspace))
        conflict, places = await self._conflict(record, attempt)
        briefing = self._briefer.brief(task.id, number, merged=merged, conflict=self._redact(conflict))
        # A model's name says nothing to the agent that a person has chosen instead.
        instead = agent.name != (task.agent or settings.agent)
        opening = Opening(
            name=attempt.session_name,
            cwd=workspace.path,
            env={**self._env, **workspace.env},
            read_only=briefing.read_only,
            permission_mode=settings.permission_mode,
            model=None if instead else task.model or settings.model,
            effort=settings.effort,
            resume=attempt.session_id,
            used=_reported(attempt.usage) if attempt.session_id is not None else None,
            budget_usd=left_usd(self._run, task.id),
            project_settings=trusted,
        )
        self._words.info("%s attempt %d starts with %s", task.id, number, agent.name)
        carried_out = AttemptRun(
            briefing,
            agent,
            opening,
            transcript,
            controls,
            self._notice,
            permit=permit,
            reasked=attempt.reasked,
        )
        return await carried_out.carry_out(branch=workspace.branch or None, places=places)

    async def _trusted(
        self, agent: Agent, task_id: str, number: int, workspace: Workspace
    ) -> bool | o.Brings:
        if self._trust is None:
            return False
        return await self._trust.loads(agent, task_id, number, workspace.path)

    async def _merged(self, task_id: str, number: int, workspace: Workspace) -> str:
        """For the phases after the work: what it came to. Verification's commands run first."""
        if task_id not in (AGGREGATION, VERIFICATION):
            return ""
        run, isolated = self._run, self._run.settings.isolation != "none"
        if task_id == AGGREGATION:
            if not isolated:
                return ""
            await self.workspaces.begin_phase(number)
            return describe(run, await self.workspaces.result())
        checks: tuple[CheckResult, ...] = ()
        if isolated:
            await self.workspaces.clear_integration()
        if commands := commands_of_whole(run):
            checks = await check(commands, workspace, self._redact)
            self.tell(o.Checked(task_id=task_id, attempt=number, results=checks))
        if not isolated:
            return describe_for_verdict(run, checks)
        patch = (await self.workspaces.diff()).decode(errors="replace")
        return describe_for_verdict(run, checks, await self.workspaces.result(), patch)

    async def _conflict(self, record: TaskRecord, attempt: Attempt) -> tuple[str, dict[str, str]]:
        """For one who resolves a conflict: what it is and what both sides wanted, and where it lies."""
        if attempt.resolves is None:
            return "", {}
        begun = await self._begun(record.task.id, attempt)
        return describe_conflict(self._run, record, begun), places_of(begun)

    async def _begun(self, task_id: str, attempt: Attempt) -> Begun:
        strategy = strategy_of(self._run, attempt)
        return await self.workspaces.begin_merge(task_id, attempt.number, strategy, work=attempt.resolves)

    async def _ready(
        self, task_id: str, number: int, transcript: Transcript, *, resumed: bool
    ) -> Workspace | o.Unprepared:
        """The workspace with all that work in it needs, or what is in the way."""
        preparation = self._preparation
        if preparation is None or self._run.settings.isolation == "none" or task_id in (ANALYSIS, PLANNING):
            return await self._workspace(task_id, number, resumed=resumed)
        unprepared = await preparation.room(task_id, number)
        if unprepared is not None:
            return unprepared
        workspace = await self._workspace(task_id, number, resumed=resumed)

        def say(printed: str) -> None:
            transcript.write("setup", printed)

        unprepared = await preparation.prepare(task_id, number, workspace, self.workspaces, say)
        return unprepared or workspace

    async def _workspace(self, task_id: str, number: int, *, resumed: bool) -> Workspace:
        if self._run.settings.isolation == "none" or task_id in RESERVED:
            return await self._integration_workspace()
        await self.prepare()
        attempt = self._run.tasks[task_id].attempts[number - 1]
        if attempt.resolves is not None:
            return (await self._begun(task_id, attempt)).workspace
        if resumed:
            # To acquire a workspace of an earlier holder puts what isn't committed aside, and the session
            # that goes on in it has written that.
            with suppress(NotFound):
                await self.workspaces.commit(task_id, number, "Before an interruption\n")
        return await self.workspaces.acquire(task_id, number)

    async def _integration_workspace(self) -> Workspace:
        if self._run.settings.isolation == "none":
            return self._project
        await self.prepare()
        return self.workspaces.integration

    async def _place_of_checks(self) -> Workspace | None:
        """Where what is merged is checked, with what its commands need; None where that can't be had."""
        workspace = await self._integration_workspace()
        if self._preparation is None:
            return workspace
        quiet: list[str] = []
        unprepared = await self._preparation.prepare(AGGREGATION, 1, workspace, self.workspaces, quiet.append)
        if unprepared is not None:
            self._words.warning("what is merged isn't checked again: %s", unprepared.reason)
            return None
        return workspace

    async def _place_of_hooks(self) -> Workspace:
        """At its top, wherever below that the run was started: a template names its programs from there."""
        if self._run.settings.isolation == "none":
            workspace = self._project
        else:
            await self.prepare()
            workspace = await self.workspaces.beside()
        top = workspace.path
        for _ in PurePosixPath(self._run.created.source.prefix).parts:
            top = top.parent
        return replace(workspace, path=top)

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
            held = await self._vigil.held(task_id, number, self.tell)
            if held:
                self.tell(o.Tampered(task_id=task_id, attempt=number, changed=held))
                self._vigil.forget(task_id, number)
            await self.workspaces.release(task_id, number)
        except BigtaskError as error:
            self._words.warning("the workspace of %s %d stays: %s", task_id, number, error)


def _reported(usage: Usage) -> UsageReported:
    return UsageReported(
        input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cost_usd=usage.cost_usd
    )


_ACTS: dict[type[e.Happened], Callable[[Hands, Any], None]] = {
    e.WorkerSpawned: Hands.on_spawned,
    e.WorkerResumed: Hands.on_spawned,
    e.WorkerReported: Hands.on_reported,
    e.WorkerSettling: Hands.on_reported,
    e.WaitingRaised: Hands.on_waiting,
    e.Answered: Hands.on_answered,
    e.Pausing: Hands.on_pausing,
    e.WorkerLost: Hands.on_given_up,
    e.WorkerCancelled: Hands.on_given_up,
    e.WorkerReopened: Hands.on_replaced,
    e.WorkerSkipped: Hands.on_replaced,
    e.WorkerResolving: Hands.on_replaced,
    e.WorkerCompleted: Hands.on_ended,
    e.WorkerPartial: Hands.on_ended,
    e.WorkerFailed: Hands.on_ended,
    e.WorkerTimeout: Hands.on_ended,
    e.WorkerCrashed: Hands.on_ended,
    e.WorkerQuarantined: Hands.on_quarantined,
}
"""`WorkerNeedsReview` isn't among them: a person may still take the work as it is."""
