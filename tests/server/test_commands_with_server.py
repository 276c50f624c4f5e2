"""Commands find the server that runs, and what they start goes on there when they end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bigtask.host.home import RunFolder
from bigtask.host.lock import holder_of
from projects import Desk

from .conftest import BASE, TASKS, furnish
from .served import PATIENCE_S, end, environment, served

pytestmark = pytest.mark.integration


def bigtask(desk: Desk, *arguments: str, cwd: Path, **more: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "bigtask", *arguments],
        cwd=cwd,
        env={**environment(desk.home.path), **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_what_a_command_starts_goes_on_in_the_server(tmp_path: Path) -> None:
    desk, project = furnish(tmp_path)
    slow = {"turns": [{"when": {"task": "left"}, "steps": [{"do": "delay", "seconds": 600}]}]}
    agent = desk.script({"tasks": TASKS, **slow})
    with served(desk.home.path) as server:
        made = bigtask(desk, "create", "tested", "Do it", "--agent", agent, "--yes", cwd=project.root)
        assert made[0] == 0, made[2]
        status, _, said = bigtask(desk, "-v", "start", "last", cwd=project.root)
        assert status == 0, said
        assert f"{server.url} carries the run out" in said
        assert "bigtask serve) goes on with it" in said
        folder = next(desk.home.folders())
        assert f"process {server.process.pid} " in holder_of(folder.lock)
        server.wait_for(folder.id, "worker:started")
        # Everything else reaches it there.
        assert "left" in bigtask(desk, "show", "last", cwd=project.root)[1]
        assert bigtask(desk, "pause", "last", cwd=project.root)[0] == 0
        listed = json.loads(bigtask(desk, "doctor", "--json", cwd=project.root)[1])["findings"]
        (found,) = [one for one in listed if one["area"] == "server"]
        assert server.url in found["text"]
    listed = json.loads(bigtask(desk, "doctor", "--json", cwd=project.root)[1])["findings"]
    (found,) = [one for one in listed if one["area"] == "server"]
    assert "none runs" in found["text"]


def test_a_whole_run_is_followed_to_its_end_and_stands_still_where_a_person_is_needed(tmp_path: Path) -> None:
    desk, project = furnish(tmp_path)
    agent = desk.script({"tasks": TASKS})
    with served(desk.home.path) as server:
        run = ("run", "tested", "Do the work", "--agent", agent)
        status, _, said = bigtask(desk, *run, cwd=project.root)
        assert status == 3, said
        assert "bigtask confirm" in said
        folder = next(desk.home.folders())
        assert server.get(f"{BASE}/{folder.id}/status")["orchestrator"]["held"]
        status, out, said = bigtask(desk, "confirm", "last", "--watch", "--json", cwd=project.root)
        assert status == 0, said
        assert json.loads(out.splitlines()[-1])["outcome"] == "complete"
        assert bigtask(desk, "merge", "last", cwd=project.root)[0] == 0


def test_a_command_goes_on_by_itself_when_the_server_is_killed_under_it(tmp_path: Path) -> None:
    desk, project = furnish(tmp_path)
    tasks = [{"id": f"t{number}"} for number in range(6)]
    agent = desk.script({"tasks": tasks})
    with served(desk.home.path) as server:
        run = subprocess.Popen(
            [sys.executable, "-m", "bigtask", "run", "tested", "Go", "--agent", agent, "--yes", "--json"],
            cwd=project.root,
            env=environment(desk.home.path),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert run.stdout is not None
            seen = [json.loads(run.stdout.readline()) for _ in range(8)]
            folder = RunFolder(desk.home.runs / seen[0]["orchestratorId"])
            assert f"process {server.process.pid} " in holder_of(folder.lock)
            end(server.process, 9)
            *rest, result = [json.loads(line) for line in run.stdout]
            assert run.wait(PATIENCE_S) == 0
        finally:
            if run.poll() is None:
                run.kill()
            run.communicate()
    assert result["outcome"] == "complete"
    events = [*seen, *rest]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def test_whoever_wants_it_so_carries_a_run_out_beside_the_server(tmp_path: Path) -> None:
    desk, project = furnish(tmp_path)
    agent = desk.script({"tasks": TASKS})
    with served(desk.home.path):
        status, _, said = bigtask(
            desk,
            *("-v", "run", "tested", "Do it", "--agent", agent, "--yes"),
            cwd=project.root,
            BIGTASK_SERVER="off",
        )
        assert status == 0, said
        assert "carries the run out" not in said


def test_a_run_that_was_adopted_for_nothing_is_let_go_of(tmp_path: Path) -> None:
    desk, project = furnish(tmp_path)
    agent = desk.script({"tasks": TASKS})
    with served(desk.home.path) as server:
        assert bigtask(desk, "create", "tested", "Do it", "--agent", agent, cwd=project.root)[0] == 0
        id = next(desk.home.folders()).id
        assert server.post(f"{BASE}/{id}/adopt")["orchestrator"]["status"] == "created"
        assert server.get(f"{BASE}/{id}/status")["orchestrator"]["held"]
        while server.get(f"{BASE}/{id}/status")["orchestrator"]["held"]:
            pass
        assert server.post(f"{BASE}/{id}/cancel")["orchestrator"]["status"] == "cancelled"
