"""Which sessions of a run load what the project brings: with an agent that notes how it was opened."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bigtask import Options, OrchestratorModule
from bigtask.agents.claude.project_rules import RULES
from bigtask.agents.protocol import Opening, Session, Traits
from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of
from bigtask.approvals import Approvals, Kind
from bigtask.core.commands import Answer
from bigtask.core.run import Run
from bigtask.core.states import Outcome
from bigtask.host import trust
from projects import ENV, Project, repository

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

FILES = {"CLAUDE.md": "Be kind.\n", ".claude/settings.json": '{"model": "m"}', "a.txt": "a\n"}
SCRIPT: Mapping[str, Any] = {
    "tasks": [{"id": "one"}, {"id": "two", "dependencies": ["one"]}],
    "can_resume": True,
}
CHANGES = {
    **SCRIPT,
    "turns": [
        {
            "when": {"task": "one"},
            "steps": [{"do": "write", "path": "CLAUDE.md", "content": "Be a canary.\n"}, {"do": "answer"}],
        }
    ],
}


class Noting(ScriptedAgent):
    """`opened`: what each session is called, and whether it may load the project's."""

    def __init__(self, script: Mapping[str, Any]) -> None:
        super().__init__(script_of(script))
        self.opened: list[tuple[str, bool]] = []

    @property
    def traits(self) -> Traits:
        return msgspec.structs.replace(super().traits, project_rules=RULES)

    @asynccontextmanager
    async def session(self, opening: Opening) -> AsyncIterator[Session]:
        self.opened.append((opening.name.rpartition("___")[2] or opening.name, opening.project_settings))
        async with super().session(opening) as session:
            yield session

    @property
    def loaded(self) -> list[bool]:
        return [loads for _, loads in self.opened]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return repository(tmp_path / "project", FILES)


async def carried_out(
    tmp_path: Path, project: Project, agent: Noting, *, answer: str = "", **options: Any
) -> Run:
    """The run at its end; `answer` is what a person says to the question of trust."""
    asked = 0
    async with asyncio.timeout(60), OrchestratorModule(agent, home=tmp_path / "home") as module:
        made = await module.orchestrators.create(
            template_id="_default",
            cwd=project.root,
            message="Do it",
            options=Options(**{"yes": not answer, "auto_spawn": True, **options}),
        )
        await module.orchestrators.start(made.id)
        async for event in module.events(made.id):
            if event.type == "orchestrator:waiting":
                waiting = event.data.waiting  # type: ignore[attr-defined]
                asked += 1
                await module.ask(made.id, Answer(waiting_id=waiting.id, answer=answer))
        run = await module.run(made.id)
    assert asked == bool(answer)
    return run


async def test_what_is_approved_is_loaded_in_every_phase_and_not_asked_again(
    tmp_path: Path, project: Project
) -> None:
    agent = Noting(SCRIPT)
    run = await carried_out(tmp_path, project, agent, answer="approve")
    assert run.outcome is Outcome.COMPLETE
    assert len(agent.loaded) >= 5
    assert set(agent.loaded) == {True}
    agent = Noting(SCRIPT)
    await carried_out(tmp_path, project, agent)
    assert set(agent.loaded) == {True}


async def test_a_run_goes_on_without(tmp_path: Path, project: Project) -> None:
    agent = Noting(SCRIPT)
    run = await carried_out(tmp_path, project, agent, answer="without")
    assert run.outcome is Outcome.COMPLETE
    assert set(agent.loaded) == {False}


async def test_nobody_is_asked_with_yes_and_it_is_said(
    tmp_path: Path, project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Noting(SCRIPT)
    logger = logging.getLogger("bigtask")
    logger.propagate = True
    with caplog.at_level(logging.WARNING, "bigtask"):
        await carried_out(tmp_path, project, agent)
    assert set(agent.loaded) == {False}
    told = [record.getMessage() for record in caplog.records if "goes without" in record.getMessage()]
    assert len(told) == 1
    assert "CLAUDE.md" in told[0]


async def test_what_an_attempt_changes_is_not_loaded_by_those_after_it(
    tmp_path: Path, project: Project
) -> None:
    agent = Noting(CHANGES)
    run = await carried_out(tmp_path, project, agent, project_rules=True)
    assert run.outcome is Outcome.COMPLETE
    before = [loads for name, loads in agent.opened if "two" not in name and "aggregation" not in name]
    after = [loads for name, loads in agent.opened if "two" in name or "aggregation" in name]
    assert (set(before), set(after)) == ({True}, {False})
    assert len(after) == 2


async def test_without_the_look_before_each_session_they_would_load_it(
    tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: what was approved once counts for the whole run."""
    monkeypatch.setattr(trust.trust, "loads", lambda *of_what, approved: True)
    agent = Noting(CHANGES)
    await carried_out(tmp_path, project, agent, project_rules=True)
    assert set(agent.loaded) == {True}


async def test_what_lies_above_the_workspaces_is_not_the_projects(tmp_path: Path, project: Project) -> None:
    (tmp_path / "home" / "runs").mkdir(parents=True)
    (tmp_path / "home" / "runs" / ".mcp.json").write_text("{}")
    agent = Noting(SCRIPT)
    await carried_out(tmp_path, project, agent, project_rules=True)
    assert set(agent.loaded) == {False}


async def test_a_project_that_brings_nothing_is_not_asked_about(tmp_path: Path) -> None:
    agent = Noting(SCRIPT)
    run = await carried_out(tmp_path, repository(tmp_path / "plain"), agent, yes=False)
    assert run.outcome is Outcome.COMPLETE
    assert set(agent.loaded) == {False}


async def test_without_project_rules_what_is_approved_is_not_loaded_either(
    tmp_path: Path, project: Project
) -> None:
    await carried_out(tmp_path, project, Noting(SCRIPT), project_rules=True)
    agent = Noting(SCRIPT)
    await carried_out(tmp_path, project, agent, project_rules=False)
    assert set(agent.loaded) == {False}


def test_the_last_contents_stay_approved_because_branches_differ(tmp_path: Path) -> None:
    approvals, top = Approvals(tmp_path / "approvals.json"), tmp_path / "project"
    assert approvals.rules_approved(top, "claude") is None
    for n in range(20):
        approvals.approve_rules(top, "claude", str(n), {"CLAUDE.md": str(n)})
    approvals.approve_rules(top, "claude", "10", {"CLAUDE.md": "10"})
    approvals.approve_rules(tmp_path / "other", "claude", "10", {})
    assert [a.digest for a in approvals.listed() if a.path == str(top)] == [
        *(str(n) for n in range(4, 20) if n != 10),
        "10",
    ]
    approvals.approve_rules(top, "another", "11", {"AGENTS.md": "11"})
    assert approvals.rules_approved(top, "claude") == {"CLAUDE.md": "10"}
    assert approvals.rules_approved(top, "another") == {"AGENTS.md": "11"}
    assert approvals.holds(Kind.AGENT, top, "4")
    assert not approvals.holds(Kind.AGENT, top, "3")
    approvals.withdraw(Kind.AGENT, top)
    assert not approvals.holds(Kind.AGENT, top, "10")
    assert approvals.holds(Kind.AGENT, tmp_path / "other", "10")


def bigtask(tmp_path: Path, project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {
        **ENV,
        "HOME": str(tmp_path),
        "BIGTASK_HOME": str(tmp_path / "home"),
        "BIGTASK_CONFIG": os.devnull,
        "ANTHROPIC_API_KEY": "made-up-key",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
    }
    return subprocess.run(
        [sys.executable, "-m", "bigtask", *arguments],
        cwd=project.root,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_approve_shows_all_of_it_and_what_has_changed_since(tmp_path: Path, project: Project) -> None:
    done = bigtask(tmp_path, project, "approve")
    assert done.returncode == 3
    assert ".claude/settings.json: sets model: `m`" in done.stderr
    assert "CLAUDE.md: instructions, 1 line" in done.stderr
    assert bigtask(tmp_path, project, "approve", "--yes").returncode == 0
    assert bigtask(tmp_path, project, "approve").returncode == 0
    (project.root / "CLAUDE.md").write_text("Be kinder.\n")
    assert bigtask(tmp_path, project, "approve").returncode == 0, "only what is committed counts"
    project.git("rm", "-q", ".claude/settings.json")
    project.git("commit", "-qam", "other")
    done = bigtask(tmp_path, project, "approve", "--json")
    assert done.returncode == 3
    found, same = json.loads(done.stdout)["agents"]
    assert (found["agent"], same["agent"]) == ("claude", "desktop")
    assert found["state"] == same["state"] == "unapproved"
    assert {file["path"]: file["change"] for file in found["brings"]} == {
        ".claude/settings.json": "gone",
        "CLAUDE.md": "changed",
    }
    assert done.stderr.count("CLAUDE.md [changed since you approved]") == 1, "the same is asked once"
    assert bigtask(tmp_path, project, "approve", "--yes").returncode == 0
    assert bigtask(tmp_path, project, "approve", "--withdraw").returncode == 0
    assert bigtask(tmp_path, project, "approve").returncode == 3


def test_the_doctor_says_what_the_project_brings_and_whether_it_counts(
    tmp_path: Path, project: Project
) -> None:
    pytest.importorskip("claude_agent_sdk")
    told = json.loads(bigtask(tmp_path, project, "doctor", "--json").stdout)
    assert told["projectRules"]["state"] == "unapproved"
    assert told["processes"]
    (finding,) = [one for one in told["findings"] if one["area"] == "project rules"]
    assert (finding["level"], finding["next"]) == ("warn", "bigtask approve")
    bigtask(tmp_path, project, "approve", "--yes")
    told = json.loads(bigtask(tmp_path, project, "doctor", "--json").stdout)
    assert told["projectRules"]["state"] == "approved"
    assert "made-up-key" not in json.dumps(told)


def test_the_start_says_who_pays_what_counts_and_what_holds_processes(
    tmp_path: Path, project: Project
) -> None:
    pytest.importorskip("claude_agent_sdk")
    done = bigtask(tmp_path, project, "run", "_default", "Look", "--agent", "claude")
    assert done.returncode == 3
    begin = done.stderr.partition("started")[0]
    assert "the API account of ANTHROPIC_API_KEY, by use" in begin
    assert "project rules: .claude/settings.json (sets model: `m`), CLAUDE.md (instructions, 1 line)" in begin
    assert "not approved: you are asked before the first session" in begin
    assert "agents may: read; for anything else you are asked\n" in begin
    assert "processes: " in begin
    assert "made-up-key" not in done.stderr
