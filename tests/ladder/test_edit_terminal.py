"""The plan in an editor while the run waits at the terminal, and the command at a terminal of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bigtask.host.home import Home
from cli.person import PLAN_AND_WORK
from cli.terminal import Program
from projects import Desk, repository

pytestmark = pytest.mark.integration

PLANNED = {"tasks": [{"id": "one"}, {"id": "two", "dependencies": ["one"]}, {"id": "three"}]}
# An editor as people have them: it shows what it has, and takes what is typed. Ctrl-C ends it at once, also
# just before it begins to read, where Python alone would wait for the line first.
EDITOR = """
import pathlib, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
file = pathlib.Path(sys.argv[1])
text = file.read_text()
print("NOTES:", *[line for line in text.splitlines() if line.startswith("#! ")])
while True:
    typed = input("replace> ")
    if not typed:
        break
    old, new = typed.split(" with ")
    text = text.replace(old, new)
file.write_text(text)
"""


class Editing(Program):
    @property
    def env(self) -> dict[str, str]:
        folder = self.desk.home.path.parent
        return {
            **super().env,
            "EDITOR": f"{sys.executable} {folder / 'ed.py'}",
            "TMPDIR": str(folder / "tmp"),
        }


@pytest.fixture
def program(tmp_path: Path) -> Program:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "ed.py").write_text(EDITOR)
    desk = Desk(Home(tmp_path / "home"))
    desk.template(config={}, phases=PLAN_AND_WORK)
    return Editing(repository(tmp_path / "project"), desk)


def run(program: Program) -> list[str]:
    return ["run", "tested", "Do the work", "--agent", program.desk.script(PLANNED)]


def test_the_plan_question_offers_the_editor_and_goes_on_after_it(program: Program) -> None:
    with program.at_terminal(*run(program)) as terminal:
        terminal.until("[e]dit")
        terminal.type("e\r")
        terminal.until("replace> ")
        # Ctrl-C and what is typed are the editor's; the run stays as it is.
        terminal.type('title = "three" with title = "Third"\n')
        terminal.until("replace> ")
        terminal.type('dependencies = ["one"] with dependencies = ["uno"]\n')
        terminal.until("replace> ")
        terminal.type("\n")
        terminal.until("task two depends on uno, which doesn't exist")
        terminal.until("replace> ")
        terminal.type("uno with three\n")
        terminal.until("replace> ")
        terminal.type("\n")
        terminal.until("three: title Third")
        terminal.until("start 3 tasks as planned?")
        terminal.type("edit\r")
        terminal.until("replace> ")
        terminal.type("\n")
        terminal.until("the plan stays as it is")
        terminal.type("c\r")
        terminal.until("Complete: 3 tasks")
        assert terminal.ended() == 0
    assert list((program.desk.home.path.parent / "tmp").iterdir()) == []


def test_ctrl_c_in_the_editor_ends_the_editor_and_not_the_run(program: Program) -> None:
    with program.at_terminal(*run(program)) as terminal:
        terminal.until("[e]dit")
        terminal.type("e\r")
        terminal.until("replace> ")
        terminal.press_ctrl_c()
        terminal.until("nothing is changed")
        terminal.type("c\r")
        terminal.until("Complete: 3 tasks")
        assert terminal.ended() == 0


def test_the_command_asks_whether_to_go_on_with_what_cannot_be_used(program: Program) -> None:
    assert program(*run(program)).status == 3
    with program.at_terminal("edit", "last") as terminal:
        terminal.until("replace> ")
        terminal.type('priority = 5 with priority = "high"\n')
        terminal.until("replace> ")
        terminal.type("\n")
        terminal.until("task one: priority must be a whole number")
        terminal.until("Go on editing? [Y/n]")
        terminal.type("y\r")
        terminal.until("NOTES: #! task one: priority must be")
        terminal.type('"high" with 3\n')
        terminal.until("replace> ")
        terminal.type("\n")
        terminal.until("the plan is revision 2 now")
        assert terminal.ended() == 0
    with program.at_terminal("edit", "last") as terminal:
        terminal.until("replace> ")
        terminal.type("priority with urgency\n")
        terminal.until("replace> ")
        terminal.type("\n")
        terminal.until("Go on editing? [Y/n]")
        terminal.type("n\r")
        terminal.until("what you wrote is kept: bigtask edit last --from")
        assert terminal.ended() == 2
    (kept,) = (program.desk.home.path.parent / "tmp").iterdir()
    assert "urgency = 3" in kept.read_text()


def test_an_answer_by_hand_is_written_in_the_editor_and_the_run_goes_on(program: Program) -> None:
    prose = {"when": {"task": "one"}, "steps": [{"do": "say", "text": "I'd rather not."}]}
    agent = program.desk.script({"tasks": [{"id": "one"}], "turns": [prose]})
    with program.at_terminal("run", "tested", "Do the work", "--agent", agent, "--yes") as terminal:
        terminal.until("[1] edit")
        terminal.type("e\r")
        terminal.until("NOTES: #! there is no completion block")
        terminal.until("replace> ")
        terminal.type('null with "done"\n')
        terminal.until("replace> ")
        terminal.type("\n")
        terminal.until("NOTES: #! status must be")
        terminal.until("replace> ")
        terminal.type('"done" with "success"\n')
        terminal.until("replace> ")
        terminal.type("\n")
        terminal.until("1 completed")
    assert not list((program.desk.home.path.parent / "tmp").iterdir())
