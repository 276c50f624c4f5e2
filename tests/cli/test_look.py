from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.cells import cell_len

from bigtask.core.events import TYPES
from bigtask.core.states import TaskState
from bigtask.host.home import RunFolder

from .here import here
from .person import ASKING, FAILING, HANGING, SMALL, Person, Said, waits, works_at

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Shelf:
    """Runs that tests only look at. The newest is `asking`."""

    person: Person
    done: RunFolder
    fell: RunFolder
    asking: RunFolder

    def look(self, *arguments: str, columns: int = 0) -> Said:
        return here(self.person.env, *arguments, columns=columns)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    person = Person(tmp_path_factory.mktemp("shelf"))

    async def fill() -> Shelf:
        done = await person.carried_out(SMALL)
        fell = await person.carried_out(FAILING)
        return Shelf(person, done, fell, await person.left(ASKING, waits))

    made = asyncio.run(fill())
    seen = [(one.id, len(asyncio.run(person.types(one)))) for one in person.home.folders()]
    yield made
    after = [(one.id, len(asyncio.run(person.types(one)))) for one in person.home.folders()]
    assert after == seen, "looking changed something"


def test_where_nothing_is_yet_the_first_steps_are_said_beside_the_results(person: Person) -> None:
    for arguments in ((), ("list",)):
        said = here(person.env, *arguments)
        assert (said.status, said.out) == (0, "")
        assert "bigtask demo" in said.err
    assert here(person.env, "list", "--json").json == {"runs": []}
    assert here(person.env, "inbox", "--json").json == {"waiting": []}


@pytest.mark.parametrize("name", ["../x", "zz!", "nothere", "", "last"])
def test_an_id_of_no_run_gets_one_sentence_and_status_2(person: Person, name: str) -> None:
    for command in ("show", "logs", "diff", "merge", "pause", "cancel", "watch", "resume"):
        said = here(person.env, command, name)
        assert (said.status, said.out, said.err.count("\n")) == (2, "", 1), said


@pytest.mark.parametrize("below", ["file", "file/home"])
def test_a_home_that_cannot_be_one_gets_one_sentence_and_a_next_step(
    person: Person, tmp_path: Path, below: str
) -> None:
    (tmp_path / "file").write_text("")
    env = {**person.env, "BIGTASK_HOME": str(tmp_path / below)}
    project = str(person.repository().root)
    for arguments in ((), ("list",), ("show", "last"), ("inbox",), ("demo",), ("run", "tested", "x")):
        more = ("--cwd", project) if arguments[:1] == ("run",) else ()
        said = here(env, *arguments, *more)
        assert (said.status, said.out, said.err.count("\n")) == (2, "", 1), said
        assert "Set BIGTASK_HOME to a folder" in said.err


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (("lst",), "list"),
        (("marge", "last"), "merge"),
        (("xyzzy",), "bigtask --help"),
        (("list", "--unfinishd"), "--unfinished"),
        (("--verbos",), "--verbose"),
    ],
)
def test_a_word_that_is_no_command_or_option_is_answered_with_what_is_near(
    person: Person, arguments: tuple[str, ...], near: str
) -> None:
    said = here(person.env, *arguments)
    assert (said.status, said.out) == (2, "")
    assert near in said.err


def test_runs_are_listed_newest_first_with_every_count(shelf: Shelf) -> None:
    runs = shelf.look("list", "--json").json["runs"]
    assert [run["id"] for run in runs] == [shelf.asking.id, shelf.fell.id, shelf.done.id]
    assert [(run["outcome"], run["waiting"], run["held"]) for run in runs] == [
        (None, 1, False),
        ("incomplete", 0, False),
        ("complete", 0, False),
    ]
    assert runs[2]["tasks"] == {"total": 2, **{state.value: 0 for state in TaskState}, "completed": 2}
    said = shelf.look("list")
    assert re.search(r"✓ complete +2/2", said.out)
    unfinished = shelf.look("list", "--unfinished", "--json").json["runs"]
    assert [run["id"] for run in unfinished] == [shelf.asking.id]


async def test_a_log_that_cannot_be_read_is_listed_beside_the_others(person: Person) -> None:
    good, bad = await person.create(SMALL), await person.create(SMALL)
    bad.log.write_bytes(b"this is no database" * 100)
    runs = (await person.bigtask("list", "--json")).json["runs"]
    assert [run["id"] for run in runs] == [bad.id, good.id]
    assert "can't be used as a log" in runs[0]["error"]
    said = await person.bigtask("list")
    assert said.status == 0
    assert "unreadable" in said.out
    assert good.id[-6:] in said.out


async def test_without_a_command_what_waits_stands_there_with_the_commands_that_answer_it(
    person: Person,
) -> None:
    folder = await person.create(ASKING)
    async with person.carrying_out(folder, waits):
        said = await person.bigtask()
        answers = ("allow", "deny", "allow --scope task")
        commands = [f"bigtask answer last w1 {answer}" for answer in answers]
        assert [line.strip() for line in said.out.splitlines() if "answer" in line] == commands
        (item,) = (await person.bigtask("inbox", "--json")).json["waiting"]
        assert (item["runId"], item["id"], item["kind"], item["taskId"]) == (
            folder.id,
            "w1",
            "permission",
            "one",
        )
        assert item["commands"] == commands
        assert (await person.bigtask("list", "--json")).json["runs"][0]["held"] is True


def test_a_run_is_called_last_only_where_it_is(shelf: Shelf) -> None:
    assert f"bigtask merge {shelf.done.id[-6:]} " in shelf.look("show", shelf.done.id).out
    assert f"bigtask diff {shelf.fell.id[-6:]} one" in shelf.look("show", shelf.fell.id, "one").out
    assert "last" not in shelf.look("show", shelf.done.id).out.split("Next")[1]


def test_words_of_agents_can_not_steer_the_terminal(shelf: Shelf) -> None:
    fell = shelf.fell.id
    for arguments in (
        ("show", fell),
        ("show", fell, "two"),
        ("logs", fell),
        (),
        ("inbox",),
        ("logs", "last"),
    ):
        said = shelf.look(*arguments)
        assert "\x1b" not in said.out, arguments
        assert "\x07" not in said.out
    assert "no [bold]access[/bold] [2J" in shelf.look("show", fell).out
    assert "May I [31mrun[/] it?" in shelf.look("show", "last").out


def test_a_run_that_missed_something_says_so_first(shelf: Shelf) -> None:
    lines = shelf.look("show", shelf.fell.id).out.splitlines()
    assert lines[0] == "Missed, mended or assumed"
    before = lines[: lines.index("Tasks")]
    assert any("two is failed: no [bold]access" in line for line in before)
    assert any("three is skipped" in line for line in before)
    assert lines[-1].strip().startswith(f"bigtask retry {shelf.fell.id[-6:]} ")
    whole = shelf.look("show", shelf.fell.id, "--json").json
    assert whole["outcome"] == "incomplete"
    assert len(whole["missed"]) >= 2
    assert [worker["taskId"] for worker in whole["workers"]] == ["one", "two", "three"]
    assert whole["tasks"]["total"] == sum(count for name, count in whole["tasks"].items() if name != "total")


def test_a_task_is_shown_with_its_attempts_and_the_end_of_what_was_said(shelf: Shelf) -> None:
    fell = shelf.fell.id
    said = shelf.look("show", fell, "two")
    assert "Attempt 1: failed" in said.out
    assert "I can't" in said.out
    assert "<<<ORCHESTRATOR_RESPONSE>>>" not in said.out
    assert f"bigtask retry {fell[-6:]} two" in said.out
    whole = shelf.look("show", fell, "two", "--json").json
    assert whole["attempts"][0]["state"] == "failed"
    assert any("I can't" in piece["text"] for piece in whole["transcript"])
    unknown = shelf.look("show", fell, "nine")
    assert (unknown.status, unknown.out) == (2, "")
    assert "one, two, three" in unknown.err


def test_logs_are_the_events_in_order(shelf: Shelf) -> None:
    lines = shelf.look("logs", shelf.done.id, "--json").out.splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert {event["type"] for event in events} <= set(TYPES)
    assert all(set(event) == {"seq", "type", "orchestratorId", "at", "data"} for event in events)
    told = shelf.look("logs", shelf.done.id).out.splitlines()
    assert [int(line.split()[0]) for line in told] == [event["seq"] for event in events]
    later = shelf.look("logs", shelf.done.id, "--after", str(len(events) - 2)).out.splitlines()
    assert later == told[-2:]
    assert later[-1].split()[2:] == ["run", "complete"]


async def test_logs_follow_a_run_that_another_process_carries_out_to_its_end(person: Person) -> None:
    folder = await person.create(ASKING)
    async with (
        person.carrying_out(folder, waits),
        person.begun("logs", folder.id, "--follow", "--json") as process,
        asyncio.timeout(30),
    ):
        assert process.stdout is not None
        while b"orchestrator:waiting" not in await process.stdout.readline():
            pass
        assert (await person.bigtask("answer", folder.id, "w1", "allow")).status == 0
        rest = await process.stdout.read()
        assert b"orchestrator:completed" in rest.splitlines()[-1]
        assert await process.wait() == 0


@pytest.mark.parametrize("arguments", [("logs", "last"), ("show", "last"), ("list", "--json")])
async def test_a_reader_that_goes_away_is_no_reason_to_complain(
    shelf: Shelf, arguments: tuple[str, ...]
) -> None:
    async with shelf.person.begun(*arguments) as process, asyncio.timeout(30):
        assert process.stdout is not None
        assert process.stderr is not None
        # Before anything can have been written: the first line finds nobody.
        process.stdout._transport.close()  # type: ignore[attr-defined]  # asyncio has no public way
        assert await process.stderr.read() == b""
        assert await process.wait() == 1


def test_the_branch_and_the_files_are_as_before_until_merge_and_after_undo(person: Person) -> None:
    project = person.repository()
    agent = person.desk.script(SMALL)
    folder = asyncio.run(person.desk.create(project, agent=agent))
    before, listed = project.seen(), project.git("ls-files", "-v", "--stage")
    assert here(person.env, "start", "last").status == 0
    patch = here(person.env, "diff", folder.id)
    assert "+++ b/one.txt" in patch.out
    assert "two.txt" not in (here(person.env, "diff", folder.id, "one")).out
    assert project.seen() == before
    merged = here(person.env, "merge", folder.id)
    assert (merged.status, sorted(merged.out.split())) == (0, ["one.txt", "two.txt"])
    # Whoever stands elsewhere is told where the branch is.
    assert f"(branch {project.git('branch', '--show-current')} of {project.root})" in merged.err
    assert (project.root / "two.txt").exists()
    again = here(person.env, "merge", folder.id, "--json")
    assert again.json["already"] is True
    undone = here(person.env, "merge", folder.id, "--undo", "--json")
    assert (undone.json["undone"], sorted(undone.json["files"])) == (True, ["one.txt", "two.txt"])
    # What git keeps in its index for speed may differ, what it says may not.
    assert project.seen() | {".git/index": ""} == before | {".git/index": ""}
    assert project.git("ls-files", "-v", "--stage") == listed
    twice = here(person.env, "merge", folder.id, "--undo")
    assert (twice.status, twice.out) == (2, "")


def test_a_merge_that_would_overwrite_something_is_refused_and_changes_nothing(shelf: Shelf) -> None:
    project = shelf.person.place / "project-0"
    (project / "one.txt").write_text("mine\n")
    said = shelf.look("merge", shelf.done.id)
    assert (said.status, said.out) == (1, "")
    assert "one.txt" in said.err
    assert (project / "one.txt").read_text() == "mine\n"
    assert not (project / "two.txt").exists()


def test_looking_at_a_run_that_nobody_carries_on_starts_nothing(person: Person) -> None:
    folder = asyncio.run(person.left(HANGING, works_at("one")))
    before = asyncio.run(person.types(folder))
    for arguments in (("show",), ("logs",), ("diff",)):
        assert here(person.env, arguments[0], folder.id).status == 0
    merge = here(person.env, "merge", folder.id)
    assert merge.status == 1
    assert "hasn't ended yet" in merge.err
    assert asyncio.run(person.types(folder)) == before
    said = here(person.env, "show", folder.id)
    assert said.out.splitlines()[-1].strip().startswith("bigtask resume last ")


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_on_a_terminal_no_line_is_longer_than_it(shelf: Shelf, columns: int) -> None:
    fell = shelf.fell.id
    for arguments in ((), ("show", fell), ("show", fell, "two"), ("inbox",), ("agents",), ("logs", fell)):
        shown = re.sub(r"\x1b\[[0-9;]*m", "", shelf.look(*arguments, columns=columns).out).splitlines()
        assert shown
        assert [line for line in shown if cell_len(line) > columns] == [], arguments


def test_the_shell_is_offered_runs_and_templates(shelf: Shelf) -> None:
    def offered(*words: str) -> list[str]:
        env = {
            **shelf.person.env,
            "_BIGTASK_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("bigtask", *words)),
            "COMP_CWORD": str(len(words)),
        }
        said = here(env)
        assert (said.status, said.err) == (0, "")
        return [line.removeprefix("plain,") for line in said.out.split()]

    ends = [folder.id[-6:] for folder in shelf.person.home.folders()]
    assert offered("show", "") == ["last", *ends]
    assert offered("merge", "la") == ["last"]
    assert offered("show", shelf.done.id[:12])[-1] == shelf.done.id
    assert offered("run", "") == ["documentation", "implementation", "research", "tested"]
    assert offered("insp") == []
    assert offered("inb") == ["inbox"]
