"""From the request to the report, by scripted agents through the real command line, on real git."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bigtask.cli import diff
from bigtask.host.home import Home
from cli.here import here
from cli.terminal import Program
from projects import Desk, Project, repository

from .junit_form import outline, problems

pytestmark = pytest.mark.integration

GOOD = ["grep", "-q", "good", "left.txt"]


class Bench:
    """Somebody with a repository and an approved template that verifies."""

    def __init__(self, place: Path, *, folder: bool = False, **verification: Any) -> None:
        self.project = Project(place / "project") if folder else repository(place / "project")
        if folder:
            self.project.root.mkdir()
            (self.project.root / "a.txt").write_text("one\ntwo\nthree\n")
        home = place / "home"
        home.mkdir()
        self.bigtask = Program(self.project, Desk(Home(home)))
        off = {"enabled": False}
        self.bigtask.desk.template(
            config={"maxRetries": 0},
            phases={
                "analysis": off,
                "aggregation": off,
                "verification": {"enabled": True, "commands": [], **verification},
            },
        )
        if verification.get("commands") or verification.get("allowedCommands"):
            assert self.bigtask("template", "approve", "tested", "--yes").status == 0

    def run(self, tasks: list[dict[str, Any]], *turns: dict[str, Any], yes: bool = True) -> Any:
        agent = self.bigtask.desk.script({"tasks": tasks, "turns": list(turns)})
        options = ["--yes"] if yes else []
        return self.bigtask("run", "tested", "Do the work", "--agent", agent, *options)

    def whole(self) -> dict[str, Any]:
        found: dict[str, Any] = self.bigtask("show", "last", "--json").json
        return found

    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.bigtask("report", "last", "--format", "json").out)
        return found

    def told(self) -> str:
        """The prompt of the last verification."""
        shown = self.bigtask("show", "last", "@verification", "--json").json
        return str(next(said["text"] for said in shown["transcript"] if said["who"] == "prompt"))


def verdict(attempt: int | None = None, **data: Any) -> dict[str, Any]:
    when: dict[str, Any] = {"phase": "verification"}
    if attempt is not None:
        when["attempt"] = attempt
    return {"when": when, "steps": [{"do": "answer", "data": data}]}


def writes(task: str, path: str, content: str) -> dict[str, Any]:
    done = {"status": "success", "summary": f"Wrote {path}.", "output_files": [path]}
    steps = [{"do": "write", "path": path, "content": content}, {"do": "answer", "data": done}]
    return {"when": {"task": task}, "steps": steps}


LEFT = {"id": "left", "scope": ["left.txt"], "content": "bad\n"}


def test_a_red_command_becomes_a_repair_that_is_merged_and_green(tmp_path: Path) -> None:
    bench = Bench(tmp_path, commands=[GOOD], autoFix=True)
    ended = bench.run([LEFT], writes("fix-1", "left.txt", "good\n"))
    assert ended.status == 0, ended.err
    assert "bigtask report last" in ended.out
    assert "bigtask merge last" in ended.out
    whole = bench.whole()
    assert [worker["taskId"] for worker in whole["workers"]] == ["left", "fix-1"]
    (verified,) = [phase for phase in whole["phases"] if phase["taskId"] == "@verification"]
    assert [[check["exitStatus"] for check in each["checks"]] for each in verified["attempts"]] == [[1], [0]]
    assert bench.report()["verdict"]["repairRounds"] == 1
    assert bench.bigtask("merge", "last").status == 0
    assert (bench.project.root / "left.txt").read_text() == "good\n"


def test_a_repair_that_does_not_help_is_told_and_the_run_is_not_green(tmp_path: Path) -> None:
    bench = Bench(tmp_path, commands=[GOOD], autoFix=True, maxFixes=1)
    assert bench.run([LEFT], writes("fix-1", "left.txt", "still bad\n")).status == 1
    found = bench.report()
    assert found["run"]["outcome"] == "incomplete"
    assert found["run"]["reason"] == (
        "verification did not pass after 1 repair round: `grep -q good left.txt` ended with 1"
    )
    assert found["left"][0]["what"] == "repair what makes `grep -q good left.txt` fail on the merged whole"


def test_the_checks_of_all_tasks_are_run_once_more_on_the_merged_whole(tmp_path: Path) -> None:
    both, own = ["sh", "-c", "test -f left.txt || test -f right.txt"], ["test", "-f", "left.txt"]
    bench = Bench(tmp_path, allowedCommands=[both, own])
    tasks = [
        {"id": "left", "scope": ["left.txt"], "checks": [{"command": both}, {"command": own}]},
        {"id": "right", "scope": ["right.txt"], "checks": [{"command": both}]},
    ]
    assert bench.run(tasks).status == 0
    checks = bench.report()["verdict"]["checks"]
    assert [(check["command"], check["wantedBy"]) for check in checks] == [
        (both, ["left", "right"]),
        (own, ["left"]),
    ]


def test_a_command_that_nobody_was_shown_is_not_run_on_the_merged_whole(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    canary = tmp_path / "canary"
    tasks = [{**LEFT, "checks": [{"command": ["touch", str(canary)]}]}]
    assert bench.run(tasks).status == 0
    assert not canary.exists()
    assert bench.report()["ledger"][0]["notRun"] == [["touch", str(canary)]]


def test_what_a_session_left_lying_in_the_workspace_makes_no_check_green(tmp_path: Path) -> None:
    """The verdict's agent works where the commands are run. Nothing but what is committed counts."""
    bench = Bench(tmp_path, commands=[GOOD], autoFix=True, maxFixes=1)
    cheat = verdict(1, status="failed", summary="Not good.")
    cheat["steps"].insert(0, {"do": "write", "path": "left.txt", "content": "good\n"})
    assert bench.run([LEFT], cheat, writes("fix-1", "other.txt", "x\n")).status == 1
    assert bench.report()["verdict"]["checks"][0]["passed"] is False
    rescued = bench.project.lines("for-each-ref", "--format=%(refname)", "refs/bigtask/rescue")
    assert len(rescued) == 1, "what was written there is kept"
    assert bench.project.git("show", f"{rescued[0]}:left.txt") == "good"


def test_what_a_check_leaves_running_is_ended(tmp_path: Path) -> None:
    child = tmp_path / "pid"
    bench = Bench(tmp_path, commands=[["sh", "-c", f"setsid sleep 300 & echo $! > {child}"]])
    assert bench.run([LEFT]).status == 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(child.read_text()), 0)


CLAIMING = {**LEFT, "checks": [{"claim": "left says good"}, {"claim": "left is one line"}]}


def test_claims_are_asked_and_reported_one_by_one(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    claims = [
        {"id": "left.1", "verdict": "fails", "evidence": "left.txt:1"},
        {"id": "left.2", "verdict": "holds", "evidence": "left.txt:1"},
    ]
    assert bench.run([CLAIMING], verdict(status="passed", summary="Fine.", claims=claims)).status == 1
    told = bench.told()
    assert "- left.1: left says good\n- left.2: left is one line" in told
    assert "+bad" in told
    page = bench.bigtask("show", "last").out
    assert "✗ left: left says good (left.txt:1)" in page
    assert "✓ left: left is one line (left.txt:1)" in page
    assert "left: claim fails: left says good (left.txt:1)" in page
    assert "fails: left says good (left.txt:1)" in bench.bigtask("show", "last", "left").out
    found = bench.report()
    assert [claim["verdict"] for claim in found["ledger"][0]["claims"]] == ["fails", "holds"]
    assert found["run"]["reason"] == "verification did not pass: not as claimed: left says good"


def test_an_answer_that_leaves_claims_out_is_asked_for_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bare = verdict(status="passed", summary="Fine.")
    again = {"when": {"phase": "verification", "turn": 2}, "steps": [{"do": "answer"}]}
    assert bench.run([CLAIMING], bare, again).status == 0
    (verified,) = [phase for phase in bench.whole()["phases"] if phase["taskId"] == "@verification"]
    assert verified["attempts"][0]["reasked"] == 1
    assert {claim["verdict"] for claim in bench.report()["ledger"][0]["claims"]} == {"holds"}


def test_a_worker_that_only_says_it_did_something_is_told_as_such_everywhere(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    says = {"status": "success", "summary": "Wrote all pages.", "output_files": ["docs/all.md"]}
    liar = {"when": {"task": "liar"}, "steps": [{"do": "answer", "data": says}]}
    ended = bench.run([LEFT, {"id": "liar", "scope": ["docs"]}], liar)
    remark = 'says "Wrote all pages."; nothing in the diff shows it'
    assert remark in ended.out
    assert "nothing missed" not in ended.out
    assert remark in bench.told()
    assert remark in bench.bigtask("show", "last").out
    (entry,) = [entry for entry in bench.whole()["ledger"] if entry["taskId"] == "liar"]
    assert entry["remarks"] == [remark, "claimed but unchanged: docs/all.md"]
    assert f"⚠️ {remark}" in bench.bigtask("report", "last").out


def test_a_plan_that_waits_shows_every_command_and_who_wants_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, commands=[GOOD])
    tasks = [{**LEFT, "checks": [{"command": ["test", "-f", "left.txt"]}]}]
    asked = bench.run(tasks, yes=False)
    assert asked.status == 3
    page = bench.bigtask("show", "last").out
    assert "Commands that bigtask will run once you confirm" in page
    assert "$ test -f left.txt  (check of left, before the work is merged, and on the merged whole)" in page
    assert "$ grep -q good left.txt  (template tested, on the merged whole)" in page
    assert [one["agreed"] for one in bench.whole()["programs"]] == [False, True]


def test_a_long_change_is_shown_with_something_of_every_file(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    tasks = [
        {"id": "long", "scope": ["long.txt"], "content": "a long line of text\n" * 20_000},
        {"id": "short", "scope": ["short.txt"], "content": "the short one\n"},
    ]
    assert bench.run(tasks).status == 0
    told = bench.told()
    assert "+the short one" in told
    assert "more lines of this file are left out here]" in told
    assert len(told) < 100_000


@pytest.mark.parametrize("form", ["markdown", "json", "junit"])
def test_a_report_goes_to_stdout_or_into_a_file(tmp_path: Path, form: str) -> None:
    bench = Bench(tmp_path)
    assert bench.run([LEFT]).status == 0
    said = bench.bigtask("report", "last", "--format", form)
    assert (said.status, said.err) == (0, "")
    file = tmp_path / f"result.{ {'markdown': 'md', 'json': 'json', 'junit': 'xml'}[form] }"
    written = bench.bigtask("report", "last", "-o", str(file))
    assert (written.status, written.out) == (0, "")
    assert file.read_text() == said.out
    refused = bench.bigtask("report", "last", "-o", str(tmp_path / "no" / "file.md"))
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    if form == "junit":
        assert problems(file.read_bytes()) == []
        assert {group for group, *_ in outline(file.read_bytes())} == {"bigtask.tasks", "bigtask.verdict"}


def test_an_export_can_be_reported_anywhere(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.run([LEFT]).status == 0
    archive = str(tmp_path / "run.zip")
    assert bench.bigtask("export", "last", archive).status == 0
    assert "## What became of every task" in bench.bigtask("report", archive).out


def test_merge_says_what_it_will_do_and_a_dry_run_does_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.run([LEFT]).status == 0
    before = bench.project.seen()
    dry = bench.bigtask("merge", "last", "--dry-run")
    assert dry.status == 0
    assert dry.out == "added    left.txt +1 -0\n"
    assert "Would be done: a fast-forward of trunk from " in dry.err
    assert bench.project.seen() == before
    merged = bench.bigtask("merge", "last")
    assert merged.err.startswith("a fast-forward of trunk from ")
    assert "already" in bench.bigtask("merge", "last", "--dry-run").err
    assert bench.bigtask("merge", "last", "--undo", "--dry-run").status == 2


def test_where_the_branch_went_on_it_is_a_merge(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.run([LEFT]).status == 0
    (bench.project.root / "mine.txt").write_text("mine\n")
    bench.project.git("add", "mine.txt")
    bench.project.git("commit", "-q", "-m", "mine")
    foreseen = bench.bigtask("merge", "last", "--dry-run", "--json").json
    assert (foreseen["way"], [file["path"] for file in foreseen["files"]]) == ("merge", ["left.txt"])
    assert bench.bigtask("merge", "last").status == 0
    assert len(bench.project.lines("rev-list", "--parents", "-1", "HEAD")[0].split()) == 3


@pytest.mark.parametrize(
    ("in_the_way", "changed"), [("a.txt", "tracked"), ("left.txt", "untracked"), ("left.txt", "committed")]
)
def test_a_merge_that_would_lose_something_is_refused_with_the_files(
    tmp_path: Path, in_the_way: str, changed: str
) -> None:
    bench = Bench(tmp_path)
    assert bench.run([LEFT]).status == 0
    (bench.project.root / in_the_way).write_text("mine\n")
    if changed == "committed":
        bench.project.git("add", in_the_way)
        bench.project.git("commit", "-q", "-m", "mine")
    before = bench.project.seen()
    foreseen = bench.bigtask("merge", "last", "--dry-run", "--json")
    assert (foreseen.status, foreseen.json["inTheWay"]) == (1, [in_the_way])
    for options in (("--dry-run",), ()):
        said = bench.bigtask("merge", "last", *options)
        assert said.status == 1
        assert f"  {in_the_way}\n" in said.err
    assert bench.project.seen() == before
    assert bench.whole()["merged"] is None


def test_a_folder_is_foreseen_as_well(tmp_path: Path) -> None:
    bench = Bench(tmp_path, folder=True)
    assert bench.run([LEFT]).status == 0
    dry = bench.bigtask("merge", "last", "--dry-run")
    assert (dry.status, dry.out) == (0, "added    left.txt +1 -0\n")
    (bench.project.root / "left.txt").write_text("mine\n")
    refused = bench.bigtask("merge", "last", "--dry-run", "--json")
    assert (refused.status, refused.json["inTheWay"]) == (1, ["left.txt"])
    (bench.project.root / "left.txt").unlink()
    assert bench.bigtask("merge", "last").status == 0
    assert "already" in bench.bigtask("merge", "last", "--dry-run").err


def test_a_diff_can_be_counted_and_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    tasks = [LEFT, {"id": "right", "scope": ["right.txt"], "content": "x\n" * 100}]
    assert bench.run(tasks).status == 0
    stat = bench.bigtask("diff", "last", "--stat").out.splitlines()
    assert stat == ["A left.txt    1 +", f"A right.txt 100 {'+' * 40}", "2 files, +101 −0"]
    assert bench.bigtask("diff", "last", "right", "--name-only").out == "right.txt\n"
    files = bench.bigtask("diff", "last", "--json").json["files"]
    assert [(file["path"], file["insertions"]) for file in files] == [("left.txt", 1), ("right.txt", 100)]
    patch = bench.bigtask("diff", "last").out
    (tmp_path / "change.patch").write_text(patch)
    bench.project.git("apply", str(tmp_path / "change.patch"))
    assert (bench.project.root / "right.txt").read_text() == "x\n" * 100


def test_a_long_diff_goes_through_the_pager_at_a_terminal(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.run([{"id": "long", "scope": ["long.txt"], "content": "\x1b[2Jx\n" * 200}]).status == 0
    env = {**bench.bigtask.env, "HOME": str(tmp_path)}
    assert "\x1b" not in here(env, "diff", "last", "--no-pager", columns=80).out, "NO_COLOR is in force here"
    with bench.bigtask.at_terminal("diff", "last", height=20) as terminal:
        terminal.until("+[2Jx")
        terminal.type("q")
        assert terminal.ended() == 0
    assert b"\x1b[2Jx" not in terminal.raw
    with bench.bigtask.at_terminal("diff", "last", "--no-pager", height=20) as terminal:
        assert terminal.ended() == 0
    assert terminal.text.count("+[2Jx") == 200
    assert b"\x1b[32m" in terminal.raw


@pytest.mark.parametrize("line", ["+\x1b[2Jx", "diff --git a/\x1b]0;t\x07 b/x", "@@ -1 +1 @@ \x9b2J"])
def test_a_diff_that_lets_control_signs_through_is_noticed(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    signs = ("\x1b[2J", "\x1b]", "\x07", "\x9b")
    assert not any(sign in diff._coloured(line) for sign in signs)
    monkeypatch.setattr(diff, "plain", lambda text: text)
    assert any(sign in diff._coloured(line) for sign in signs)
