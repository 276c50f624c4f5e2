"""Every shipped template from the request to the merge, by scripted agents, through the real command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bigtask.host.home import Home
from bigtask.templates.manager import TemplateManager
from cli.terminal import Program
from projects import Desk, Project, repository

from .beginning import common_beginning
from .pages import File, parts

pytestmark = pytest.mark.integration

IDS = [listed.id for listed in TemplateManager().list()]
FILES = {"notes.md": "Tea is 4 EUR.\n", "shop.py": "PRICE = 4\n"}
THREE = [
    {"id": "left", "scope": ["left.txt"]},
    {"id": "right", "scope": ["right.txt"]},
    {"id": "both", "scope": ["both.txt"], "dependencies": ["left", "right"]},
]
WRONG = {
    "status": "failed",
    "summary": "One thing is wrong.",
    "issues": [
        {
            "severity": "error",
            "description": "left.txt says the wrong thing",
            "location": "left.txt:1",
            "suggested_fix": "say the right thing",
        }
    ],
}


def in_repository(tmp_path: Path) -> Project:
    return repository(tmp_path / "project", FILES)


def in_folder(tmp_path: Path) -> Project:
    root = tmp_path / "papers"
    root.mkdir()
    for name, text in FILES.items():
        (root / name).write_text(text)
    return Project(root.resolve())


def program(project: Project, tmp_path: Path) -> Program:
    home = tmp_path / "home"
    home.mkdir()
    return Program(project, Desk(Home(home)))


def told(program: Program, task_id: str) -> str:
    """The prompt of the task's last attempt."""
    shown = program.json("show", "last", task_id)[1][0]
    return next(said["text"] for said in shown["transcript"] if said["who"] == "prompt")


def turn(phase: str, *, attempt: int | None = None, **data: Any) -> dict[str, Any]:
    when = {"phase": phase} if attempt is None else {"phase": phase, "attempt": attempt}
    return {"when": when, "steps": [{"do": "answer", "data": data}]}


@pytest.mark.parametrize("place", [in_repository, in_folder])
@pytest.mark.parametrize("template_id", IDS)
def test_a_run_goes_from_the_request_to_the_merge(template_id: str, place: Any, tmp_path: Path) -> None:
    project: Project = place(tmp_path)
    before = project.seen()
    bigtask = program(project, tmp_path)
    agent = bigtask.desk.script({"tasks": THREE})
    status, lines = bigtask.json("run", template_id, "Do the work", "--agent", agent, "--yes")
    *events, result = lines
    assert (status, result["outcome"]) == (0, "complete")
    phases = [event["data"]["phase"] for event in events if event["type"] == "orchestrator:phaseChanged"]
    verified = TemplateManager().get(template_id).phases.verification.enabled
    assert phases == [
        "analysis",
        "taskPlanning",
        "workerExecution",
        "aggregation",
        *(["verification"] if verified else []),
    ]
    assert project.seen() == before
    assert bigtask("merge", "last").status == 0
    assert {path.name for path in project.root.glob("*.txt")} == {"left.txt", "right.txt", "both.txt"}
    assert bigtask("merge", "last", "--undo").status == 0
    assert {path.name for path in project.root.iterdir()} - {".git"} == set(FILES)


@pytest.mark.parametrize("template_id", IDS)
def test_agents_are_told_everything_once_and_workers_nearly_the_same(
    template_id: str, tmp_path: Path
) -> None:
    bigtask = program(in_repository(tmp_path), tmp_path)
    agent = bigtask.desk.script({"tasks": [{"id": f"t{n}", "scope": [f"t{n}.txt"]} for n in range(3)]})
    assert bigtask("run", template_id, "Do the work", "--agent", agent, "--yes").status == 0
    verified = TemplateManager().get(template_id).phases.verification.enabled
    reserved = ["@analysis", "@planning", "@aggregation", *(["@verification"] if verified else [])]
    workers = [told(bigtask, f"t{n}") for n in range(3)]
    for text in (*workers, *(told(bigtask, id) for id in reserved)):
        assert not re.search(r"\{[A-Z_]+\}", text)
        assert text.count("<request>\nDo the work\n</request>") == 1
        assert text.count("How to answer\n") == 1
        # Agents work in a copy: called their working directory, the person's own folder would be written to.
        assert text.count(str(bigtask.project.root)) == 1
        assert f"The person keeps it in {bigtask.project.root}." in text
    assert len(common_beginning(workers)) >= 0.8 * max(map(len, workers))


@pytest.mark.parametrize("template_id", ["implementation", "research"])
def test_what_verification_finds_is_mended_and_verified_again(template_id: str, tmp_path: Path) -> None:
    bigtask = program(in_repository(tmp_path), tmp_path)
    script = {
        "tasks": THREE,
        "turns": [
            turn("verification", **WRONG),
            {
                "when": {"task": "fix-1-1"},
                "steps": [
                    {"do": "write", "path": "left.txt", "content": "right\n"},
                    {"do": "answer", "data": {"status": "success", "output_files": ["left.txt"]}},
                ],
            },
        ],
    }
    agent = bigtask.desk.script(script)
    status, lines = bigtask.json("run", template_id, "Do the work", "--agent", agent, "--yes")
    rounds = TemplateManager().get(template_id).phases.verification.max_fixes
    # The verdict of this script stays the same: every round is used, and the result isn't green.
    assert (status, lines[-1]["outcome"]) == (1, "incomplete")
    assert lines[-1]["tasks"]["total"] == len(THREE) + rounds
    said = told(bigtask, "fix-1-1")
    assert "left.txt says the wrong thing\nWhere: left.txt:1\nSuggested: say the right thing" in said
    assert bigtask("merge", "last").status == 0
    assert (bigtask.project.root / "left.txt").read_text() == "right\n"


def test_a_repair_that_convinces_makes_the_run_complete(tmp_path: Path) -> None:
    bigtask = program(in_repository(tmp_path), tmp_path)
    passed = turn("verification", attempt=2, status="passed", summary="All is well.")
    agent = bigtask.desk.script({"tasks": THREE, "turns": [turn("verification", **WRONG), passed]})
    status, lines = bigtask.json("run", "implementation", "Do the work", "--agent", agent, "--yes")
    assert (status, lines[-1]["outcome"]) == (0, "complete")
    assert lines[-1]["tasks"]["completed"] > len(THREE)


@pytest.mark.parametrize("template_id", ["implementation", "research"])
def test_a_plan_without_scopes_is_asked_for_again(template_id: str, tmp_path: Path) -> None:
    bigtask = program(in_repository(tmp_path), tmp_path)
    bare = {"tasks": [{"id": "one", "title": "One", "description": "Do it."}]}
    again = {"when": {"phase": "taskPlanning", "turn": 2}, "steps": [{"do": "answer"}]}
    agent = bigtask.desk.script({"tasks": THREE, "turns": [turn("taskPlanning", **bare), again]})
    status, lines = bigtask.json("run", template_id, "Do the work", "--agent", agent, "--yes")
    assert status == 0
    (reasked,) = [event["data"] for event in lines[:-1] if event["type"] == "worker:reasked"]
    assert reasked["errors"] == ["task one has no scope, and this template requires one"]


def test_a_command_of_the_plan_runs_once_a_person_has_seen_it(tmp_path: Path) -> None:
    bigtask = program(in_repository(tmp_path), tmp_path)
    task = {"id": "one", "scope": ["one.txt"], "checks": [{"command": ["git", "--version"]}]}
    agent = bigtask.desk.script({"tasks": [task]})
    assert bigtask("run", "implementation", "Do the work", "--agent", agent).status == 3
    assert bigtask("confirm", "last").status == 0
    (worker,) = bigtask.json("show", "last")[1][0]["workers"]
    assert [check["command"] for check in worker["attempts"][-1]["checks"]] == [["git", "--version"]]
    assert bigtask("run", "implementation", "Do it again", "--agent", agent, "--yes").status == 0
    (worker,) = bigtask.json("show", "last")[1][0]["workers"]
    assert worker["attempts"][-1]["checks"] == []
    assert "check not run, nobody had seen it: git --version" in bigtask("show", "last").out


def test_what_the_person_says_reaches_every_agent(tmp_path: Path) -> None:
    bigtask = program(in_repository(tmp_path), tmp_path)
    agent = bigtask.desk.script({"tasks": THREE})
    given = ["--var", "CHECKS=make test", "--var", "WRITE_TESTS=no", "--instructions", "Keep it short"]
    assert bigtask("run", "implementation", "Do it", "--agent", agent, "--yes", *given).status == 0
    for task_id in ("@analysis", "@planning", "left", "@aggregation", "@verification"):
        text = told(bigtask, task_id)
        assert "<checks>\nmake test\n</checks>" in text
        assert "where and how the project has its tests: no." in text
        assert "<instructions>\nKeep it short\n</instructions>" in text


FINDING = re.compile(r"### (\S+): .+\n> (.+)\nSource: (\S+), line (\d+)\n")


def test_the_worked_example_of_research_quotes_what_stands_there() -> None:
    page = (Path(__file__).parents[2] / "docs/templates/research.md").read_text()
    files = {part.name: part.text for part in parts(page) if isinstance(part, File)}
    contents = {task["file"]: task["content"] for task in json.loads(files["work.json"])["tasks"]}
    report = contents.pop("research/report.md")
    findings = [found for text in contents.values() for found in FINDING.findall(text)]
    assert len(findings) == 3
    for _, quote, source, line in findings:
        assert quote in files[f"papers/{source}"].splitlines()[int(line) - 1]
    assert set(re.findall(r"\[(\S+\.\d+)\]", report)) == {id for id, *_ in findings}
    assert all("\n## Missing sources\n" in text for text in (*contents.values(), report))
