"""What a holder does once something is recorded: opens and ends sessions, commits and merges their work.

Everything here may happen twice, because the process may end at any moment between doing and recording
it; so everything here looks before it redoes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from bigtask.agents.protocol import Agent
from bigtask.core import events as e
from bigtask.core import observations as o
from bigtask.core.recovery import merges
from bigtask.core.run import Run
from bigtask.core.states import AttemptState
from bigtask.core.values import RESERVED
from bigtask.errors import BigtaskError
from bigtask.host import nesting
from bigtask.host.attempts import Attempts
from bigtask.host.briefing import Briefer
from bigtask.host.governor import Governor
from bigtask.host.home import RunFolder
from bigtask.host.hooks import Hooks
from bigtask.host.integration import Integration
from bigtask.host.left_sessions import LeftSessions
from bigtask.host.places import Places
from bigtask.host.preparation import Preparation
from bigtask.host.standing_answers import StandingAnswers
from bigtask.host.transcript import Transcripts
from bigtask.host.trust import TrustGate
from bigtask.host.vigil import Vigil
from bigtask.sink import Redact, log, nothing_secret
from bigtask.templates.template import Template
from bigtask.workspaces.run_workspaces import RunWorkspaces

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
        self._agents = agents
        self.resumable = Resumable(agents)
        self._questions: dict[str, tuple[str, int, str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._vigil = vigil or Vigil(None)
        self._standing = standing
        self._left = LeftSessions(run, agents)
        self._attempts = Attempts(
            run,
            agents,
            self.places,
            transcripts,
            Briefer(run, template, self.knows),
            lambda seen: self.tell(seen),
            vigil=self._vigil,
            left=self._left,
            trust=trust,
            governor=governor or Governor(),
            standing=standing,
            handed=handed,
            redact=redact,
        )
        self._integration = Integration(run, redact, self._vigil, self.places.of_checks)
        self.hooks = Hooks(run, self.places.of_hooks, redact)
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
        self._attempts.begin(happened.task_id, happened.attempt, self.group)

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
        controls = self._attempts.controls(task_id, number)
        if controls is not None:
            self._background(controls.answer(request_id, happened.answer))

    def remember(self, happened: e.Happened, at: int) -> None:
        """What outlives the run, also where nobody carries that out."""
        if isinstance(happened, e.Answered) and self._standing is not None:
            self._standing.keep(happened, at)

    def on_pausing(self, happened: e.Pausing) -> None:
        for id in self._attempts.task_ids():
            self.interrupt(id)

    def on_given_up(self, happened: e.WorkerLost | e.WorkerCancelled) -> None:
        if happened.attempt is not None:
            self._attempts.cancel(happened.task_id, happened.attempt)
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
        """Ends the sessions and gives up the worktrees of ended attempts that an earlier holder had no time
        for, and takes a merge out that it left undecided and nobody wants any more."""
        if self._standing is not None:
            self._standing.catch_up()
        if found := self._left.found():
            self._background(self._left.end(found))
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
        for task in self._tasks:
            task.cancel()
        self._attempts.cancel_all()

    def interrupt(self, task_id: str) -> None:
        """The attempt ends its turn at the next safe point, where its agent can; else it is left to end."""
        controls = None if self._stopped else self._attempts.controls(task_id)
        if controls is not None and self._attempts.can_interrupt(task_id):
            self._background(controls.interrupt())

    async def say(self, task_id: str, text: str) -> bool:
        """A person's words to the agent; False when no session of the task is open."""
        controls = self._attempts.controls(task_id)
        if controls is None or controls.session is None:
            return False
        await controls.say(text)
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

    def _release(self, task_id: str, number: int) -> None:
        if task_id not in RESERVED and self.places.isolated:
            self._background(self._let_go(task_id, number))

    async def _let_go(self, task_id: str, number: int) -> None:
        """The worktree goes when its session has ended; the branch stays, and whatever wasn't committed is
        kept under a rescue ref."""
        await self._attempts.wait_ended(task_id, number)
        await self._left.wait_ended()
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
