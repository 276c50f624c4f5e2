from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from projects import Project

from .person import PLAN_AND_WORK
from .terminal import Program

pytestmark = pytest.mark.integration

TWO = {"tasks": [{"id": "one"}, {"id": "two", "dependencies": ["one"]}]}
ASKS = {
    "tasks": [{"id": "one"}],
    "turns": [
        {"when": {"task": "one"}, "steps": [{"do": "ask", "question": "May I?"}, {"do": "answer"}]},
    ],
}


def run(program: Program, script: dict[str, Any], *more: str, request: str = "Do the work") -> list[str]:
    return ["run", "tested", request, "--agent", program.desk.script(script), *more]


def test_a_run_goes_to_its_end_and_leaves_the_persons_side_as_it_was(
    program: Program, project: Project
) -> None:
    before = project.seen()
    done = program.apart(*run(program, TWO, "--yes"))
    assert done.status == 0, done.err
    assert done.out.startswith("Complete: 2 tasks")
    assert "bigtask merge last" in done.out
    assert "one           completed  1 file" in done.err
    assert project.seen() == before
    branch = project.lines("for-each-ref", "--format=%(refname:short)", "refs/heads/bigtask/*/main")[0]
    assert branch in done.out
    assert project.git("show", f"{branch}:two.txt") == "two"


def test_json_prints_every_event_once_and_the_result_last(program: Program) -> None:
    status, lines = program.json(*run(program, TWO, "--yes"))
    assert status == 0
    *events, result = lines
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert {tuple(event) for event in events} == {("seq", "type", "orchestratorId", "at", "data")}
    assert events[0]["type"] == "orchestrator:created"
    assert result["type"] == "result"
    assert result["outcome"] == "complete"
    assert result["outputFiles"] == ["one.txt", "two.txt"]
    assert result["branch"] == f"bigtask/{result['orchestratorId']}/main"
    counts = dict(result["tasks"])
    assert counts.pop("total") == 2 == sum(counts.values())


def test_a_failed_task_makes_the_result_incomplete_and_says_so_first(program: Program) -> None:
    script = {
        "tasks": [{"id": "good"}, {"id": "bad"}, {"id": "after", "dependencies": ["bad"]}],
        "turns": [{"when": {"task": "bad"}, "steps": [{"do": "end", "reason": "error", "detail": "no way"}]}],
    }
    program.desk.template(config={"retryOnError": False}, phases=PLAN_AND_WORK)
    done = program(*run(program, script, "--yes"))
    assert done.status == 1
    assert done.out.startswith("Incomplete: 2 of 3 tasks not completed: bad, after")
    assert "no way" in done.out
    assert "bigtask retry last" in done.out


def test_what_agents_write_cannot_steer_the_terminal(program: Program) -> None:
    evil = "\x1b[2J\x1b]0;mine\x07[red]x\u202e\r\nnew line"
    script = {
        "tasks": [{"id": "bad", "title": evil}],
        "turns": [{"when": {"task": "bad"}, "steps": [{"do": "end", "reason": "error", "detail": evil}]}],
    }
    program.desk.template(config={"retryOnError": False}, phases=PLAN_AND_WORK)
    done = program(*run(program, script, "--yes"))
    said = done.out + done.err
    assert "[red]x" in said
    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(said)


def test_when_only_a_person_can_go_on_it_says_how_and_exits_with_3(program: Program) -> None:
    done = program(*run(program, ASKS, "--yes"))
    assert done.status == 3
    assert done.out == ""
    assert "bigtask answer last w1 allow" in done.err
    assert "bigtask resume last" in done.err
    assert program("answer", "last", "w1", "allow").status == 0
    assert program("resume", "last").status == 0


def test_a_plan_that_nobody_confirmed_exits_with_3_and_confirm_goes_on(program: Program) -> None:
    waits = program(*run(program, TWO))
    assert waits.status == 3
    assert "bigtask confirm last" in waits.err
    status, lines = program.json("confirm", "last", "--skip", "one", "--priority", "two=1")
    assert status == 0
    assert lines[-1]["tasks"]["skipped"] == 1
    assert lines[-1]["tasks"]["completed"] == 1


def test_a_revision_that_is_gone_is_refused_and_nothing_is_confirmed(program: Program) -> None:
    program(*run(program, TWO))
    done = program("confirm", "last", "--revision", "7")
    assert done.status == 1
    assert done.err.count("\n") <= 2
    assert "revision" in done.err
    assert "Traceback" not in done.err
    assert program("watch", "last").status == 3


def test_the_same_command_again_goes_on_with_the_run_and_new_starts_afresh(program: Program) -> None:
    program(*run(program, TWO))
    again = program(*run(program, TWO))
    assert "going on with run last" in again.err
    assert len(list(program.desk.home.folders())) == 1
    program(*run(program, TWO, "--new"))
    program(*run(program, TWO, request="Something else"))
    assert len(list(program.desk.home.folders())) == 3


def test_create_prints_the_id_and_start_carries_it_out(program: Program) -> None:
    agent = program.desk.script(TWO)
    made = program("create", "tested", "Do the work", "--agent", agent, "--yes")
    run_id = made.out.strip()
    assert len(run_id) == 26
    not_yet = program("watch", run_id)
    assert not_yet.status == 1
    assert "bigtask start" in not_yet.err
    assert program("start", run_id).status == 0


def test_the_request_comes_from_a_file_or_from_standard_input(program: Program, project: Project) -> None:
    (project.root / "wanted.txt").write_text("From a file")
    agent = program.desk.script(TWO)
    one = program("create", "tested", "@wanted.txt", "--agent", agent)
    two = program("create", "tested", "-", "--agent", agent, stdin="From a pipe")
    assert one.status == two.status == 0
    said = program("logs", "last", "--json").out
    assert "From a pipe" in said


def test_yes_goes_on_without_uncommitted_changes_and_says_so(program: Program, project: Project) -> None:
    (project.root / "a.txt").write_text("changed\n")
    done = program(*run(program, TWO, "--yes"))
    assert done.status == 0
    assert "without 1 uncommitted change" in done.err
    branch = project.lines("for-each-ref", "--format=%(refname:short)", "refs/heads/bigtask/*/main")[0]
    assert project.git("show", f"{branch}:a.txt") == "one\ntwo\nthree"
    assert (project.root / "a.txt").read_text() == "changed\n"


def test_retry_takes_up_what_failed_in_a_run_that_has_ended(program: Program) -> None:
    bad = {"when": {"task": "one", "attempt": 1}, "steps": [{"do": "end", "reason": "error", "detail": "no"}]}
    program.desk.template(config={"retryOnError": False}, phases=PLAN_AND_WORK)
    assert program(*run(program, {**TWO, "turns": [bad]}, "--yes")).status == 1
    done = program("retry", "last")
    assert done.status == 0
    assert done.out.startswith("Complete")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "tested", " "], "the request is empty"),
        (["run", "tested", "x" * 1_000_001], "at most 1,000,000"),
        (["run", "nothing-like-it", "Do"], "nothing-like-it"),
        (["run", "tested", "Do", "--agent", "nobody"], "there is no agent 'nobody'"),
        (["run", "tested", "Do", "--cwd", "/no/such/folder"], "doesn't exist"),
        (["run", "tested", "@/no/such/file"], "can't be read"),
        (["run", "tested", "Do", "--var", "novalue"], "NAME=VALUE"),
        (["run", "tested", "Do", "--max-workers", "65"], "65"),
        (["watch", "../../etc"], "isn't the id of a run"),
        (["confirm", "last", "--priority", "one=11"], "1 to 10"),
    ],
)
def test_bad_input_gets_one_clear_sentence_and_makes_nothing(
    program: Program, arguments: list[str], sentence: str
) -> None:
    if arguments[0] == "confirm":
        program("create", "tested", "Do", "--agent", program.desk.script(TWO))
    # A megabyte doesn't fit into an argument.
    given = arguments[2] if len(arguments) > 2 and len(arguments[2]) > 100_000 else ""
    arguments = [*arguments[:2], "-", *arguments[3:]] if given else arguments
    if arguments[0] == "run" and "--agent" not in arguments:
        arguments = [*arguments, "--agent", program.desk.script(TWO)]
    said = program(*arguments, stdin=given)
    assert (said.status, said.out) == (2, "")
    assert sentence in said.err
    assert len(list(program.desk.home.folders())) == (arguments[0] == "confirm")


def test_an_answer_that_stays_nonsense_waits_for_a_person(program: Program) -> None:
    script = {
        "tasks": [{"id": "one"}],
        "turns": [{"when": {"task": "one"}, "steps": [{"do": "say", "text": "blah"}]}],
    }
    done = program(*run(program, script, "--yes"))
    assert done.status == 3
    assert done.err.count("asked again") >= 3
    assert "bigtask answer last w1 retry" in done.err


def test_a_reader_that_goes_away_ends_the_run_without_a_traceback(program: Program) -> None:
    process = subprocess.Popen(
        program.argv(*run(program, TWO, "--yes", "--json")),
        cwd=program.project.root,
        env=program.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["type"] == "orchestrator:created"
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in said
    assert "Exception" not in said
