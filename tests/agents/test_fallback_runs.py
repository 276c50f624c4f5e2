"""Whole runs whose agent can't work, through the command line: another one stands in, and that is told."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agents import programs
from bigtask.host.home import Home
from cli.person import Said
from cli.terminal import Program
from projects import Desk, repository

pytestmark = pytest.mark.integration

MISSING = {"kind": "command", "argv": ["bigtask-no-such-agent"], "install": "pip install no-such-agent"}
TASK = {"id": "one", "title": "One", "description": "write one", "scope": ["one.txt"]}
WORK = {
    "turns": [
        {
            "when": {"phase": "taskPlanning"},
            "steps": [{"do": "answer", "data": {"tasks": [TASK]}}],
        },
        {
            "when": {"phase": "workerExecution"},
            "steps": [
                {"do": "write", "path": "one.txt", "content": "done\n"},
                {"do": "usage", "input_tokens": 10, "output_tokens": 2, "cost_usd": 0.01},
                {"do": "answer", "data": {"status": "success", "summary": "wrote one"}},
            ],
        },
    ]
}


@pytest.fixture
def program(tmp_path: Path) -> Program:
    desk = Desk(Home(tmp_path / "home"))
    desk.home.path.mkdir()
    return Program(repository(tmp_path / "project"), desk)


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    """A program that is there until a test removes it."""
    path = tmp_path / "bin" / "shim"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def env(tmp_path: Path, shim: Path) -> dict[str, str]:
    script = tmp_path / "script.json"
    script.write_text(json.dumps(WORK))
    mine = programs.command_definition(script)
    fragile = {**mine, "argv": [str(shim), *mine["argv"][1:]], "resume": [str(shim), *mine["resume"][1:]]}
    agents = {"mine": mine, "fragile": fragile, "missing": MISSING, "lost": MISSING}
    return {"BIGTASK_AGENTS": json.dumps(agents), "HOME": str(tmp_path), "BIGTASK_CONFIG": os.devnull}


def events(program: Program, env: Mapping[str, str], kind: str) -> list[dict[str, Any]]:
    logged = program.apart("logs", "last", "--json", env=env).out.splitlines()
    return [one["data"] for one in map(json.loads, logged) if one["type"] == kind]


def result(program: Program, env: Mapping[str, str]) -> Any:
    return json.loads(program.apart("report", "last", "--format", "json", env=env).out)


def require_told(program: Program, env: Mapping[str, str], ran: Said, sentence: str) -> None:
    assert ran.status == 0, ran
    assert sentence in " ".join(result(program, env)["warnings"])
    for surface in (("report", "last"), ("show", "last")):
        said = program.apart(*surface, env={**env, "COLUMNS": "400"})
        assert sentence.split(":")[0] in said.out.replace("\\", ""), said


def test_one_that_cannot_work_when_the_run_is_made_is_replaced_at_once(
    program: Program, env: dict[str, str]
) -> None:
    options = ("--agent", "missing", "--fallback", "lost", "--fallback", "mine")
    ran = program.apart("run", "implementation", "Write one", "--yes", *options, env=env)
    require_told(program, env, ran, "mine does the work of missing, which can't work here")
    assert "instead mine does the work" in ran.err
    (replaced,) = events(program, env, "orchestrator:agentReplaced")
    assert (replaced["agent"], replaced["instead"]) == ("missing", "mine")
    assert "pip install no-such-agent" in replaced["reason"]
    assert {one["agent"] for one in events(program, env, "worker:spawned")} == {"mine"}
    assert result(program, env)["cost"]["byAgent"].keys() == {"mine"}


def test_one_that_goes_missing_later_is_replaced_at_its_next_attempt(
    program: Program, env: dict[str, str], shim: Path
) -> None:
    program.apart(
        "create", "implementation", "Write one", "--yes", "--agent", "fragile", env={**env, **FALLBACK}
    )
    shim.unlink()
    ran = program.apart("start", "last", env=env)
    require_told(program, env, ran, "mine does the work of fragile, which can't work here")
    assert len(events(program, env, "orchestrator:agentReplaced")) == 1
    spawned = [(one["taskId"], one["agent"]) for one in events(program, env, "worker:spawned")]
    assert spawned[:2] == [("@analysis", "fragile"), ("@analysis", "mine")]
    assert {agent for _, agent in spawned[1:]} == {"mine"}
    assert events(program, env, "worker:retrying") == []


FALLBACK = {"BIGTASK_FALLBACK": '["missing", "mine"]'}


def test_without_anybody_who_can_the_run_is_not_made_and_the_install_command_told(
    program: Program, env: dict[str, str]
) -> None:
    options = ("--agent", "missing", "--fallback", "gemini")
    ran = program.apart("run", "implementation", "Write one", "--yes", *options, env=env)
    assert ran.status != 0
    assert "the agent missing can't work here" in ran.err
    assert "pip install no-such-agent" in ran.err
    assert "nor can gemini (fallback)" in ran.err


def test_a_fallback_that_stands_for_nothing_is_told_before_it_is_needed(
    program: Program, env: dict[str, str]
) -> None:
    ran = program.apart("run", "implementation", "x", "--agent", "mine", "--fallback", "nobody", env=env)
    assert ran.status != 0
    assert "fallback: there is no agent 'nobody'" in ran.err


def test_who_stands_in_for_money_needs_a_cap_beforehand(program: Program, env: dict[str, str]) -> None:
    agents = json.loads(env["BIGTASK_AGENTS"])
    agents["dear"] = {**agents["mine"], "costsMoney": True}
    options = ("--agent", "mine", "--fallback", "dear")
    ran = program.apart(
        "run", "implementation", "x", "--yes", *options, env={**env, "BIGTASK_AGENTS": json.dumps(agents)}
    )
    assert ran.status != 0
    assert "--yes with dear, which costs money, needs a cap" in ran.err


def test_a_template_names_agent_and_model_of_a_phase_and_options_stand_above_it(
    program: Program, env: dict[str, str]
) -> None:
    folder = program.desk.home.path / "templates"
    folder.mkdir()
    own = {
        "id": "own",
        "name": "Own",
        "extends": "implementation",
        "phases": {
            "analysis": {"agent": "mine", "model": "small"},
            "verification": {"agent": "missing"},
        },
    }
    (folder / "own.json").write_text(json.dumps(own))
    options = ("--agent", "fragile", "--agent-for", "verification=mine", "--model-for", "aggregation=large")
    ran = program.apart("create", "own", "Write one", "--yes", *options, env=env)
    assert ran.status == 0, ran
    (created,) = events(program, env, "orchestrator:created")
    assert created["settings"]["agentFor"] == {"analysis": "mine", "verification": "mine"}
    assert created["settings"]["modelFor"] == {"analysis": "small", "aggregation": "large"}
