"""The page's fold of events comes to what the core's does, after every event of runs that all happens to."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bigtask.core.events import Event, encode, iso
from bigtask.core.evolve import begin, evolve
from bigtask.core.run import Run
from bigtask.core.states import NOT_BEGUN
from promises.scale import SEED
from simulation.world import live

from .conftest import Sitting

SEEDS = 24
FOLDED = """async (events) => {
  const { emptyRun, fold } = await import("/dashboard/core/fold.js");
  const begun = new Set(["pending", "blocked", "ready"]);
  const underWay = new Set(["needs_review", "quarantined", "integrating"]);
  const resting = new Set(["integrating", "paused"]);
  const run = emptyRun("simulated");
  return events.map((event) => {
    fold(run, event);
    return {
      outcome: run.outcome,
      waiting: [...run.waiting.keys()].sort(),
      tasks: Object.fromEntries([...run.tasks.values()].filter((one) => !one.reserved).map((one) => [one.id, [
        begun.has(one.state) ? "to come" : underWay.has(one.state) ? "running" : one.state,
        one.attempts.map((attempt) => attempt.to === null && !resting.has(attempt.state)),
      ]])),
    };
  });
}"""


def told(run: Run) -> dict[str, Any]:
    def state(of: str) -> str:
        return "running" if of == "integrating" else of

    return {
        "outcome": run.outcome.value if run.outcome is not None else None,
        "waiting": sorted(run.waiting),
        "tasks": {
            id: [
                "to come" if record.state in NOT_BEGUN else state(record.state.value),
                [run.is_live(id, one.number) for one in record.attempts],
            ]
            for id, record in run.tasks.items()
        },
    }


def as_json(event: Event) -> dict[str, Any]:
    return {
        "seq": event.seq,
        "type": event.type,
        "at": iso(event.at),
        "data": json.loads(encode(event.data)),
    }


@pytest.mark.parametrize("seed", range(SEED, SEED + SEEDS))
def test_both_folds_come_to_the_same(sitting: Sitting, seed: int) -> None:
    with ThreadPoolExecutor(1) as thread:  # in which no event loop runs
        lived = thread.submit(live, seed).result()
    first, *rest = lived.events
    run = begin("simulated", first)
    expected = [told(run)]
    for event in rest:
        evolve(run, event)
        expected.append(told(run))
    page = sitting.page()
    found = page.evaluate(FOLDED, [as_json(event) for event in lived.events])
    for event, mine, theirs in zip(lived.events, expected, found, strict=True):
        assert theirs == mine, f"seed {seed}, after {event.seq} {event.type} {event.data}"
