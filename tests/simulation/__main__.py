"""Lives seeds: `python -m simulation 17`, `--seeds 0-500000`, `--mutant NAME`; with `tests` on PYTHONPATH."""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import nullcontext

from . import mutants
from .seeds import Tally, keep_totals, live_in_processes, report
from .world import live


def main() -> int:
    parser = argparse.ArgumentParser(prog="simulation")
    parser.add_argument("seed", type=int, nargs="?")
    parser.add_argument("--seeds", metavar="A-B", help="from A on, without B")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--mutant", choices=mutants.MUTANTS, help="for a single seed")
    given = parser.parse_args()
    if given.seed is not None:
        return _one(given.seed, given.mutant)
    if given.seeds is None:
        parser.error("name a seed, or several with --seeds")
    first, _, last = given.seeds.partition("-")
    return _many(range(int(first), int(last)), given.processes)


def _one(seed: int, mutant: str | None) -> int:
    with mutants.without(mutant) if mutant else nullcontext():
        lived = live(seed)
    if lived.violation is not None:
        _say(report(lived, mutant))
        return 1
    _say(f"seed {seed}: {lived.outcome}, {len(lived.events)} events, {lived.lives} holders, {lived.digest}")
    return 0


def _many(seeds: range, processes: int) -> int:
    total, began = Tally(), time.monotonic()
    for tally in live_in_processes(seeds, processes):
        total.add(tally)
        for failure in tally.failures:
            _say(failure.report + "\n")
    seconds = time.monotonic() - began
    _say(
        f"{total.seeds} seeds, {total.events} events, {total.lives} holders, "
        f"{len(total.failures)} violations, {seconds:.0f} s"
    )
    keep_totals(total, seconds)
    return int(bool(total.failures))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
