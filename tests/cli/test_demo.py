from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bigtask.agents.scripted.script import script_of
from bigtask.core.plan import problems, task_from_answer
from bigtask.core.values import Settings
from bigtask.demo.performance import performance
from bigtask.demo.sample import make_sample
from bigtask.errors import InvalidInput
from projects import ENV, Project

from .person import Person

pytestmark = pytest.mark.integration


def test_the_script_can_be_played_and_its_plan_is_sound() -> None:
    script = script_of(performance("python3"))
    planned = [
        {name: value for name, value in task.items() if value is not None}
        for task in performance("python3")["tasks"]
    ]
    tasks = tuple(task_from_answer(task) for task in planned)
    assert problems(tasks, Settings(agent="scripted", require_scope=True)) == ()
    assert {turn.when.task for turn in script.turns if turn.when.task} == {task.id for task in tasks}


async def test_the_sample_is_a_repository_with_a_history_and_nothing_uncommitted(tmp_path: Path) -> None:
    await make_sample(tmp_path / "tally")
    project = Project(tmp_path / "tally")
    assert len(project.lines("log", "--format=%s")) == 3
    assert project.lines("status", "--porcelain") == []
    with pytest.raises(InvalidInput, match="isn't empty"):
        await make_sample(tmp_path / "tally")


async def test_it_works_in_an_empty_folder_without_a_terminal(person: Person, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    said = await person.bigtask(
        "demo", "--pace", "0", "--dir", str(tmp_path / "tally"), cwd=empty, env={"TMPDIR": str(tmp_path)}
    )
    assert said.status == 0, said.err
    assert "no model: a scripted demonstration" in said.err
    assert list(empty.iterdir()) == []
    shown = (await person.bigtask("show", "last", "--json")).json
    assert shown["outcome"] == "complete"
    assert shown["tasks"]["completed"] == 7
    assert {worker["taskId"]: len(worker["attempts"]) for worker in shown["workers"]}["test-entries"] == 2
    assert not (tmp_path / "tally" / "docs").exists()
    assert (await person.bigtask("merge", "last")).status == 0
    page = (tmp_path / "tally" / "docs" / "report.md").read_text()
    assert _python(tmp_path / "tally", "tally", "march.csv").stdout.strip() in page
    tests = _python(tmp_path / "tally", "unittest")
    assert (tests.returncode, "Ran 9 tests" in tests.stderr) == (0, True), tests.stderr


def _python(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=cwd, env=ENV, capture_output=True, text=True, check=False)


async def test_a_folder_that_is_taken_is_left_alone(person: Person, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    said = await person.bigtask("demo", "--dir", str(tmp_path / "mine"))
    assert (said.status, said.out) == (2, "")
    assert "choose a new folder" in said.err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["file"]
    assert list(person.home.folders()) == []


async def test_after_an_interruption_the_same_command_goes_on_with_it(person: Person, tmp_path: Path) -> None:
    pace = ("--pace", "0.1")
    env = {"TMPDIR": str(tmp_path)}
    async with person.begun("demo", *pace, env=env) as process, asyncio.timeout(60):
        assert process.stderr is not None
        while b"conventions   works" not in await process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        await process.communicate()
        assert process.returncode == 130
    (folder,) = person.home.folders()
    assert (await person.bigtask("list", "--json")).json["runs"][0]["outcome"] is None
    said = await person.bigtask("demo", *pace, env=env)
    assert said.status == 0, said.err
    assert "Goes on in" in said.err
    assert [one.id for one in person.home.folders()] == [folder.id]
    assert (await person.bigtask("show", "last", "--json")).json["outcome"] == "complete"
