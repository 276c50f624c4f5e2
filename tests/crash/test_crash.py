"""Whatever is killed whenever: what was acknowledged is never lost nor done again."""

from __future__ import annotations

import json
import os
import random
import statistics
from collections import deque
from pathlib import Path

import pytest

from bigtask.host.home import Home
from projects import Desk, repository

from .killing import Killing, Moment, Violation, begin_run

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

FULL = bool(os.environ.get("BIGTASK_FULL"))
KILLS = 200 if FULL else 40

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


async def new_killing(place: Path, rng: random.Random, *, writes: bool, mutant: str | None = None) -> Killing:
    desk = Desk(Home(place / "home"))
    desk.home.path.mkdir(parents=True)
    project = repository(place / "project")
    return Killing(await begin_run(desk, project, rng, writes=writes), project, writes, mutant)


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
        return Moment(seconds=rng.uniform(0.1, 1.2))
    return Moment(events=rng.randint(0, 60))


def keep(total: dict[str, object]) -> None:
    """A line of the totals, for whoever collects them."""
    if file := os.environ.get("BIGTASK_TOTALS"):
        with open(file, "a") as totals:
            totals.write(json.dumps(total) + "\n")


@pytest.mark.parametrize("writes", [True, False], ids=["worktrees", "answers"])
async def test_nothing_acknowledged_is_lost_or_done_again_whenever_the_holder_is_killed(
    tmp_path: Path, writes: bool
) -> None:
    seed = int(os.environ.get("BIGTASK_SEED", "7"))
    rng = random.Random(f"{seed} {writes}")
    named = points(rng, writes=writes) if writes or FULL else []
    ahead = deque(named)
    runs: list[Killing] = []
    while ahead or sum(run.kills for run in runs) < KILLS // 2:
        if not runs or runs[-1].over():
            runs.append(await new_killing(tmp_path / str(len(runs)), rng, writes=writes))
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
    keep(
        {
            "test": f"crash {'worktrees' if writes else 'answers'}",
            "seed": seed,
            "kills": sum(run.kills for run in runs),
            "runs": len(runs),
            "points": sorted(hit),
            "ready_s_median": round(statistics.median(ready_s), 3),
            "ready_s_most": round(max(ready_s), 3),
        }
    )
    assert statistics.median(ready_s) <= 3.0
    assert {moment.point for moment in named} <= hit


@pytest.mark.parametrize(
    ("mutant", "complaint"),
    [
        ("acknowledge-before-commit", "was acknowledged"),
        ("recovery-resets-completed-tasks", "completed and is done again"),
        ("no-fencing", "was credited with"),
    ],
)
async def test_the_harness_catches_a_holder_without_its_defences(
    tmp_path: Path, mutant: str, complaint: str
) -> None:
    rng = random.Random(3)
    moments = [
        Moment(events=60),
        Moment(point="before worker:completed 3", events=90),
        Moment(events=40),
        Moment(point="before worker:reported 5", events=90),
        Moment(events=40),
    ]
    killing = await new_killing(tmp_path, rng, writes=False, mutant=mutant)

    def kill_on() -> None:
        for moment in moments:
            killing.carry_out(moment)

    with pytest.raises(Violation, match=complaint):
        kill_on()
