"""Many seeds, and what is said about one that fails."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import msgspec

from promises.totals import record

from . import mutants
from .world import Lived, live

CORPUS = Path(__file__).with_name("corpus.txt")
_SHOWN = 30
_BATCH = 250


@dataclass(frozen=True, kw_only=True)
class Failure:
    seed: int
    report: str


@dataclass(kw_only=True)
class Tally:
    seeds: int = 0
    events: int = 0
    lives: int = 0
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.seeds += other.seeds
        self.events += other.events
        self.lives += other.lives
        self.failures += other.failures


def live_all(seeds: Iterable[int]) -> Tally:
    """One after the other, in this process."""
    tally = Tally()
    complaints: dict[int, list[str]] = {}
    for seed in seeds:
        lived = live(seed)
        tally.seeds += 1
        tally.events += len(lived.events)
        tally.lives += lived.lives
        if lived.violation is not None:
            tally.failures.append(Failure(seed=seed, report=report(lived)))
        else:
            complaints[seed] = lived.complaints
    gc.collect()
    tally.failures += [
        Failure(seed=seed, report=f"seed {seed}: left over: {'; '.join(said)}\n{_again(seed)}")
        for seed, said in complaints.items()
        if said
    ]
    return tally


def live_in_processes(seeds: Iterable[int], processes: int) -> Iterator[Tally]:
    """The tally of every few hundred seeds, in order; ends early when the caller wants no more."""
    source = iter(seeds)
    batches = iter(lambda: list(islice(source, _BATCH)), [])
    with ProcessPoolExecutor(processes) as pool:
        running = [pool.submit(live_all, batch) for batch in islice(batches, 2 * processes)]
        while running:
            yield running.pop(0).result()
            running += [pool.submit(live_all, batch) for batch in islice(batches, 1)]


def report(lived: Lived, mutant: str | None = None) -> str:
    """The seed, how to live it again, the end of its log, and what was violated."""
    assert lived.violation is not None
    last = [
        f"{event.seq:5} {event.at} {event.type} {msgspec.json.encode(event.data).decode()[:200]}"
        for event in lived.events[-_SHOWN:]
    ]
    why = "".join(traceback.format_exception_only(lived.violation)).strip()
    return "\n".join([f"seed {lived.seed}: {why}", *last, _again(lived.seed, mutant)])


def _again(seed: int, mutant: str | None = None) -> str:
    return f"again: PYTHONPATH=tests python -m simulation {seed}" + (f" --mutant {mutant}" if mutant else "")


def corpus() -> dict[int, str]:
    """Seeds that failed once, with why."""
    lines = (line.partition("#")[0].strip() for line in CORPUS.read_text().splitlines())
    return {int(seed): why.strip() for seed, _, why in (line.partition(" ") for line in lines if line)}


def caught(mutant: str, seeds: Iterable[int]) -> Lived | None:
    """The first of the seeds that fails with that defence taken out."""
    with mutants.without(mutant):
        return next((lived for seed in seeds if (lived := live(seed)).violation is not None), None)


def keep_totals(tally: Tally, seconds: float) -> None:
    """For whoever collects the totals of the promises."""
    record(
        4,
        name="seeds of the simulation",
        unit="seeds",
        count=tally.seeds,
        violations=len(tally.failures),
        seconds=round(seconds, 1),
    )
