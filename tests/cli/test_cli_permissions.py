"""Answers that hold longer, what is kept for a repository, and runs that ask nobody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from claude.setting import needs_claude
from projects import Project, repository

from .terminal import Program

pytestmark = pytest.mark.integration


def script(subject: str = "make test", tool: str = "Bash") -> dict[str, Any]:
    """`one` writes whether it was allowed."""

    def wrote(word: str) -> list[dict[str, Any]]:
        return [{"do": "write", "path": "one.txt", "content": word}]

    ask = {
        "do": "ask",
        "question": f"Run {subject}?",
        "tool": tool,
        "subject": subject,
        "allow": wrote("allowed"),
        "deny": wrote("denied"),
    }
    return {"tasks": [{"id": "one"}], "turns": [{"when": {"task": "one"}, "steps": [ask, {"do": "answer"}]}]}


def run(program: Program, *more: str, request: str = "Do the work", **asks: str) -> list[str]:
    return ["run", "tested", request, "--agent", program.desk.script(script(**asks)), *more]


def wrote(project: Project) -> str:
    (branch, *_) = project.lines(
        "for-each-ref", "--sort=-refname", "--format=%(refname)", "refs/heads/bigtask/*/main"
    )
    return project.git("show", f"{branch}:one.txt")


def kept(program: Program) -> list[dict[str, Any]]:
    return json.loads(program.apart("permissions", "--json").out)["permissions"]


def test_the_inbox_says_what_an_answer_covers_since_when_it_waits_and_what_answers_it(
    program: Program,
) -> None:
    assert program.apart(*run(program, "--yes")).status == 3
    said = program.apart("inbox").out
    assert "w1 permission  one  for " in said
    assert "an answer for the task, run or repository covers Bash(make test)" in said
    (item,) = json.loads(program.apart("inbox", "--json").out)["waiting"]
    assert item["commands"] == [
        "bigtask answer last w1 allow",
        "bigtask answer last w1 deny",
        "bigtask answer last w1 allow --scope task",
    ]
    assert item["scopes"] == ["once", "task", "run", "repository"]
    assert item["askedAt"].endswith("Z")
    assert item["expiresAt"] is None


def test_what_an_answer_covers_is_shown_letter_by_letter(program: Program) -> None:
    assert program.apart(*run(program, "--yes", subject="ls\nrm -rf \u202e/ \x1b[2J")).status == 3
    said = program.apart("inbox").out
    assert "covers Bash(ls\\nrm -rf \\u202e/ \\x1b[2J)" in said
    assert "\x1b" not in said


def test_an_answer_for_the_repository_holds_for_later_runs_until_it_is_taken_back(
    program: Program, project: Project
) -> None:
    assert program.apart(*run(program, "--yes")).status == 3
    said = program.apart("answer", "last", "w1", "allow", "--scope", "repository")
    assert said.status == 0
    assert "answered for the repository: allow" in said.err
    (one,) = kept(program)
    assert (one["rule"], one["answer"], one["repository"]) == ("Bash(make test)", "allow", str(project.root))
    assert one["by"].endswith("@cli")
    assert program.apart("resume", "last").status == 0
    assert wrote(project) == "allowed"

    second = program.apart(*run(program, "--yes", request="Again"))
    assert second.status == 0
    assert f"w1: allow by {one['by']} (answered for the repository)" in second.err
    assert wrote(project) == "allowed"
    # What is almost the same is another question.
    assert program.apart(*run(program, "--yes", request="Else", subject="make tests")).status == 3

    back = program.apart("permissions", "--revoke", one["id"][:4])
    assert "taken back: allow Bash(make test)" in back.err
    assert kept(program) == []
    assert program.apart(*run(program, "--yes", request="Once more")).status == 3
    # The first run remembers its answer, and doesn't bring it back.
    first = min(folder.id for folder in program.desk.home.folders())
    assert program.apart("retry", first, "one").status == 0
    assert kept(program) == []


def test_a_repository_elsewhere_has_answers_of_its_own(program: Program, tmp_path: Path) -> None:
    assert program.apart(*run(program, "--yes")).status == 3
    program.apart("answer", "last", "w1", "deny", "--scope", "repository")
    other = repository(tmp_path / "other")
    done = program.apart(*run(program, "--yes", "--cwd", str(other.root)))
    assert done.status == 3


@pytest.mark.parametrize(("tool", "subject"), [("Bash", "cat x >> .git/hooks/post-commit"), ("", "")])
def test_what_the_trust_gate_keeps_is_never_answered_for_the_repository(
    program: Program, tool: str, subject: str
) -> None:
    assert program.apart(*run(program, "--yes", tool=tool, subject=subject)).status == 3
    refused = program.apart("answer", "last", "w1", "allow", "--scope", "repository")
    assert refused.status == 2
    assert "can't hold for 'repository'" in refused.err
    assert kept(program) == []


def test_without_a_permission_there_is_nothing_to_take_back(program: Program) -> None:
    assert "No answer holds for a repository." in program.apart("permissions").err
    wrong = program.apart("permissions", "--revoke", "abc")
    assert wrong.status == 2
    assert "isn't one of them" in wrong.err


def test_rules_of_the_configuration_settle_without_a_question(program: Program, project: Project) -> None:
    env = {"BIGTASK_PERMISSIONS": '{"allow": ["Bash(make *)"], "deny": ["Bash(make install*)"]}'}
    assert program.apart(*run(program, "--yes"), env=env).status == 0
    assert wrote(project) == "allowed"
    done = program.apart(*run(program, "--yes", request="Else", subject="make install"), env=env)
    assert done.status == 0
    assert wrote(project) == "denied"
    assert "deny by rule (deny Bash(make install*))" in done.err
    assert "nobody was asked: deny to Bash(make install)" in program.apart("report", "last").out


def test_a_question_that_nobody_answers_is_settled_by_its_policy(program: Program, project: Project) -> None:
    env = {"BIGTASK_UNANSWERED": '{"permission": "deny after 1s"}'}
    done = program.apart(*run(program, "--yes"), env=env)
    assert done.status == 0, done.err
    assert wrote(project) == "denied"
    assert "deny by policy (its time-out)" in done.err


# Nobody is asked


def reports(folder: Path) -> tuple[str, ElementTree.Element]:
    page = (folder / "report.md").read_text(encoding="utf-8")
    return page, ElementTree.fromstring((folder / "report.xml").read_text(encoding="utf-8"))  # noqa: S314 - our own


def test_ci_confirms_denies_reports_and_ends(program: Program, project: Project) -> None:
    done = program.apart(*run(program, "--ci"))
    assert done.status == 0, done.err
    assert wrote(project) == "denied"
    assert "confirmed  by --ci" in done.err
    page, suites = reports(project.root / "bigtask-report")
    assert "nobody was asked: deny to Bash(make test) (--ci)" in page
    assert suites.tag == "testsuites"
    assert project.lines("status", "--short") == []


def test_ci_takes_a_rule_for_a_yes(program: Program, project: Project) -> None:
    env = {"BIGTASK_PERMISSIONS": '{"allow": ["Bash(make test)"]}'}
    assert program.apart(*run(program, "--ci"), env=env).status == 0
    assert wrote(project) == "allowed"


def test_ci_ends_with_3_where_a_person_is_needed_and_can_be_continued(
    program: Program, project: Project, tmp_path: Path
) -> None:
    nonsense = {
        "tasks": [{"id": "one"}],
        "turns": [{"when": {"task": "one"}, "steps": [{"do": "say", "text": "I'd rather not."}]}],
    }
    agent, folder = program.desk.script(nonsense), tmp_path / "out"
    begun = ["run", "tested", "Do", "--agent", agent, "--ci", "--report-dir", str(folder)]
    stopped = program.apart(*begun)
    assert stopped.status == 3, stopped.err
    assert "bigtask answer last w1 skip" in stopped.err
    page, _ = reports(folder)
    assert "answer w1" in page
    assert program.apart("answer", "last", "w1", "skip").status == 0
    resumed = program.apart("resume", "last", "--ci", "--report-dir", str(folder))
    assert resumed.status in (0, 1), resumed.err
    assert "answer w1" not in reports(folder)[0]


def test_ci_needs_a_cap_where_the_agent_costs_money(program: Program) -> None:
    needs_claude()
    begun = ["run", "tested", "Do", "--agent", "claude", "--ci"]
    refused = program.apart(*begun, env={"ANTHROPIC_API_KEY": "made-up"})
    assert refused.status == 2
    assert "--ci with claude, which costs money, needs a cap" in refused.err
    assert not list(program.desk.home.folders())
    assert not (program.project.root / "bigtask-report").exists()


def test_ci_says_before_it_begins_that_the_reports_cannot_be_written(
    program: Program, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    refused = program.apart(*run(program, "--ci", "--report-dir", str(tmp_path / "file" / "x")))
    assert refused.status == 2
    assert "can't be written" in refused.err
    assert "run           started" not in refused.err


def test_a_report_dir_without_ci_is_refused(program: Program) -> None:
    refused = program.apart(*run(program, "--report-dir", "x"))
    assert refused.status == 2
    assert "--report-dir belongs to --ci" in refused.err
    assert program.apart("resume", "last", "--report-dir", "x").status == 2
