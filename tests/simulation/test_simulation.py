"""Promise 4: whatever happens to a run whenever, what is promised of every run holds.

`BIGTASK_SEED` is the first seed; `BIGTASK_FULL` lives 500,000 of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bigtask.core.events import Event, WorkerHeld, WorkerLimited
from projects import ENV
from promises.scale import FULL, SEED, seconds

from . import mutants
from .seeds import caught, corpus, keep_totals, live_all, report
from .world import live

SEEDS = 500_000 if FULL else 2_000
_PART = 250
_MUTANT_SEEDS = 300
BUDGET_S = 90

pytestmark = pytest.mark.timeout(seconds(BUDGET_S))


@pytest.mark.parametrize("first", range(SEED, SEED + SEEDS, _PART))
def test_what_is_promised_of_every_run_holds_for_every_seed(first: int) -> None:
    began = time.monotonic()
    tally = live_all(range(first, first + _PART))
    keep_totals(tally, time.monotonic() - began)
    assert not tally.failures, "\n\n".join(failure.report for failure in tally.failures[:3])


@pytest.mark.parametrize("seed", corpus())
def test_what_failed_once_holds_now(seed: int) -> None:
    lived = live(seed)
    assert lived.violation is None, report(lived)


@pytest.mark.parametrize(
    ("mutant", "complaint"),
    [
        ("no-fencing", "credited with|ends for"),
        ("acknowledge-before-append", "was acknowledged, and the disk has"),
        ("recovery-resets-completed-tasks", "is completed, and it is reopened by nobody"),
        ("spawns-what-lives", "running -> running"),
        ("more-than-its-slots", "attempts are alive on|at work in the same place"),
        ("acts-twice", "has two sessions"),
        ("forgets-to-integrate", "stands still"),
        ("merges-blindly", "is merged twice"),
    ],
)
def test_a_run_without_its_defences_is_caught(mutant: str, complaint: str) -> None:
    lived = caught(mutant, range(_MUTANT_SEEDS))
    assert lived is not None
    with pytest.raises(AssertionError, match=complaint):
        raise lived.violation or AssertionError
    said = report(lived, mutant)
    assert f"python -m simulation {lived.seed} --mutant {mutant}" in said
    assert lived.events[-1].type in said


def test_every_mutant_is_hunted() -> None:
    hunted = test_a_run_without_its_defences_is_caught.pytestmark[0].args[1]
    assert {mutant for mutant, _ in hunted} == set(mutants.MUTANTS)


def test_a_seed_is_the_same_life_each_time_and_in_every_process() -> None:
    seeds = [SEED, SEED + 1, SEED + 2]
    here = [live(seed) for seed in seeds]
    assert [live(seed).digest for seed in seeds] == [lived.digest for lived in here]
    assert len({lived.digest for lived in here}) == len(seeds)
    for lived, hash_seed in zip(here, ("1", "2", "3"), strict=True):
        assert lived.digest in alone(lived.seed, hash_seed)


def test_seeds_in_which_accounts_are_limited_are_the_same_lives_each_time() -> None:
    limited = [lived for lived in map(live, range(20)) if any(met_a_limit(each) for each in lived.events)]
    assert len(limited) >= 5
    assert [live(lived.seed).digest for lived in limited] == [lived.digest for lived in limited]


def met_a_limit(event: Event) -> bool:
    return isinstance(event.data, WorkerLimited | WorkerHeld)


def alone(seed: int, hash_seed: str) -> str:
    """What a process of its own, in which texts have other hashes, says of the seed."""
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "simulation", str(seed)],
        env={**ENV, "PYTHONPATH": paths, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=seconds(BUDGET_S) / 2,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
