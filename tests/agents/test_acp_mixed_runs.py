"""Whole runs through the command line, with agents that a person has defined."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agents import programs
from bigtask.host.home import Home
from cli.terminal import Program
from projects import Desk, Project, repository

pytestmark = pytest.mark.integration


def task(id_: str, agent: str) -> dict[str, Any]:
    return {"id": id_, "title": id_, "description": f"write {id_}", "scope": [f"{id_}.txt"], "agent": agent}


def work(id_: str, answer: Mapping[str, Any], **used: Any) -> dict[str, Any]:
    steps = [
        {"do": "write", "path": f"{id_}.txt", "content": "done\n"},
        {"do": "usage", **used},
        {**answer, "data": {"status": "success", "summary": f"wrote {id_}"}},
    ]
    return {"when": {"task": id_}, "steps": steps}


SCRIPT = {
    "turns": [
        {
            "when": {"phase": "taskPlanning"},
            "steps": [{"do": "answer", "data": {"tasks": [task("one", "mine"), task("two", "acting")]}}],
        },
        work("one", {"do": "answer"}, input_tokens=10, output_tokens=2, cost_usd=0.01),
        work("two", {"do": "report"}, input_tokens=30, output_tokens=4, cost_usd=0.02),
    ]
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return repository(tmp_path / "project")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(Home(tmp_path / "home"))


@pytest.fixture
def program(project: Project, desk: Desk) -> Program:
    return Program(project, desk)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    script = tmp_path / "agents.json"
    script.write_text(json.dumps(SCRIPT))
    agents = {"mine": programs.command_definition(script), "acting": programs.acp_definition(script)}
    return {"BIGTASK_AGENTS": json.dumps(agents), "HOME": str(tmp_path), "BIGTASK_CONFIG": os.devnull}


def test_a_run_of_three_agents_is_complete_with_a_bill_for_each(
    program: Program, project: Project, desk: Desk, env: dict[str, str]
) -> None:
    desk.home.path.mkdir(exist_ok=True)
    options = [
        "--agent",
        desk.script(SCRIPT),
        "--agent-for",
        "analysis=mine",
        "--agent-for",
        "verification=acting",
    ]
    said = program.apart("run", "implementation", "Write two", "--yes", *options, env=env)
    assert said.status == 0, said
    found = json.loads(program.apart("report", "last", "--format", "json", env=env).out)
    assert found["run"]["outcome"] == "complete"
    bills = {name: (used["inputTokens"], used["costUsd"]) for name, used in found["cost"]["byAgent"].items()}
    assert bills == {"mine": (10, 0.01), "acting": (30, 0.02)}
    logged = [json.loads(line) for line in program.apart("logs", "last", "--json", env=env).out.splitlines()]
    who = {one["data"]["taskId"]: one["data"]["agent"] for one in logged if one["type"] == "worker:spawned"}
    assert who == {
        "@analysis": "mine",
        "@planning": desk.script(SCRIPT),
        "one": "mine",
        "two": "acting",
        "@aggregation": desk.script(SCRIPT),
        "@verification": "acting",
    }


@pytest.mark.parametrize("name", ["mine", "acting"])
def test_a_whole_run_goes_with_one_defined_agent_alone(
    program: Program, desk: Desk, env: dict[str, str], name: str
) -> None:
    said = program.apart("run", "implementation", "Write two", "--yes", "--agent", name, env=env)
    assert said.status == 0, said
    assert program.apart("merge", "last", env=env).status == 0
    assert (program.project.root / "one.txt").read_text() == "done\n"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("analyse=mine", "there is no phase 'analyse': choose one of analysis, taskPlanning"),
        ("analysis", "--agent-for takes PHASE=NAME, not 'analysis'"),
        ("analysis=nobody", "there is no agent 'nobody'"),
        ("analysis=codex", "codex, for analysis, can't work here"),
    ],
)
def test_an_agent_for_a_phase_that_cannot_be_is_told_at_once(
    program: Program, desk: Desk, env: dict[str, str], given: str, words: str
) -> None:
    said = program.apart("run", "implementation", "x", "--agent", "mine", "--agent-for", given, env=env)
    assert said.status != 0
    assert words in said.err


def test_a_repository_cannot_add_an_agent(program: Program, project: Project, desk: Desk) -> None:
    (project.root / ".bigtask").mkdir()
    (project.root / ".bigtask" / "config.toml").write_text(
        '[agents.theirs]\nkind = "command"\nargv = ["sh", "-c", "touch owned"]\n'
    )
    said = program.apart(
        "run", "implementation", "x", "--agent", "theirs", env={"BIGTASK_CONFIG": os.devnull}
    )
    assert said.status != 0
    assert "there is no agent 'theirs'" in said.err
    assert not (project.root / "owned").exists()
