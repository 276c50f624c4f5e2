"""Branch, commit and merge happen once, wherever between git's calls the process ends."""

from __future__ import annotations

import os
import random
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from bigtask.core.states import TaskState
from bigtask.host.home import Home
from crash.killing import Killing, Moment, Violation, begin_run
from nursery import Nursery
from projects import ENV, Desk, repository
from promises.scale import SEED, seconds, share
from promises.totals import record

from .holder import NAME, STEPS

BUDGET_S = 240
"""For all of it in an ordinary run."""

TIMES = share(25, part=13)
SIZE = 12
"""Tasks of a run."""

_WORKS = ("prepare", "branch", "commit", "merge", "release")
_FEWEST = 5
"""Of a step that comes this seldom in a whole run it isn't certain that the next one comes by."""

pytestmark = [pytest.mark.integration, pytest.mark.timeout(seconds(BUDGET_S))]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery(NAME, ENV) as found:
        yield found


async def new_run(nursery: Nursery, place: Path, rng: random.Random, mutant: str | None = None) -> Killing:
    desk = Desk(Home(place / "home"))
    desk.home.path.mkdir(parents=True)
    project = repository(place / "project")
    folder = await begin_run(desk, project, rng, writes=True, size=SIZE)
    return Killing(nursery, folder, project, True, mutant)


def check_counts(killing: Killing) -> tuple[int, int, int]:
    """Branches, commits and merges of a run; raises Violation where one is there twice, or isn't there."""
    project, id = killing.project, killing.folder.id
    run = killing._run
    attempts = {
        f"bigtask/{id}/{task}/{attempt.number}": (task, attempt)
        for task, record in run.tasks.items()
        for attempt in record.attempts
    }
    branches = set(project.lines("for-each-ref", "--format=%(refname:lstrip=2)", f"refs/heads/bigtask/{id}/"))
    main = f"bigtask/{id}/main"
    if branches - {main} - set(attempts):
        raise Violation(f"branches of nobody: {branches - {main} - set(attempts)}")
    if not branches:
        if run.integrating or any(record.state is TaskState.COMPLETED for record in run.tasks.values()):
            raise Violation("work is completed, and there is no branch")
        return 0, 0, 0
    commits = 0
    for branch in branches - {main}:
        task, attempt = attempts[branch]
        start = f"refs/bigtask/start/{id}/{task}/{attempt.number}"
        own = int(project.git("rev-list", "--count", f"{start}..{branch}"))
        if own > 1:
            raise Violation(f"{branch} has {own} commits of one piece of work")
        commits += own
    merged: Counter[str] = Counter()
    for line in project.lines(
        "log",
        "--first-parent",
        "--format=%P|%(trailers:key=Bigtask-Task,valueonly,separator=)",
        f"refs/bigtask/base/{id}..{main}",
    ):
        parents, task = line.split("|")
        merged[task] += 1
        if len(parents.split()) != 2:
            raise Violation(f"a commit of {task or 'nobody'} on the run's branch is no merge")
        done = run.tasks[task].attempts[-1].number
        if parents.split()[1] != project.git("rev-parse", f"bigtask/{id}/{task}/{done}"):
            raise Violation(f"what was merged of {task} isn't its last attempt's")
    completed = {task for task, record in run.tasks.items() if record.state is TaskState.COMPLETED}
    if any(count > 1 for count in merged.values()):
        raise Violation(f"merged more than once: {merged}")
    if not completed <= set(merged):
        raise Violation(f"completed and not merged: {completed - set(merged)}")
    records = project.lines("worktree", "list", "--porcelain")
    missing = [line for line in records if line.startswith("prunable")]
    if run.outcome is not None and missing:
        raise Violation(f"records of worktrees that are gone: {missing}")
    return len(branches), commits, sum(merged.values())


async def steps_of_a_run(nursery: Nursery, place: Path) -> list[str]:
    """`before STEP` and `after STEP`, each once, of those that come often enough."""
    killing = await new_run(nursery, place, random.Random(f"{SEED} whole"))
    told = place / "steps"
    argv = [str(killing.folder.path), "--after=1"]
    born = nursery.start(argv, {**ENV, STEPS: str(told)})
    try:
        while _read(born.stdout):
            pass
        assert born.wait() == 0
    finally:
        born.close()
    found = Counter(told.read_text().splitlines())
    return sorted(
        point
        for point, count in found.items()
        if point.split()[1].split(":")[0] in _WORKS and (count >= _FEWEST or " prepare:" in point)
    )


def _read(descriptor: int) -> bytes:
    return os.read(descriptor, 65_536)


async def test_a_holder_that_is_killed_at_any_step_does_nothing_twice_and_leaves_nothing_out(
    nursery: Nursery, tmp_path: Path
) -> None:
    labels = await steps_of_a_run(nursery, tmp_path / "whole")
    works = {label.split()[1].split(":")[0] for label in labels}
    assert works == set(_WORKS)
    rng = random.Random(SEED)
    wanted = [label for label in labels for _ in range(TIMES)]
    rng.shuffle(wanted)
    # What is only done once, at the beginning, comes first in a run of its own.
    first = [label for label in wanted if " prepare:" in label]
    ahead = deque(label for label in wanted if " prepare:" not in label)
    hit: Counter[str] = Counter()
    counted = Counter[str]()
    number = 0
    while (ahead or first) and number < 40 * TIMES:
        killing = await new_run(nursery, tmp_path / str(number), rng)
        number += 1
        while not killing.over():
            if first and killing.kills < 3:
                label, count = first.pop(), 1
            elif ahead:
                label, count = ahead.popleft(), rng.randint(1, 3)
            else:
                label, count = "", 0
            killing.points.clear()
            killing.carry_out(Moment(point=f"{label} {count}") if label else Moment())
            if killing.points:
                hit[label] += 1
            elif label and " prepare:" not in label:
                ahead.append(label)
            for name, many in zip(("branches", "commits", "merges"), check_counts(killing), strict=True):
                counted[name] = max(counted[name], many)
        killing.check_end()
    record(
        11,
        name=f"kill -9 at {len(labels)} labelled steps of branch, commit and merge",
        unit="kills",
        count=sum(hit.values()),
        violations=0,
        points=len(hit),
    )
    often = [label for label in labels if " prepare:" not in label]
    assert min(hit[label] for label in often) >= TIMES
    assert counted["merges"] == SIZE


@pytest.mark.parametrize(
    ("mutant", "complaint"),
    [
        ("merge-without-looking", "twice|more than once|times in the|is no merge"),
        ("commit-again", "commits of one piece|more than once"),
    ],
)
async def test_the_harness_catches_a_build_without_its_defences(
    nursery: Nursery, tmp_path: Path, mutant: str, complaint: str
) -> None:
    killing = await new_run(nursery, tmp_path, random.Random(3), mutant)

    def kill_on() -> None:
        while not killing.over():
            killing.carry_out(Moment(point="after merge:update-ref 2"))
            check_counts(killing)

    with pytest.raises(Violation, match=complaint):
        kill_on()
