from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bigtask.benchmark.goals import GOALS, Figure, Goal
from bigtask.benchmark.page import written
from bigtask.benchmark.peers import named_pythons, prepare
from bigtask.benchmark.rounds import Row, measure
from bigtask.benchmark.runners import Runner, Runners
from bigtask.benchmark.tables import of_goals, of_workloads
from bigtask.errors import InvalidInput, NotFound
from cli.here import here
from cli.person import Person, Said

GOOD: Mapping[str, Any] = {"errors": [], "tasks": 10, "slots": 2, "wall_us_per_task": 5.0}


def runner(code: str, *, variant: str = "way", ours: bool = True) -> Runner:
    return Runner(system="one", variant=variant, argv=(sys.executable, "-c", code), ours=ours)


def printing(value: object) -> str:
    return f"print({json.dumps(value)!r})"


def row(subject: str, name: str, *printed: Mapping[str, Any], ours: bool = True, failed: str = "") -> Row:
    system, _, variant = name.partition(" ")
    made = Runner(system=system, variant=variant, argv=(), ours=ours)
    return Row(subject=subject, runner=made, printed=[{**GOOD, **one} for one in printed], failed=failed)


def program(place: Path, lines: str) -> Path:
    place.write_text(f"#!/bin/sh\n{lines}\n")
    place.chmod(0o700)
    return place


def bench(person: Person, *arguments: str) -> Said:
    return here(person.env, "bench", *arguments)


async def test_a_round_runs_everything_once_before_the_next_begins() -> None:
    said: list[str] = []
    runners = [runner(printing(GOOD), variant="a"), runner(printing(GOOD), variant="b")]
    rows = await measure("W", runners, rounds=2, timeout_s=30, say=said.append)
    assert [line.split(":")[0] for line in said] == [
        "W, round 1 of 2, one a",
        "W, round 1 of 2, one b",
        "W, round 2 of 2, one a",
        "W, round 2 of 2, one b",
    ]
    assert [len(row.printed) for row in rows] == [2, 2]
    assert not any(row.wrong for row in rows)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise SystemExit('no such thing')", "ended with 1 and no figures: no such thing"),
        ("print('not JSON')", "ended with 0 and no figures"),
        ("print('{}')", "ended with 0 and no figures"),
        ("import signal; signal.pause()", "not done within 1 s"),
    ],
)
async def test_what_brings_no_figures_is_said_and_not_tried_again(code: str, said: str) -> None:
    for ours in (True, False):
        (found,) = await measure("W", [runner(code, ours=ours)], rounds=2, timeout_s=1, say=str)
        assert (found.failed, found.printed) == (said, [])
        assert found.wrong is ours


async def test_a_run_that_was_not_right_is_wrong_whoever_it_was() -> None:
    wrong = printing({**GOOD, "errors": ["1 tasks started twice, a first"]})
    (found,) = await measure("W", [runner(wrong, ours=False)], rounds=1, timeout_s=30, say=str)
    assert found.wrong


async def test_only_the_last_line_counts_and_a_runner_sees_no_home_of_ours() -> None:
    code = f"import os; print('noise'); assert not os.listdir(os.environ['HOME']); {printing(GOOD)}"
    (found,) = await measure("W", [runner(code)], rounds=1, timeout_s=30, say=str)
    assert found.failed == ""


async def test_a_runner_that_is_ended_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIGTASK_BENCH_DISK", str(tmp_path))
    code = "import os, pathlib, signal; pathlib.Path(os.environ['BIGTASK_BENCH_DISK'], 'log').touch(); "
    (found,) = await measure("W", [runner(code + "signal.pause()")], rounds=1, timeout_s=1, say=str)
    assert found.failed == "not done within 1 s"
    assert list(tmp_path.iterdir()) == []


def test_figures_are_medians_with_their_spread() -> None:
    found = row("W", "one way", {"wall_s": 1}, {"wall_s": 9}, {"wall_s": 2, "over_bound": None})
    spread = found.spread("wall_s")
    assert spread is not None
    assert (spread.median, spread.low, spread.high) == (2, 1, 9)
    assert found.spread("over_bound") is None


def test_a_ratio_is_reckoned_round_by_round() -> None:
    goal = Goal(
        what="x",
        figure=Figure(subject="W", name="wall_s"),
        over=Figure(subject="W", name="wall_s", runner="asyncio cp/none"),
        most=1.5,
    )
    ours = row("W", "bigtask whole", {"wall_s": 2}, {"wall_s": 30}, {"wall_s": 4})
    floor = row("W", "asyncio cp/none", {"wall_s": 1}, {"wall_s": 10}, {"wall_s": 4})
    assert goal.measured([ours, floor]) == 2
    assert goal.measured([ours]) is None


def test_goals_that_were_not_measured_are_not_shown() -> None:
    shown = of_goals([row("W1", "bigtask whole", {"wall_us_per_task": 81.5})])
    assert [cells[1:] for cells in shown.rows] == [("80 µs", "81.5 µs", "not yet")]
    shown = of_goals([row("W1", "bigtask whole", {"wall_us_per_task": 80})])
    assert [cells[1:] for cells in shown.rows] == [("80 µs", "80.0 µs", "reached")]


def test_every_goal_can_be_measured_by_what_is_there() -> None:
    runners = Runners.find()
    subjects = runners.subjects(())
    there = {
        (subject, one.name) for subject, file in subjects.items() for one in runners.of(subject, file, {})
    }
    for goal in GOALS:
        for figure in (goal.figure, goal.over):
            assert figure is None or (figure.subject, figure.runner) in there


def test_the_page_says_on_what_it_was_measured_and_how_to_repeat_it() -> None:
    rows = [
        row("W1", "bigtask whole", {"wall_us_per_task": 50}, {"wall_us_per_task": 70}),
        row("W1", "dask graph/memory", {"wall_us_per_task": 1200, "version": "2026.8.0"}, ours=False),
        row("W1", "dbos steps/sqlite", ours=False, failed="not done | within 1 s"),
    ]
    page = written(rows, {"processor": "2 × Some"}, "bigtask bench W1", 2)
    assert "`bigtask bench W1`" in page
    assert "| processor | 2 × Some |" in page
    assert "| dask | 2026.8.0 |" in page
    assert "| bigtask | whole | 60.0 µs (50.0–70.0) |" in page
    assert "not done \\| within 1 s |" in page
    assert len(of_workloads(rows)) == 1


def test_missing_programs_of_the_benchmark_are_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="install bigtask from a wheel, or run it from a whole checkout"):
        Runners.find((tmp_path / "one", tmp_path / "other"))


def test_every_peer_has_its_runner() -> None:
    runners = Runners.find()
    assert {"langgraph", "dbos", "dask", "agent-framework"} <= set(runners.peers())
    for peer in runners.peers().values():
        text = (runners.folder / peer.runner).read_text()
        assert all(f'"{variant}"' in text for variant in peer.variants)


async def test_an_environment_counts_once_its_installation_is_whole(tmp_path: Path) -> None:
    peers = {"dask": Runners.find().peers()["dask"]}
    python = tmp_path / "dask" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("")
    with pytest.raises(NotFound, match="--install"):
        await prepare(peers, {}, install=False, say=str, place=tmp_path)
    (tmp_path / "dask" / "bigtask-bench.txt").write_text("\n".join(peers["dask"].requires))
    assert await prepare(peers, {}, install=False, say=str, place=tmp_path) == {"dask": python}


def test_a_named_python_keeps_its_link(tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to(sys.executable)
    peers = Runners.find().peers()
    assert named_pythons([f"dask={tmp_path}/python"], peers) == {"dask": tmp_path / "python"}
    for wrong in ("dask", "nobody=python", f"dask={tmp_path}/none"):
        with pytest.raises(InvalidInput):
            named_pythons([wrong], peers)


def test_the_help_names_the_workloads(tmp_path: Path) -> None:
    person = Person(tmp_path)
    said = bench(person, "--help")
    assert said.status == 0
    assert "W1 to W6" in said.out
    assert "bench" in here(person.env, "--help").out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("W99", "there is no workload 'W99': name a file, or one of W1, W2,"),
        ("G10 --compare nobody", "there is no peer 'nobody': choose of langgraph,"),
        ("G10 --compare dask", "--peer-python dask=DIR/bin/python"),
        ("G10 --peer-python dask", "'dask' isn't PEER=PATH"),
        ("G10 --rounds 0", "0 is not in the range"),
        ("G10 --write-results none/page.md", "none/page.md can't be written: make its folder first"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_sentence(arguments: str, sentence: str, tmp_path: Path) -> None:
    said = bench(Person(tmp_path), *shlex.split(arguments))
    assert said.status == 2
    assert sentence in said.err
    assert said.out == ""


@pytest.mark.integration
def test_a_small_benchmark_prints_a_table_and_writes_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    said = bench(Person(tmp_path), "G10", "--rounds", "1", "--write-results", str(page))
    assert said.status == 0
    assert "G10: 10 tasks, 50 slots" in said.out
    assert "bigtask  whole" in said.out
    assert "G10, round 1 of 1, asyncio cp/none" in said.err
    assert f"bigtask bench G10 --rounds 1 --write-results {page}" in page.read_text()


@pytest.mark.integration
def test_programs_get_one_object(tmp_path: Path) -> None:
    said = bench(Person(tmp_path), "G10", "--rounds", "2", "--json")
    assert said.status == 0
    assert [(one["system"], one["variant"], one["runs"], one["errors"]) for one in said.json["rows"]] == [
        ("asyncio", "cp/none", 2, []),
        ("asyncio", "cp/group", 2, []),
        ("bigtask", "whole", 2, []),
    ]
    assert set(said.json["rows"][2]["figures"]["wall_us_per_task"]) == {"median", "low", "high"}


@pytest.mark.integration
@pytest.mark.parametrize(
    ("prints", "status", "shown"),
    [
        ('{"errors": [], "wall_us_per_task": 123456}', 0, "123,456 µs"),
        ('{"errors": ["2 of 3 tasks ended"]}', 1, "wrong: 2 of 3 tasks ended"),
        ("nothing", 0, "no figures"),
    ],
)
def test_only_what_was_not_right_makes_it_fail(prints: str, status: int, shown: str, tmp_path: Path) -> None:
    peer = program(tmp_path / "peer", f"echo '{prints}'")
    said = bench(Person(tmp_path), "G10", "--rounds", "1", "--peer-python", f"dask={peer}")
    assert said.status == status
    assert shown in said.out
