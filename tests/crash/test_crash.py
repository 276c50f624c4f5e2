"""Whatever is killed whenever: what was acknowledged is never lost nor done again."""

from __future__ import annotations

import random
import shutil
import statistics
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from bigtask.host.home import Home, RunFolder
from nursery import Nursery
from projects import ENV, Desk, repository
from promises.scale import FULL, SEED, seconds, share
from promises.totals import record

from .killing import HOLDER, SLOTS, Killing, Moment, Violation, begin_run

BUDGET_S = 150
"""For all of it in an ordinary run, by two processes."""

pytestmark = [pytest.mark.integration, pytest.mark.timeout(seconds(BUDGET_S))]

KILLS = share(1_000)

EARLY = (
    "before orchestrator:started",
    "before orchestrator:phaseChanged",
    "before worker:spawned",
    "after orchestrator:started",
    "before worker:started",
    "after worker:started",
    "before worker:reported",
    "before worker:completed",
    "before orchestrator:analysisComplete",
    "after orchestrator:analysisComplete",
    "before orchestrator:tasksReady",
    "before orchestrator:confirmed",
    "after orchestrator:confirmed",
)
"""In the order of a run's life, up to its workers: what is killed before its commit happens again."""
RARE = (
    "worker:reasked",
    "worker:crashed",
    "worker:failed",
    "worker:retrying",
    "orchestrator:progress",
    "worker:lost",
    "orchestrator:recovered",
    "worker:superseded",
)
"""The last three are what the next holder records of the last one's death: the recovery is killed as well."""
OFTEN = ("worker:spawned", "worker:started", "worker:progress", "worker:reported", "worker:completed")
LAST = "orchestrator:completed"
SMALL = 5
"""Tasks of the run that is killed at every append."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery(HOLDER, ENV) as found:
        yield found


async def new_killing(
    nursery: Nursery, place: Path, rng: random.Random, *, writes: bool, mutant: str | None = None
) -> Killing:
    desk = Desk(Home(place / "home"))
    desk.home.path.mkdir(parents=True)
    project = repository(place / "project")
    return Killing(nursery, await begin_run(desk, project, rng, writes=writes), project, writes, mutant)


def points(rng: random.Random, *, writes: bool) -> list[Moment]:
    """Every named append point, before the commit or after it; with BIGTASK_FULL both."""
    both = ("before", "after")
    late = []
    for type_name in (*RARE, *OFTEN, *(["worker:merged"] if writes else [])):
        count = rng.randint(1, 4) if type_name not in RARE else 1
        late += [f"{when} {type_name} {count}" for when in (both if FULL else [rng.choice(both)])]
    return [Moment(point=point, events=120) for point in (*(f"{name} 1" for name in EARLY), *late)]


def at_random(rng: random.Random) -> Moment:
    if rng.random() < 0.4:
        return Moment(seconds=rng.uniform(0.02, 0.5))
    return Moment(events=rng.randint(0, 60))


@pytest.mark.parametrize("writes", [True, False], ids=["worktrees", "answers"])
async def test_nothing_acknowledged_is_lost_or_done_again_whenever_the_holder_is_killed(
    nursery: Nursery, tmp_path: Path, writes: bool
) -> None:
    rng = random.Random(f"{SEED} {writes}")
    named = points(rng, writes=writes) if writes or FULL else []
    ahead = deque(named)
    runs: list[Killing] = []
    # Where the tasks only answer, more deaths go into the same time.
    kills = KILLS * 3 // 10 if writes else KILLS - KILLS * 3 // 10
    while ahead or sum(run.kills for run in runs) < kills:
        if not runs or runs[-1].over():
            runs.append(await new_killing(nursery, tmp_path / str(len(runs)), rng, writes=writes))
        moment = ahead.popleft() if ahead else at_random(rng)
        if not runs[-1].carry_out(moment) and moment.point and len(runs) < KILLS // 4:
            # The run had gone past it, or the task that leads there was interrupted: later, then.
            ahead.append(moment)
    for run in runs:
        for when in ("before", "after"):
            if not run.over():
                run.carry_out(Moment(point=f"{when} {LAST} 1"))
        run.check_end()
    ready_s = [each for run in runs for each in run.ready_s]
    hit = set().union(*(run.points for run in runs))
    work = "in worktrees" if writes else "that only answer"
    record(
        1,
        name=f"kill -9 of a holder of {SLOTS} workers {work}",
        unit="kills",
        count=sum(run.kills for run in runs),
        violations=0,
        runs=len(runs),
        points=len(hit),
        ready_s_median=round(statistics.median(ready_s), 3),
        ready_s_most=round(max(ready_s), 3),
    )
    record(
        5,
        name=f"what a holder of workers {work} had in memory (snapshot and tail), and the fold of the log",
        unit="comparisons",
        count=sum(run.compared for run in runs),
        violations=0,
    )
    assert statistics.median(ready_s) <= 3.0
    assert {moment.point for moment in named} <= hit


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_run_survives_the_death_of_its_holder_at_every_append(
    nursery: Nursery, tmp_path: Path, when: str
) -> None:
    rng = random.Random(SEED)
    desk = Desk(Home(tmp_path / "home"))
    desk.home.path.mkdir(parents=True)
    project = repository(tmp_path / "project")
    begun = await begin_run(desk, project, rng, writes=False, size=SMALL)
    place = 0
    while True:
        place += 1
        folder = RunFolder(begun.path.with_name(f"{place:0>26}"))
        shutil.copytree(begun.path, folder.path)
        killing = Killing(nursery, folder, project, writes=False)
        killed = killing.carry_out(Moment(point=f"{when} append {place}"))
        if not killing.over():
            killing.carry_out(Moment())
        killing.check_end()
        if not killed:
            # The whole run has fewer appends than that: it was killed at every one of them.
            break
    record(
        1,
        name=f"death just {when} the commit, at every append of a run of {SMALL} tasks",
        unit="appends",
        count=place - 1,
        violations=0,
    )
    assert place > 2 * SMALL


@pytest.mark.parametrize(
    ("mutant", "complaint"),
    [
        ("acknowledge-before-commit", "was acknowledged"),
        ("recovery-resets-completed-tasks", "completed and is done again"),
        ("no-fencing", "was credited with"),
        ("snapshots-forget", "state and fold of the log differ in used"),
    ],
)
async def test_the_harness_catches_a_holder_without_its_defences(
    nursery: Nursery, tmp_path: Path, mutant: str, complaint: str
) -> None:
    rng = random.Random(3)
    moments = [
        Moment(events=60),
        Moment(point="before worker:completed 3", events=90),
        Moment(events=40),
        Moment(point="before worker:reported 5", events=90),
        Moment(events=40),
    ]
    killing = await new_killing(nursery, tmp_path, rng, writes=False, mutant=mutant)

    def kill_on() -> None:
        for moment in moments:
            killing.carry_out(moment)

    with pytest.raises(Violation, match=complaint):
        kill_on()
