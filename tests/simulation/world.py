"""One seed, one world: a run with everything around it, from its first holder to its end."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bigtask.core.events import Event
from bigtask.core.states import AttemptState
from bigtask.host import checking
from bigtask.process import Finished

from .disk import Disk
from .life import Life
from .loop import Spinning, StandStill, VirtualLoop
from .person import Person
from .referee import Referee, Violation
from .repository import Repository
from .scene import scene

_EPOCH_MS = 1_700_000_000_000
_DAY_S = 86_400.0
_MOST_STEPS = 400_000
_NEVER_MERGED = frozenset(
    {AttemptState.LOST, AttemptState.CRASHED, AttemptState.TIMEOUT, AttemptState.PAUSED, AttemptState.RUNNING}
)
"""What never reported has nothing in the branch; what a person called off while it was merged may."""


@dataclass(frozen=True, kw_only=True)
class Lived:
    """What became of a seed; `digest` stands for every event that was recorded."""

    seed: int
    digest: str
    events: list[Event]
    lives: int
    steps: int
    outcome: str
    complaints: list[str]
    """What asyncio has to say of it, also later: of some exceptions it hears when garbage is collected."""
    violation: BaseException | None = None


class World:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        # Of its own: how often limits ask for it mustn't change what happens besides.
        self.limits_chance = random.Random(f"limits {seed}")
        self.scene = scene(self.chance)
        self.referee = Referee()
        self.disk = Disk(self.referee)
        self.repository = Repository(self.referee)
        self.loop = VirtualLoop(self.chance, in_order=self.scene.in_order, most_steps=_MOST_STEPS)
        self.life: Life | None = None
        self.lives = 0
        self.last_life = False
        self.calm = False
        """Nothing but the agents goes wrong any more."""
        self.jumped_s = 0.0
        self._offset_s = 0.0

    def clock(self) -> Callable[[], int]:
        """For one holder."""
        if self.scene.steady:
            offset_s = self._offset_s
            return lambda: _EPOCH_MS + int((self.loop.time() + offset_s) * 1000)
        return lambda: _EPOCH_MS + int((self.loop.time() + self._offset_s) * 1000)

    @property
    def begun(self) -> Iterator[tuple[str, int]]:
        """Every attempt so far."""
        run = self.referee.run
        for record in run.all_records() if run is not None else ():
            for attempt in record.attempts:
                yield record.task.id, attempt.number

    def begin(self) -> None:
        """The run is created, and nobody holds it yet."""
        self.disk.keep([Event(1, self.clock()(), self.scene.created)])

    async def play(self) -> None:
        self.begin()
        person = self.loop.create_task(Person(self).live())
        weather = self.loop.create_task(self._weather())
        try:
            plans = list(self.scene.lives)
            while plans or not person.done():
                # A holder that a broken disk ended is followed by another one.
                plan = plans.pop(0) if plans else self.scene.lives[-1]
                self.last_life = not plans
                self.lives += 1
                self.life = life = Life(self, self.lives, plan)
                if self.last_life:
                    person.add_done_callback(lambda _, life=life: life.close())
                await life.live()
                if person.done() and (error := person.exception()) is not None:
                    raise error
                await asyncio.sleep(plan.down_s)
            await person
        finally:
            weather.cancel()
            person.cancel()
            await asyncio.wait([weather, person])
            # Taken, also where something else went wrong first.
            _ = [None if task.cancelled() else task.exception() for task in (weather, person)]
        self._look_at_the_end()

    def _look_at_the_end(self) -> None:
        run = self.referee.run
        assert run is not None
        self.referee.compare(run, self.disk.events, [])
        if run.settings.isolation == "none":
            return
        for record in run.tasks.values():
            for attempt in record.attempts:
                name, evidence = f"attempt {attempt.number} of {record.task.id}", attempt.evidence
                if evidence is None and attempt.state in (AttemptState.COMPLETED, AttemptState.PARTIAL):
                    raise Violation(f"{name} is done, and wasn't merged")
                merged = self.repository.merges.count((record.task.id, attempt.number))
                if evidence is not None and evidence.commit is not None and merged != 1:
                    raise Violation(f"{name} says it is merged, and is so {merged} times")
                if merged and attempt.state in _NEVER_MERGED:
                    raise Violation(f"{name} is {attempt.state}, and merged")

    async def _weather(self) -> None:
        """Clocks that are set, disks that fill up and are cleared."""
        temper, chance = self.scene.temper, self.chance
        while not self.calm:
            await asyncio.sleep(chance.random() * 20)
            if self.calm:
                return
            if chance.random() < temper.clock:
                days = chance.choice((-7, -1, 1, 7))
                self._offset_s += days * _DAY_S
                self.jumped_s += abs(days) * _DAY_S
            if chance.random() < temper.full_disk:
                self.disk.full = True
                await asyncio.sleep(chance.random() * 10)
                self.disk.full = False


def live(seed: int) -> Lived:
    """The same for the same seed, in any process."""
    world = World(seed)
    violation: BaseException | None = None
    with _quiet(), _programs(world):
        try:
            world.loop.run_until_complete(world.play())
        except (Violation, StandStill, Spinning) as error:
            violation = error
            _clear(world.loop)
        finally:
            left = _unfinished(world.loop)
            world.loop.close()
    if violation is None and (left or world.loop.complaints):
        violation = Violation(f"left over: {[*left, *world.loop.complaints]}")
    run = world.referee.run
    return Lived(
        seed=seed,
        digest=world.referee.digest,
        events=world.disk.events,
        lives=world.lives,
        steps=world.loop.steps,
        outcome=str(run.outcome) if run is not None else "",
        complaints=world.loop.complaints,
        violation=violation,
    )


def _unfinished(loop: VirtualLoop) -> list[str]:
    return sorted(repr(task.get_coro()) for task in asyncio.all_tasks(loop))


def _clear(loop: VirtualLoop) -> None:
    """After a violation: what is left ends, however it likes."""
    loop.forgive()
    for _ in range(5):
        tasks = asyncio.all_tasks(loop)
        if not tasks:
            return
        for task in sorted(tasks, key=hash):
            task.cancel()
        try:
            loop.run_until_complete(asyncio.wait(tasks, timeout=100))
        except (StandStill, Spinning):
            return


@contextmanager
def _programs(world: World) -> Iterator[None]:
    """Checks are programs; here they take their time and exit with 0, or perhaps with 1."""

    async def run(argv: tuple[str, ...], **options: Any) -> Finished:
        assert world.life is not None
        await world.life.takes(2.0)
        status = int(argv[0] != "true" and world.life.goes_wrong(0.5))
        return Finished(status=status, stdout=b"", stderr=b"", truncated=False, timed_out=False)

    before, checking.run = checking.run, run
    try:
        yield
    finally:
        checking.run = before


@contextmanager
def _quiet() -> Iterator[None]:
    """What goes wrong here is meant to, and isn't news to anybody."""
    words = logging.getLogger("bigtask")
    before = words.level
    words.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        words.setLevel(before)
