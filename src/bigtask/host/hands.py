"""What a holder does once something is recorded: opens and ends sessions, commits and merges their work.

Everything here may happen twice, because the process may end at any moment between doing and recording
it; so everything here looks before it redoes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from bigtask.agents.protocol import Agent
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.checks import commands_of_whole
from bigtask.core.gate import Held
from bigtask.core.phases.limits import WORTH_ASKING_MS
from bigtask.core.recovery import merges
from bigtask.core.run import Attempt, Run, TaskRecord
from bigtask.core.states import AttemptState
from bigtask.core.values import AGGREGATION, RESERVED, VERIFICATION, CheckResult
from bigtask.errors import BigtaskError, NotFound
from bigtask.host import nesting
from bigtask.host.attempt import AttemptRun
from bigtask.host.attempt_clock import end_s
from bigtask.host.briefing import Briefer
from bigtask.host.checking import check
from bigtask.host.controls import Controls
from bigtask.host.governor import Governor, Permit
from bigtask.host.home import RunFolder
from bigtask.host.hooks import Hooks
from bigtask.host.integration import Integration, places_of
from bigtask.host.merged_work import describe, describe_for_verdict
from bigtask.host.opening import opening_of
from bigtask.host.places import Places
from bigtask.host.preparation import Preparation
from bigtask.host.resolution import describe as describe_conflict
from bigtask.host.stand_ins import first_usable
from bigtask.host.standing_answers import StandingAnswers
from bigtask.host.transcript import Transcript, Transcripts
from bigtask.host.trust import TrustGate
from bigtask.host.vigil import Vigil
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
        standing: StandingAnswers | None = None,
        handed: nesting.Handed | None = None,
        redact: Redact = nothing_secret,
    ) -> None:
        """Without a `preparation` workspaces are used as they are; without a `vigil` nobody looks at what
        attempts do to the repository; without `trust` agents load nothing of the project by themselves;
        without a `governor` the run's sessions share nothing with those of others."""
        self._run = run
        self.places = Places(run, folder, workspaces, preparation)
        self._transcripts = transcripts
        self._briefer = Briefer(run, template, self.knows)
        self._env = minimal_env()
        self._handed = handed or (lambda run_id, task_id, number: {})
        self._agents = agents
        self.resumable = Resumable(agents)
        self._redact = redact
        self._at_work: dict[str, _AtWork] = {}
        self._questions: dict[str, tuple[str, int, str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._vigil = vigil or Vigil(None)
        self._trust = trust
        self._governor = governor or Governor()
        self._standing = standing
        self._integration = Integration(run, redact, self._vigil, self.places.of_checks)
        self.hooks = Hooks(run, self.places.of_hooks, redact)
        self._next_start: dict[str, float] = {}
        self._words = log("WorkerManager")

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
        limit_s = self._briefer.timeout_ms(happened.task_id) / 1000
        controls = Controls(end_s(limit_s) if attempt.time_up else limit_s)
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

    def remember(self, happened: e.Happened, at: int) -> None:
        """What outlives the run, also where nobody carries that out."""
        if isinstance(happened, e.Answered) and self._standing is not None:
            self._standing.keep(happened, at)

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
        if self._standing is not None:
            self._standing.catch_up()
        if not self.places.isolated or not self.places.reachable:
            return
        workspaces = self.places.workspaces
        if self._run.started and not self._run.integrating:
            self._background(self._integration.tidy(workspaces))
        for record in self._run.tasks.values():
            for attempt in record.attempts:
                if attempt.state in _OVER and workspaces.present(record.task.id, attempt.number):
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
            await self.places.prepare()
            workspaces = self.places.workspaces
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
            if isinstance(ended, o.Unavailable):
                ended = msgspec.structs.replace(ended, others=await self._stand_ins(attempt.agent))
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
        taken_in = ended.task_id not in RESERVED and self.places.isolated
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
        try:
            agent = self._agent(attempt.agent)
        except BigtaskError as error:
            return o.Unavailable(task_id=task.id, attempt=number, reason=str(error))

        def say(printed: str) -> None:
            transcript.write("setup", printed)

        resumed = attempt.session_id is not None
        workspace = await self.places.ready(task.id, number, say, resumed=resumed)
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
        left_ms = None if held.until is None else max(held.until - self._governor.now(), 0)
        self._notice(o.held_up(held, left_ms, task_id=task_id, attempt=number))

    def _notice(self, seen: o.Observation) -> None:
        """What is seen, and for a long limit which other agents could do the work."""
        if isinstance(seen, o.Asked) and self._standing is not None:
            at_work = self._at_work[seen.task_id]
            seen = self._standing.known(seen, self._agent(at_work.agent))
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

    async def _stand_ins(self, agent: str) -> tuple[str, ...]:
        """The first that can do the work of `agent` from here on."""
        run = self._run
        left = [name for name in run.settings.fallback if name != agent and name not in run.replaced]
        # An application that has to be asked may take its time.
        found = await asyncio.to_thread(first_usable, self._agents, left, run.created.template_id)
        return (found.name,) if found is not None else ()

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
        opening = opening_of(
            self._run,
            record,
            attempt,
            agent,
            workspace,
            env={**self._env, **self._handed(self._run.id, task.id, number)},
            read_only=briefing.read_only,
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
            stall_after_s=settings.stall_after_ms / 1000,
            time_up=attempt.time_up,
            reasked=attempt.reasked,
            tools=attempt.tools,
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
        run, isolated = self._run, self.places.isolated
        if task_id == AGGREGATION:
            if not isolated:
                return ""
            await self.places.workspaces.begin_phase(number)
            return describe(run, await self.places.workspaces.result())
        checks: tuple[CheckResult, ...] = ()
        if isolated:
            await self.places.workspaces.clear_integration()
        if commands := commands_of_whole(run):
            checks = await check(commands, workspace, self._redact)
            self.tell(o.Checked(task_id=task_id, attempt=number, results=checks))
        if not isolated:
            return describe_for_verdict(run, checks)
        patch = (await self.places.workspaces.diff()).decode(errors="replace")
        return describe_for_verdict(run, checks, await self.places.workspaces.result(), patch)

    async def _conflict(self, record: TaskRecord, attempt: Attempt) -> tuple[str, dict[str, str]]:
        """For one who resolves a conflict: what it is and what both sides wanted, and where it lies."""
        if attempt.resolves is None:
            return "", {}
        begun = await self.places.begun(record.task.id, attempt)
        return describe_conflict(self._run, record, begun), places_of(begun)

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
        if task_id not in RESERVED and self.places.isolated:
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
            await self.places.workspaces.release(task_id, number)
        except BigtaskError as error:
            self._words.warning("the workspace of %s %d stays: %s", task_id, number, error)


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
