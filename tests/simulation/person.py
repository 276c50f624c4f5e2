"""A person: first does this and that at any moment, at last only what helps the run to its end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from bigtask.core import commands as c
from bigtask.core.edits import AddTask, DropTask, Edit, MergeTasks, ReorderTasks, SetTask
from bigtask.core.events import Merged
from bigtask.core.run import Run, TaskRecord
from bigtask.core.states import ENDED, FELL, NOT_BEGUN, AttemptState, WaitingKind
from bigtask.core.status import ALLOWED, status
from bigtask.core.values import VERIFICATION, Task, Waiting

from .referee import Violation

if TYPE_CHECKING:
    from .world import World

_MOST_S = 40_000.0
BY = "Ada"


class Person:
    def __init__(self, world: World) -> None:
        self._world = world
        self._chance: random.Random = world.chance
        self._commands = world.scene.commands
        self._more = world.scene.more
        self._added = 0
        self._named = 0
        self._unheard: list[c.AnyCommand] = []
        """Commands that had no answer: they are asked again, under the same name."""

    async def live(self) -> None:
        """Until the run is over and nothing more is wanted of it."""
        world = self._world
        while self._commands:
            self._commands -= 1
            await asyncio.sleep(self._chance.random() * self._chance.choice((0.1, 1, 8)))
            life = world.life
            if life is not None and life.alive:
                await self._anything(life.run)
        while not world.last_life:
            await asyncio.sleep(1.0)
            if world.life is None or not world.life.alive:
                continue
            if world.life.run.outcome is not None or self._chance.random() < 0.02:
                world.life.close()
            elif self._chance.random() < 0.5:
                await self._help(world.life.run)
        world.calm = True
        while True:
            await self._help_to_the_end()
            if not self._more:
                return
            self._more = False
            assert world.life is not None
            if self._chance.random() < 0.3:
                await world.life.record(Merged(commit="m", by=BY))
            await self._anything(world.life.run)

    async def _help_to_the_end(self) -> None:
        world = self._world
        begun = world.loop.time()
        pause_s = 0.1
        while True:
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, 60.0)
            run = world.referee.run
            if run is not None and run.outcome is not None:
                return
            if world.loop.time() - begun > _MOST_S + 2 * world.jumped_s:
                assert run is not None
                states = {record.task.id: record.state.value for record in run.all_records()}
                raise Violation(
                    f"the run stands still: {states}, live {run.live}, waiting {list(run.waiting)}"
                )
            if world.life is not None and world.life.alive:
                await self._help(world.life.run)

    async def _help(self, run: Run) -> None:
        """Whatever the run waits for."""
        life = self._world.life
        assert life is not None
        if not run.started:
            await life.ask(c.Start(by=BY))
        elif run.paused or run.pausing:
            await life.ask(c.Resume(by=BY))
        for waiting in list(run.waiting.values()):
            await life.ask(self._answer(waiting))
        for record in list(run.all_records()):
            if _rests(record):
                await life.ask(c.ResumeTask(task_id=record.task.id, by=BY))

    def _answer(self, waiting: Waiting) -> c.AnyCommand:
        options = [option for option in waiting.options if option not in ("stop", "cancel", "edit")]
        said = self._chance.choice(options)
        if waiting.kind is WaitingKind.ANSWER and self._chance.random() < 0.5:
            data = {"task_id": waiting.task_id, "summary": "by hand", "recommended_splits": 1}
            data["status"] = "passed" if waiting.task_id == VERIFICATION else "success"
            data["tasks"] = list(self._world.scene.tasks)
            return c.Answer(waiting_id=waiting.id, answer="edit", data=data, by=BY)
        if waiting.kind is WaitingKind.PLAN and self._chance.random() < 0.5:
            return c.Confirm(by=BY)
        scope = self._chance.choice(("once", "task", "run"))
        return c.Answer(waiting_id=waiting.id, answer=said, scope=scope, by=BY)

    async def _anything(self, run: Run) -> None:
        """Mostly what makes sense just now."""
        life = self._world.life
        if life is None or not life.alive:
            return
        live = list(run.live)
        if live and self._chance.random() < 0.15:
            life.hands.interrupt(self._chance.choice(live))
            return
        if live and self._chance.random() < 0.03:
            await life.hands.say(self._chance.choice(live), "go on")
            return
        if self._unheard and self._chance.random() < 0.7:
            command = self._unheard.pop()
        else:
            verbs = self._sensible(run) if self._chance.random() < 0.95 else list(_UNASKED)
            command = _UNASKED[self._chance.choice(verbs)](self, run)
            self._named += 1
            command = msgspec.structs.replace(command, id=f"c{self._named}")
        if not await life.ask(command):
            self._unheard.append(command)

    def _sensible(self, run: Run) -> list[str]:
        possible = ALLOWED[status(run)]
        verbs = [verb for verb in _UNASKED if verb in possible]
        if run.waiting:
            verbs += ["answer"] * 2
        if run.tasks and run.outcome is None:
            verbs += ["cancelTask", "skipTask"]
        if any(_rests(record) for record in run.all_records()):
            verbs += ["resumeTask"] * 2
        return verbs

    def _task(self, run: Run, fits: Callable[[TaskRecord], bool]) -> str:
        ids = [record.task.id for record in run.all_records() if fits(record)]
        return self._chance.choice(ids) if ids and self._chance.random() < 0.95 else "nobody"

    def _start(self, run: Run) -> c.AnyCommand:
        return c.Start(by=BY)

    def _confirm(self, run: Run) -> c.AnyCommand:
        some = list(run.tasks)[:2] if self._chance.random() < 0.5 else []
        wanted = {id: c.Modification(skip=self._chance.random() < 0.5, priority=1) for id in some}
        return c.Confirm(by=BY, modifications=wanted)

    def _pause(self, run: Run) -> c.AnyCommand:
        return c.Pause(now=self._chance.random() < 0.5, by=BY)

    def _resume(self, run: Run) -> c.AnyCommand:
        return c.Resume(by=BY)

    def _cancel(self, run: Run) -> c.AnyCommand:
        return c.Cancel(by=BY) if self._chance.random() < 0.1 else self._pause(run)

    def _retry(self, run: Run) -> c.AnyCommand:
        if self._chance.random() < 0.3:
            return c.Retry(by=BY)
        return c.Retry(task_id=self._task(run, lambda record: record.state in ENDED), by=BY)

    def _edit_plan(self, run: Run) -> c.AnyCommand:
        revision = run.plan.revision if run.plan is not None else 1
        edits = tuple(self._edit(run) for _ in range(self._chance.choice((1, 1, 2))))
        return c.EditPlan(revision=revision, edits=edits, by=BY)

    def _cancel_task(self, run: Run) -> c.AnyCommand:
        return c.CancelTask(task_id=self._task(run, lambda record: record.state not in ENDED), by=BY)

    def _skip_task(self, run: Run) -> c.AnyCommand:
        return c.SkipTask(task_id=self._task(run, lambda record: not record.met), by=BY)

    def _resume_task(self, run: Run) -> c.AnyCommand:
        return c.ResumeTask(task_id=self._task(run, _rests), by=BY)

    def _some_answer(self, run: Run) -> c.AnyCommand:
        if not run.waiting:
            return c.Answer(waiting_id="w0", answer="allow", by=BY)
        waiting = self._chance.choice(list(run.waiting.values()))
        if self._chance.random() < 0.7:
            return self._answer(waiting)
        answer = self._chance.choice([option for option in waiting.options if option != "edit"])
        return c.Answer(waiting_id=waiting.id, answer=answer, by=BY)

    def _edit(self, run: Run) -> Edit:
        chance = self._chance
        ids = [record.task.id for record in run.tasks.values() if record.state in NOT_BEGUN | FELL]
        some = chance.sample(ids, min(len(ids), 2))
        match chance.randrange(5):
            case 0:
                return AddTask(task=self._new(some))
            case 1 if some:
                return DropTask(id=some[0])
            case 2 if some:
                fields: dict[str, Any] = {"priority": chance.randint(1, 10)}
                if chance.random() < 0.5:
                    fields["dependencies"] = some[1:]
                return SetTask(id=some[0], fields=fields)
            case 3 if len(some) == 2:
                return MergeTasks(ids=tuple(some), task=self._new([]))
            case _:
                return ReorderTasks(ids=tuple(some[:1]))

    def _new(self, needs: list[str]) -> Task:
        self._added += 1
        return Task(id=f"n{self._added}", title="Something new", dependencies=tuple(needs))


_UNASKED: dict[str, Callable[[Person, Run], c.AnyCommand]] = {
    "start": Person._start,
    "confirm": Person._confirm,
    "pause": Person._pause,
    "resume": Person._resume,
    "cancel": Person._cancel,
    "retry": Person._retry,
    "edit": Person._edit_plan,
    "answer": Person._some_answer,
    "cancelTask": Person._cancel_task,
    "skipTask": Person._skip_task,
    "resumeTask": Person._resume_task,
}
"""What a person does by themselves, by its verb."""


def _rests(record: TaskRecord) -> bool:
    return record.attempt is not None and record.attempt.state is AttemptState.PAUSED
