"""Running the runners in turns, and what came of it as medians with their spread."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from bigtask.benchmark.machine import disk
from bigtask.benchmark.runners import Runner
from bigtask.process import minimal_env, run

_LONGEST_LINE = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Spread:
    median: float
    low: float
    high: float


@dataclass(kw_only=True)
class Row:
    """All runs of one runner on one subject. `failed` says why there are no more of them."""

    subject: str
    runner: Runner
    printed: list[Mapping[str, Any]] = field(default_factory=list)
    failed: str = ""

    @property
    def version(self) -> str:
        return str(self.printed[0].get("version", "")) if self.printed else ""

    @property
    def errors(self) -> Sequence[str]:
        """What was wrong with its runs: sentences of the checks."""
        return [str(error) for printed in self.printed for error in printed["errors"]]

    @property
    def wrong(self) -> bool:
        """A check failed, or a runner of ours brought nothing."""
        return bool(self.errors) or (self.runner.ours and bool(self.failed))

    def values(self, figure: str) -> Sequence[float]:
        """Of each round; empty where the runner says nothing of that figure."""
        said = (printed.get(figure) for printed in self.printed)
        return [float(value) for value in said if _is_number(value)]

    def spread(self, figure: str) -> Spread | None:
        values = self.values(figure)
        if not values:
            return None
        return Spread(median=statistics.median(values), low=min(values), high=max(values))

    def figures(self) -> Mapping[str, Spread]:
        names = dict.fromkeys(name for printed in self.printed for name in printed)
        return {name: spread for name in names if (spread := self.spread(name)) is not None}


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Broken(Exception):
    """A runner ended without figures; the message says how, for people."""


async def measure(
    subject: str,
    runners: Sequence[Runner],
    *,
    rounds: int,
    timeout_s: float,
    say: Callable[[str], None],
) -> Sequence[Row]:
    """Each round runs every runner once, so that what disturbs the machine disturbs all of them. One that
    brought nothing isn't tried again."""
    rows = [Row(subject=subject, runner=runner) for runner in runners]
    for number in range(1, rounds + 1):
        for row in rows:
            if row.failed:
                continue
            try:
                row.printed.append(await once(row.runner, timeout_s=timeout_s))
            except Broken as broken:
                row.failed = str(broken)
            said = row.failed or _short(row.printed[-1])
            say(f"{subject}, round {number} of {rounds}, {row.runner.name}: {said}")
    return rows


async def once(runner: Runner, *, timeout_s: float) -> Mapping[str, Any]:
    """What it printed. It gets an empty home, so that nothing of the person's changes the figures or is
    changed, and a place for its files that goes also when it is ended. Raises Broken."""
    with tempfile.TemporaryDirectory(prefix="bigtask-bench-", dir=disk()) as name:
        home = Path(name, "home")
        home.mkdir()
        env = minimal_env({"HOME": str(home), "BIGTASK_BENCH_DISK": name})
        done = await run(runner.argv, cwd=home, env=env, timeout_s=timeout_s, limit_bytes=_LONGEST_LINE)
    if done.timed_out:
        raise Broken(f"not done within {timeout_s:g} s")
    try:
        printed = json.loads(done.stdout.splitlines()[-1])
        if isinstance(printed["errors"], list):
            return dict(printed)
    except (ValueError, IndexError, KeyError, TypeError):
        pass  # raised below, with the last line of its stderr
    said = done.stderr.decode(errors="replace").strip().splitlines()
    raise Broken(f"ended with {done.status} and no figures" + (f": {said[-1]}" if said else ""))


def _short(printed: Mapping[str, Any]) -> str:
    if printed["errors"]:
        return f"wrong: {printed['errors'][0]}"
    for figure, words in _IN_SHORT.items():
        if _is_number(printed.get(figure)):
            return f"{printed[figure]:,} {words}"
    return "done"


_IN_SHORT = {
    "over_bound": "times the lower bound",
    "wall_us_per_task": "µs a task",
    "ready_s": "s until ready",
    "import_ms": "ms to import",
    "mb_per_s": "MB/s",
}
