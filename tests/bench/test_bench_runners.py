from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bigtask.core.commands import Start
from bigtask.host.access import hold
from kit.bounds import ranks
from kit.recording import Recording, problems
from kit.workload import Workload, load
from no_op_agent import NoOpAgent, as_plan
from no_op_run import followed, make

BENCH = Path(__file__).parents[2] / "bench"
BLOCK_LIMIT = 2**20


def ran(script: str, *arguments: str, place: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(BENCH / script), *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(place), "BIGTASK_BENCH_DISK": str(place)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert [file for file in place.iterdir() if file.name.startswith("bigtask-bench-")] == []
    return printed


def workload(name: str) -> str:
    return str(BENCH / "workloads" / f"{name}.json")


@pytest.mark.integration
@pytest.mark.parametrize("name", ["G10", "G100", "W2", "W5"])
def test_the_product_carries_a_workload_out_rightly(name: str, tmp_path: Path) -> None:
    printed = ran("product.py", workload(name), place=tmp_path)
    assert printed["errors"] == []
    assert printed["tasks"] == len(load(Path(workload(name))).ids)
    assert 1 <= printed["most_at_once"] <= printed["slots"]
    assert printed["events"] >= 3 * printed["tasks"]
    assert 0 < printed["from_spawn_s"] <= printed["wall_s"]


@pytest.mark.integration
@pytest.mark.parametrize("order", ["fifo", "cp"])
@pytest.mark.parametrize("store", ["none", "group"])
def test_the_floor_carries_a_workload_out_rightly(order: str, store: str, tmp_path: Path) -> None:
    printed = ran("floor.py", workload("G100"), "--order", order, "--store", store, place=tmp_path)
    assert (printed["variant"], printed["errors"]) == (f"{order}/{store}", [])


@pytest.mark.integration
@pytest.mark.parametrize(
    ("ended", "snapshot"), [("killed", "kept"), ("closed", "kept"), ("closed", "dropped")]
)
def test_a_recovered_run_knows_what_was_told_before(ended: str, snapshot: str, tmp_path: Path) -> None:
    options = ("--ended", ended, "--snapshot", snapshot, "--times", "1")
    printed = ran("recovery.py", workload("G1000"), *options, place=tmp_path)
    assert (printed["told"], printed["errors"]) == (500, [])
    assert (printed["snapshot_seq"] > 0) is (ended == "closed" and snapshot == "kept")
    assert 0 < printed["hold_s"] < printed["ready_s"]


@pytest.mark.integration
def test_starting_is_measured(tmp_path: Path) -> None:
    printed = ran("startup.py", "--times", "1", place=tmp_path)
    assert printed["bare_ms"] > 0
    assert printed["help_ms"] > 0


@pytest.mark.integration
def test_a_server_that_has_nothing_to_do_is_measured(tmp_path: Path) -> None:
    printed = ran("idle_server.py", "--window", "1", place=tmp_path)
    assert (printed["runs"], printed["errors"]) == (10, [])
    assert printed["rss_mb"] > 10


@pytest.mark.integration
@pytest.mark.parametrize("server", ["bigtask", "starlette"])
def test_what_events_cost_that_many_watch_is_measured(server: str, tmp_path: Path) -> None:
    options = ("--server", server, "--watchers", "3", "--events", "200", "--tasks", "50")
    printed = ran("fan_out.py", *options, place=tmp_path)
    assert (printed["deliveries"], printed["errors"]) == (600, [])
    assert printed["cpu_us_per_delivery"] >= 0


def test_a_runner_says_in_a_sentence_what_it_cannot_use(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(BENCH / "floor.py"), str(tmp_path / "none.json")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "No such file" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_largest_plan_fits_into_one_block() -> None:
    plan = json.dumps(as_plan(load(Path(workload("W4")))), separators=(",", ":"))
    assert len(plan) < BLOCK_LIMIT - 1_000


async def test_the_product_takes_the_longest_remaining_path_first(tmp_path: Path) -> None:
    trap = Workload(
        name="trap",
        slots=1,
        durations={"s1": 0.02, "s2": 0.001, "x1": 0.001, "x2": 0.001, "x3": 0.001},
        dependencies={"s1": (), "s2": (), "x1": (), "x2": ("x1",), "x3": ("x2",)},
    )
    recording = Recording(trap)
    folder, agents = await make(tmp_path, trap, NoOpAgent(recording))
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        types = [event.type async for event in followed(link)]
    assert types[-1] == "orchestrator:completed"
    assert problems(recording) == ()
    assert list(recording.starts) == sorted(trap.ids, key=ranks(trap).__getitem__)
    assert next(iter(recording.starts)) == "s1"  # the longest in time, not in tasks


@pytest.mark.integration
def test_reading_answers_is_measured(tmp_path: Path) -> None:
    printed = ran("parser.py", "--times", "1", "--blocks", "60", place=tmp_path)
    assert printed["errors"] == []
    assert printed["malformed_wrong"] == 0
    assert printed["malformed_right"] >= 300
    assert printed["mb_per_s"] > 0
    assert printed["hostile_worst_ms"] > 0


@pytest.mark.integration
def test_worktrees_are_measured_beside_those_of_git(tmp_path: Path) -> None:
    printed = ran("worktrees.py", "--files", "30", "--times", "1", place=tmp_path)
    assert (printed["errors"], printed["files"]) == ([], 30)
    assert 0 < printed["git_add_ms"] < printed["git_whole_ms"]
    assert 0 < printed["add_ms"] < printed["whole_ms"]
