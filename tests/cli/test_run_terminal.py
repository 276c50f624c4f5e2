from __future__ import annotations

import time
from typing import Any

import pytest
from rich.cells import cell_len

from .terminal import Program

pytestmark = pytest.mark.integration

LISTENS = {"do": "ask", "question": "May I go on?"}
PLANNED = {"tasks": [{"id": "one"}, {"id": "two", "dependencies": ["one"]}, {"id": "three"}]}
ONE_ASKS = {
    "tasks": [{"id": "one"}, {"id": "two"}],
    "turns": [{"when": {"task": "one"}, "steps": [LISTENS, {"do": "answer"}]}],
}
ONE_HANGS = {
    "tasks": [{"id": "one"}],
    "turns": [{"when": {"task": "one", "attempt": 1}, "steps": [{"do": "hang"}]}],
    "can_resume": False,
}


def run(program: Program, script: dict[str, Any], *more: str) -> list[str]:
    return ["run", "tested", "Do the work", "--agent", program.desk.script(script), *more]


def test_a_plan_is_shown_edited_and_confirmed_at_the_terminal(program: Program) -> None:
    with program.at_terminal(*run(program, PLANNED)) as terminal:
        terminal.until("start 3 tasks as planned?")
        terminal.type("d three\r")
        terminal.until("start 2 tasks as planned?")
        terminal.type("p two 11\r")
        terminal.until("1 (most urgent) to 10")
        terminal.type("p tw 1\r")
        terminal.until("two: priority 1")
        terminal.type("c\r")
        terminal.until("Complete: 2 tasks")
        assert terminal.ended() == 0
    assert "\x1b[?25h" in terminal.raw.decode(), "the cursor came back"


def test_a_permission_is_answered_by_its_number(program: Program) -> None:
    with program.at_terminal(*run(program, ONE_ASKS, "--yes")) as terminal:
        terminal.until("[1] allow  [2] deny")
        assert b"\a" in terminal.raw, "the bell"
        terminal.type("7\r")
        terminal.until("type a number from 1 to 2")
        terminal.type("1\r")
        terminal.until("w1: allow by ")
        terminal.until("(May I go on?)")
        terminal.until("Complete")
        assert terminal.ended() == 0


def test_a_question_answered_at_another_terminal_goes_away(program: Program) -> None:
    with program.at_terminal(*run(program, ONE_ASKS, "--yes")) as terminal:
        terminal.until("[1] allow  [2] deny")
        terminal.type("de")
        assert program("answer", "last", "w1", "allow").status == 0
        terminal.until("Complete")
        assert terminal.ended() == 0


def test_ctrl_c_pauses_and_the_same_command_goes_on(program: Program) -> None:
    with program.at_terminal(*run(program, ONE_HANGS, "--yes")) as terminal:
        terminal.until("1 working")
        terminal.press_ctrl_c()
        terminal.until("paused: `bigtask resume last`")
        assert terminal.ended() == 130
    done = program(*run(program, ONE_HANGS, "--yes"))
    assert "going on with run last" in done.err
    assert done.status == 0


def test_ctrl_c_twice_ends_at_once(program: Program) -> None:
    deaf = {
        **ONE_HANGS,
        "can_interrupt": False,
        "turns": [{"when": {"task": "one", "attempt": 1}, "steps": [{"do": "hang"}]}],
    }
    with program.at_terminal(*run(program, deaf, "--yes")) as terminal:
        terminal.until("1 working")
        terminal.press_ctrl_c()
        terminal.until("Ctrl-C again ends at once")
        began = time.monotonic()
        terminal.press_ctrl_c()
        assert terminal.ended() == 130
        assert time.monotonic() - began < 4, "didn't wait for the agent to stop"


def test_when_the_process_is_killed_whoever_watches_goes_on_within_three_seconds(program: Program) -> None:
    with program.at_terminal(*run(program, ONE_HANGS, "--yes")) as first:
        first.until("1 working")
        with program.at_terminal("watch", "last") as second:
            second.until("carries the run out: following it")
            second.until("1 working")
            first.kill()
            began = time.monotonic()
            second.until("recovered")
            assert time.monotonic() - began < 3
            second.until("Complete")
            assert second.ended() == 0


def test_pause_and_resume_from_a_second_terminal_act_on_the_run_of_the_first(program: Program) -> None:
    with program.at_terminal(*run(program, ONE_HANGS, "--yes")) as terminal:
        terminal.until("1 working")
        assert program("pause", "last").status == 0
        terminal.until("[r]esume")
        done = program("resume", "last")
        assert done.status == 0
        assert "goes on with it" in done.err
        terminal.until("Complete")
        assert terminal.ended() == 0


def test_confirm_from_a_second_terminal_acts_on_the_run_of_the_first(program: Program) -> None:
    with program.at_terminal(*run(program, PLANNED)) as terminal:
        terminal.until("start 3 tasks as planned?")
        status, lines = program.json("confirm", "last", "--skip", "three")
        assert status == 0
        assert lines[-1]["outcome"] is None
        terminal.until("Complete")
        assert terminal.ended() == 0


def test_ctrl_c_at_a_watching_terminal_leaves_the_run_alone(program: Program) -> None:
    with program.at_terminal(*run(program, ONE_ASKS, "--yes")) as first:
        first.until("[1] allow")
        with program.at_terminal("watch", "last") as second:
            second.until("[1] allow")
            second.press_ctrl_c()
            second.until("the run goes on")
            assert second.ended() == 130
        first.type("allow\r")
        first.until("Complete")
        assert first.ended() == 0


def test_no_line_is_wider_than_the_terminal_after_it_was_resized(program: Program) -> None:
    width = 40
    tasks = [{"id": f"task-{n}", "title": "A long title, 長い題名 " * 6} for n in range(8)]
    turns = [
        {
            "when": {"task": task["id"]},
            "steps": [{"do": "progress", "percent": 50, "action": "doing " * 40}, LISTENS, {"do": "answer"}],
        }
        for task in tasks
    ]
    script = {"tasks": tasks, "turns": turns}
    arguments = run(program, script, "--yes", "--max-workers", "8")
    with program.at_terminal(*arguments, width=120, height=14) as terminal:
        terminal.until("need you")
        terminal.resize(width=width, height=14)
        terminal.raw, terminal.read_until = b"", 0
        terminal.type("x\r")
        terminal.until("type a number")
        picture = terminal.text.replace("\r", "").rpartition("done,")[2].splitlines()
        assert 2 < len(picture) < 14
        assert max(cell_len(line) for line in picture[1:]) <= width
        terminal.press_ctrl_c()
        terminal.ended()
