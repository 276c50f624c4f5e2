"""The attempts that this process has under way: how each is begun, reached and seen to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from bigtask.agents.protocol import Agent
from bigtask.core import observations as o
from bigtask.core.gate import Held
from bigtask.core.phases.limits import WORTH_ASKING_MS
from bigtask.core.run import Attempt, Run, TaskRecord
from bigtask.core.values import RESERVED
from bigtask.errors import BigtaskError, NotFound
from bigtask.host import nesting
from bigtask.host.attempt import AttemptRun
from bigtask.host.attempt_clock import end_s
from bigtask.host.briefing import Briefer
from bigtask.host.controls import Controls
from bigtask.host.governor import Governor, Permit
from bigtask.host.left_sessions import LeftSessions
from bigtask.host.material import Material
from bigtask.host.opening import opening_of
from bigtask.host.places import Places
from bigtask.host.spacing import Spacing
from bigtask.host.stand_ins import others_usable, stand_ins_left
from bigtask.host.standing_answers import StandingAnswers
from bigtask.host.transcript import Transcript, Transcripts
from bigtask.host.trust import TrustGate
from bigtask.host.vigil import Vigil
from bigtask.process import minimal_env
from bigtask.sink import Redact, log
from bigtask.workspaces.values import Workspace

_NotBegun = o.Unprepared | o.Brings


@dataclass(frozen=True, slots=True, kw_only=True)
class _AtWork:
    attempt: int
    agent: str
    task: asyncio.Task[None]
    controls: Controls


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One attempt and what is used all the way through it."""

    record: TaskRecord
    attempt: Attempt
    controls: Controls
    transcript: Transcript

    @property
    def who(self) -> dict[str, Any]:
        """The fields that every observation of it begins with."""
        return {"task_id": self.record.task.id, "attempt": self.attempt.number}


class Attempts:
    """At most one a task. Each ends with one observation, whatever becomes of it; only one that is cancelled
    tells nothing."""

    def __init__(
        self,
        run: Run,
        agents: Mapping[str, Agent],
        places: Places,
        transcripts: Transcripts,
        briefer: Briefer,
        tell: Callable[[o.Observation], None],
        *,
        vigil: Vigil,
        left: LeftSessions,
        trust: TrustGate | None,
        governor: Governor,
        standing: StandingAnswers | None,
        handed: nesting.Handed | None,
        redact: Redact,
    ) -> None:
        """The optional parts as in `Hands`."""
        self._run = run
        self._agents = agents
        self._places = places
        self._transcripts = transcripts
        self._briefer = briefer
        self._tell = tell
        self._vigil = vigil
        self._left = left
        self._trust = trust
        self._governor = governor
        self._standing = standing
        self._handed = handed or (lambda run_id, task_id, number: {})
        self._env = minimal_env()
        self._material = Material(run, places, redact, tell)
        self._spacing = Spacing(run.settings.spawn_delay_ms)
        self._at_work: dict[str, _AtWork] = {}
        self._words = log("WorkerManager")

    def begin(self, task_id: str, number: int, group: asyncio.TaskGroup) -> None:
        """`group` owns the task that carries the attempt out."""
        record = self._run.record(task_id)
        assert record is not None
        attempt = record.attempts[number - 1]
        limit_s = self._briefer.timeout_ms(task_id) / 1000
        controls = Controls(end_s(limit_s) if attempt.time_up else limit_s)
        task = group.create_task(self._attempt(record, attempt, controls))
        self._at_work[task_id] = _AtWork(attempt=number, agent=attempt.agent, task=task, controls=controls)

    def task_ids(self) -> list[str]:
        """Of the tasks that have an attempt under way."""
        return list(self._at_work)

    def controls(self, task_id: str, number: int | None = None) -> Controls | None:
        """Of the attempt with that number, by default of whichever the task has; None where it is over."""
        at_work = self._found(task_id, number)
        return at_work.controls if at_work is not None else None

    def can_interrupt(self, task_id: str) -> bool:
        """Whether the task has an attempt under way whose agent ends its turn when it is asked to. Raises
        NotFound for an agent that doesn't exist."""
        at_work = self._found(task_id)
        return at_work is not None and self._agent(at_work.agent).traits.can_interrupt

    def cancel(self, task_id: str, number: int) -> None:
        at_work = self._found(task_id, number)
        if at_work is not None:
            at_work.task.cancel()

    def cancel_all(self) -> None:
        for at_work in self._at_work.values():
            at_work.task.cancel()

    async def wait_ended(self, task_id: str, number: int) -> None:
        """Until nothing of the attempt runs here any more."""
        at_work = self._found(task_id, number)
        if at_work is not None:
            await asyncio.wait([at_work.task])

    def _found(self, task_id: str, number: int | None = None) -> _AtWork | None:
        at_work = self._at_work.get(task_id)
        return at_work if at_work is not None and number in (None, at_work.attempt) else None

    def _agent(self, name: str) -> Agent:
        try:
            return self._agents[name]
        except KeyError:
            known = ", ".join(self._agents)
            raise NotFound(f"there is no agent {name!r}: choose one of {known}") from None

    async def _attempt(self, record: TaskRecord, attempt: Attempt, controls: Controls) -> None:
        task_id, number = record.task.id, attempt.number
        transcript = self._transcripts.open(task_id, number, goes_on=attempt.session_id is not None)
        case = _Case(record=record, attempt=attempt, controls=controls, transcript=transcript)
        try:
            ended = await self._carry_out(case)
            if isinstance(ended, o.Unavailable):
                left = await stand_ins_left(self._run, self._agents, attempt.agent)
                ended = msgspec.structs.replace(ended, others=left)
            self._tell(await self._judged(ended))
        except (BigtaskError, OSError) as error:
            # Such as a disk that is full: what was at work stays on its branch.
            self._tell(o.Failed(**case.who, reason=str(error)))
        finally:
            transcript.close()
            if self._found(task_id, number) is not None:
                del self._at_work[task_id]

    async def _carry_out(self, case: _Case) -> o.Ended | _NotBegun:
        """Everything that may hold the attempt up comes first: sessions that an earlier holder left at work,
        its workspace, what the project brings for its agent, the distance to the session before it, and its
        account."""
        task_id, number = case.record.task.id, case.attempt.number
        try:
            agent = self._agent(case.attempt.agent)
        except BigtaskError as error:
            return o.Unavailable(**case.who, reason=str(error))

        def say(printed: str) -> None:
            case.transcript.write("setup", printed)

        await self._left.wait_ended()
        resumed = case.attempt.session_id is not None
        workspace = await self._places.ready(task_id, number, say, resumed=resumed)
        if isinstance(workspace, o.Unprepared):
            return workspace
        trusted = await self._trusted(agent, task_id, number, workspace)
        if isinstance(trusted, o.Brings):
            return trusted
        permit = self._governor.permit(agent, self._run.id, f"{task_id} {number}")
        try:
            await self._spacing.wait_turn(agent)
            await case.controls.wait_out(permit.begin(lambda held: self._tell_held(case, permit, held)))
            if case.controls.interrupted:
                return o.Interrupted(**case.who)
            return await self._in_session(case, agent, workspace, permit, trusted=trusted)
        finally:
            permit.end()

    async def _trusted(
        self, agent: Agent, task_id: str, number: int, workspace: Workspace
    ) -> bool | o.Brings:
        if self._trust is None:
            return False
        return await self._trust.loads(agent, task_id, number, workspace.path)

    async def _in_session(
        self, case: _Case, agent: Agent, workspace: Workspace, permit: Permit, *, trusted: bool
    ) -> o.Ended:
        record, attempt = case.record, case.attempt
        task_id, number = record.task.id, attempt.number
        await self._vigil.begin(task_id, number)
        merged = await self._material.merged(task_id, number, workspace)
        conflict, places = await self._material.conflict(record, attempt)
        briefing = self._briefer.brief(task_id, number, merged=merged, conflict=conflict)
        opening = opening_of(
            self._run,
            record,
            attempt,
            agent,
            workspace,
            env={**self._env, **self._handed(self._run.id, task_id, number)},
            read_only=briefing.read_only,
            project_settings=trusted,
        )
        self._words.info("%s attempt %d starts with %s", task_id, number, agent.name)
        carried_out = AttemptRun(
            briefing,
            agent,
            opening,
            case.transcript,
            case.controls,
            self._notice,
            permit=permit,
            stall_after_s=self._run.settings.stall_after_ms / 1000,
            time_up=attempt.time_up,
            reasked=attempt.reasked,
            tools=attempt.tools,
        )
        return await carried_out.carry_out(branch=workspace.branch or None, places=places)

    async def _judged(self, ended: o.Ended | _NotBegun) -> o.Observation:
        """As it ended, or that it tampered. Reported work is looked at when it is taken in, and an attempt
        that rests when it has gone on."""
        taken_in = ended.task_id not in RESERVED and self._places.isolated
        if isinstance(ended, _NotBegun | o.Interrupted) or (isinstance(ended, o.Reported) and taken_in):
            return ended
        held = await self._vigil.held(ended.task_id, ended.attempt, self._tell)
        if not held:
            return ended
        who: dict[str, Any] = {"task_id": ended.task_id, "attempt": ended.attempt}
        return o.Tampered(**who, usage=ended.usage, tools=ended.tools, changed=held)

    def _tell_held(self, case: _Case, permit: Permit, held: Held) -> None:
        self._notice(o.held_up(held, permit.left_ms(held), **case.who))

    def _notice(self, seen: o.Observation) -> None:
        """Tells what is seen: a question with the answer that a person has given before, a long limit with
        the agents that could do the work meanwhile."""
        if isinstance(seen, o.Asked) and self._standing is not None:
            seen = self._standing.known(seen, self._agent(self._at_work[seen.task_id].agent))
        if isinstance(seen, o.Limited) and (seen.reset_ms or 0) >= WORTH_ASKING_MS:
            used = {at_work.agent for at_work in self._at_work.values()}
            others = others_usable(self._agents, used, self._run.created.template_id)
            seen = msgspec.structs.replace(seen, others=others)
        self._tell(seen)
