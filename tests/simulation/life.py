"""One holder's life: from the fold of what is on the disk to its end, be that a crash or a farewell."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from bigtask.core import observations as o
from bigtask.core.commands import AnyCommand
from bigtask.core.events import Happened, decode, encode
from bigtask.core.evolve import fold
from bigtask.core.run import Run
from bigtask.core.values import Evidence, Report
from bigtask.errors import BigtaskError, NotFound, StoreError
from bigtask.host.governor import Governor
from bigtask.host.hands import Hands
from bigtask.host.holder import Holder
from bigtask.host.home import RunFolder

from .agents import SimulatedAgent
from .disk import SimulatedLog
from .loop import OWNER, Numbered, VirtualLoop
from .referee import RUN_ID, Referee, Violation
from .repository import HOME, Key, SimulatedWorkspaces
from .scene import DEAF, PATIENT, PLAIN, TEMPLATE, LifePlan, Scene, Temper

if TYPE_CHECKING:
    from .world import World

_PATIENCE_S = 120.0


class Life:
    def __init__(self, world: World, number: int, plan: LifePlan) -> None:
        self.world = world
        self.number = number
        self.plan = plan
        self.alive = True
        self.killed = False
        self.referee: Referee = world.referee
        self.scene: Scene = world.scene
        self.temper: Temper = world.scene.temper
        self.chance: random.Random = world.chance
        self.run: Run = fold(RUN_ID, world.disk.events)
        self._log = SimulatedLog(world.disk, self)
        self._tasks: list[Numbered] = []
        self._context = copy_context()
        self._context.run(OWNER.set, self._tasks)
        self._asked: list[Numbered] = []
        agents = {name: SimulatedAgent(name, self) for name in (PLAIN, PATIENT, DEAF)}
        self.hands = Hands(
            self.run,
            RunFolder(HOME),  # type: ignore[arg-type]  # a path that touches no disk
            TEMPLATE,
            agents,
            self._workspaces(),  # type: ignore[arg-type]  # what the host uses of them
            Silent(),  # type: ignore[arg-type]  # likewise
            governor=Governor(chance=world.limits_chance),
        )
        self.holder = Holder(
            self.run,
            self._log,
            self.hands,
            now=world.clock(),
            chance=self.chance,
            idle=plan.idle,
        )
        self._carrying: Numbered | None = None

    def _workspaces(self) -> SimulatedWorkspaces | NotFound:
        if self.plan.gone:
            return NotFound("the project is gone")
        return SimulatedWorkspaces(self.world.repository, self)

    # What the simulated world asks

    def goes_wrong(self, chance: float) -> bool:
        """Draws nothing where nothing can go wrong."""
        return chance > 0.0 and self.chance.random() < chance

    async def takes(self, most_s: float) -> None:
        """Some time, up to `most_s` and now and then far beyond; often none at all."""
        chance = self.chance.random()
        if chance < 0.3:
            return
        if chance < 0.5:
            await asyncio.sleep(0)
            return
        slow = self.temper.slow and chance > 0.99
        await asyncio.sleep(self.chance.random() * most_s * (30 if slow else 1))

    def write(self, key: Key) -> None:
        if self.alive:
            self.world.repository.write(key)

    # What the world does with it

    async def live(self) -> None:
        """Until it dies, or until it is told to end."""
        loop: VirtualLoop = self.world.loop
        carrying = self._carrying = self._start(self.holder.carry_out())
        follower = self._start(self._follow(self.chance.choice((0, self.run.seq))))
        late = self._start(self._late())
        plan = self.plan
        if plan.after_s is not None:
            end = self.holder.close if plan.orderly else self.kill
            loop.call_later(plan.after_s, end)
        if plan.after_steps is not None:
            loop.call_at_step(loop.steps + plan.after_steps, self.kill)
        await asyncio.wait([carrying])
        self.alive = False
        self._judge(carrying)
        late.cancel()
        await self._wait_for([follower, late])
        await self._wait_for([task for task in self._tasks if not task.done()])
        for task in self._tasks:
            error = None if task.cancelled() else task.exception()
            if error is not None and not isinstance(error, BigtaskError):
                raise first_violation(error) or Violation(f"{_names([task])} failed: {error!r}") from error
        if not self.killed:
            self._compare()

    def close(self) -> None:
        if self.alive:
            self.holder.close()

    def kill(self) -> None:
        """Nothing that it does from now on can be seen."""
        if not self.alive or self._carrying is None or self._carrying.done():
            return
        self.alive, self.killed = False, True
        self._compare()
        for task in (self._carrying, *self._asked, *self._tasks[:3]):
            task.cancel()

    def _compare(self) -> None:
        self.referee.compare(self.run, self.world.disk.events, self._log.pending)
        self.referee.look_closely()

    async def _wait_for(self, tasks: list[Numbered]) -> None:
        if not tasks:
            return
        _, left = await asyncio.wait(tasks, timeout=_PATIENCE_S)
        if left:
            raise Violation(f"{_names(list(left))} doesn't end")

    def _judge(self, carrying: Numbered) -> None:
        """A holder may end with what a disk does to it, and with nothing else."""
        if carrying.cancelled():
            if not self.killed:
                raise Violation("the holder was cancelled by itself")
            return
        error = carrying.exception()
        if error is not None and not isinstance(error, StoreError):
            raise first_violation(error) or Violation(f"the holder failed: {error!r}") from error

    # What goes on beside it

    def _start(self, work: Coroutine[Any, Any, Any]) -> Numbered:
        return asyncio.get_running_loop().create_task(work, context=self._context)  # type: ignore[return-value]  # as the loop makes them

    async def ask(self, command: AnyCommand) -> bool:
        """As a person does: an answer is the promise that it is recorded. False when there was none."""
        return await self._told(self.holder.ask(command))

    async def record(self, happened: Happened) -> bool:
        return await self._told(self.holder.record(happened))

    async def _told(self, asking: Coroutine[Any, Any, int]) -> bool:
        task = self._start(asking)
        self._asked.append(task)
        await asyncio.wait([task])
        refused = not task.cancelled() and task.exception() is not None
        if task.cancelled() or self.killed:
            return False
        if not refused:
            self.referee.acknowledged(task.result(), self.world.disk.last)
        # A holder that ends can't say whether what it was about to record got onto the disk.
        return self.alive or not refused

    async def _follow(self, after: int) -> None:
        """A watcher: told of what is on the disk, in order, and of nothing else."""
        kept = self.world.disk.events
        async with aclosing(self.holder.feed.follow(after)) as events:
            async for event in events:
                if self.killed:
                    return
                if event.seq != after + 1:
                    raise Violation(f"a watcher learns of event {event.seq} after event {after}")
                after = event.seq
                self.referee.acknowledged(after, len(kept))
                if decode(event.type, encode(event.data)) != kept[after - 1].data:
                    raise Violation(f"event {after} is kept as another than it was told")

    async def _late(self) -> None:
        """What is left of earlier holders' attempts reports to this one."""
        for task_id, number in list(self.world.begun):
            if self.chance.random() < 0.3:
                await asyncio.sleep(self.chance.random() * 5)
                run = self.run
                gone = not run.is_live(task_id, number) and run.integrating.get(task_id) != number
                if gone and self.alive:
                    self.holder.see(self._say(task_id, number))

    def _say(self, task_id: str, number: int) -> o.Observation:
        who: dict[str, Any] = {"task_id": task_id, "attempt": number}
        said = f"{task_id} by attempt {number}"
        data = {
            "task_id": task_id,
            "status": "success",
            "summary": said,
            "tasks": [],
            "recommended_splits": 1,
        }
        match self.chance.randrange(8):
            case 0:
                return o.Failed(**who, reason=said)
            case 1:
                return o.Opened(**who, session_id="late")
            case 2:
                return o.Refused(**who, reason=said)
            case 3:
                return o.Integrated(**who, evidence=Evidence(commit=said))
            case 4:
                return o.Interrupted(**who)
            case _:
                return o.Reported(**who, report=Report(data=data))


def first_violation(error: BaseException) -> Violation | None:
    """Of all that a group of errors holds."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for each in error.exceptions if (found := first_violation(each))), None)
    return error if isinstance(error, Violation) else None


class Silent:
    """Transcripts that nobody reads."""

    size = 0

    def open(self, task_id: str, attempt: int, *, goes_on: bool = False) -> Silent:
        return self

    def write(self, who: str, text: str, **options: Any) -> None:
        pass

    def write_piece(self, who: str, text: str, message: int) -> None:
        pass

    def cleaned(self, value: Any) -> Any:
        return value

    def close(self) -> None:
        pass


def _names(tasks: list[Numbered]) -> str:
    found = []
    for task in tasks:
        with suppress(AttributeError):
            found.append(task.get_coro().__qualname__)  # type: ignore[union-attr]  # of a coroutine, as here
    return ", ".join(sorted(found))
