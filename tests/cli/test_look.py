from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import struct
import sys
import termios
from pathlib import Path

import pytest

from bigtask.cli import words
from bigtask.core.events import TYPES
from bigtask.core.states import TaskState

from .person import ASKING, FAILING, HANGING, SMALL, Person, waits, works_at

pytestmark = pytest.mark.integration


async def test_where_nothing_is_yet_the_first_steps_are_said_beside_the_results(person: Person) -> None:
    for arguments in ((), ("list",)):
        said = await person.bigtask(*arguments)
        assert (said.status, said.out) == (0, "")
        assert "bigtask demo" in said.err
    assert (await person.bigtask("list", "--json")).json == {"runs": []}
    assert (await person.bigtask("inbox", "--json")).json == {"waiting": []}


@pytest.mark.parametrize("name", ["../x", "zz!", "nothere", "", "last"])
async def test_an_id_of_no_run_gets_one_sentence_and_status_2(person: Person, name: str) -> None:
    for command in ("show", "logs", "diff", "merge", "pause", "cancel"):
        said = await person.bigtask(command, name)
        assert said.status == 2, said
        assert said.out == ""
        assert said.err.count("\n") == 1
        assert "Traceback" not in said.err


async def test_runs_are_listed_newest_first_with_every_count(person: Person) -> None:
    first = await person.carried_out(SMALL)
    second = await person.create(SMALL)
    runs = (await person.bigtask("list", "--json")).json["runs"]
    assert [run["id"] for run in runs] == [second.id, first.id]
    done, created = runs[1], runs[0]
    assert (done["outcome"], done["status"]) == ("complete", "completed")
    assert (created["outcome"], created["status"], created["waiting"]) == (None, "created", 0)
    assert done["tasks"] == {"total": 2, **{state.value: 0 for state in TaskState}, "completed": 2}
    said = await person.bigtask("list")
    assert "✓ complete" in said.out
    assert "2/2" in said.out
    assert [run["id"] for run in (await person.bigtask("list", "--unfinished", "--json")).json["runs"]] == [
        second.id
    ]


async def test_a_log_that_cannot_be_read_is_listed_beside_the_others(person: Person) -> None:
    good, bad = await person.carried_out(SMALL), await person.create(SMALL)
    bad.log.write_bytes(b"this is no database" * 100)
    runs = (await person.bigtask("list", "--json")).json["runs"]
    assert [run["id"] for run in runs] == [bad.id, good.id]
    assert "can't be used as a log" in runs[0]["error"]
    said = await person.bigtask("list")
    assert said.status == 0
    assert "unreadable" in said.out
    assert good.id[-6:] in said.out


async def test_without_a_command_what_waits_stands_there_with_the_command_that_answers_it(
    person: Person,
) -> None:
    folder = await person.create(ASKING)
    async with person.carrying_out(folder, waits):
        said = await person.bigtask()
        assert f"bigtask answer {folder.id[-6:]} w1 allow|deny" in said.out
        inbox = (await person.bigtask("inbox", "--json")).json["waiting"]
        assert [(item["runId"], item["id"], item["kind"], item["taskId"]) for item in inbox] == [
            (folder.id, "w1", "permission", "one")
        ]
        assert (await person.bigtask("list", "--json")).json["runs"][0]["held"] is True


async def test_words_of_agents_can_not_steer_the_terminal(person: Person) -> None:
    folder = await person.carried_out(FAILING)
    waiting = await person.left(ASKING, waits)
    for arguments in (("show", folder.id), ("show", folder.id, "two"), ("logs", folder.id), (), ("inbox",)):
        said = await person.bigtask(*arguments)
        assert "\x1b" not in said.out, arguments
        assert "\x07" not in said.out
    assert "no [bold]access[/bold] [2J" in (await person.bigtask("show", folder.id)).out
    assert "May I [31mrun[/] it?" in (await person.bigtask("show", waiting.id)).out


async def test_a_run_that_missed_something_says_so_first(person: Person) -> None:
    folder = await person.carried_out(FAILING)
    lines = (await person.bigtask("show", folder.id)).out.splitlines()
    assert lines[0] == "Missed, mended or assumed"
    before = lines[: lines.index("Tasks")]
    assert any("two is failed: no [bold]access" in line for line in before)
    assert any("three is skipped" in line for line in before)
    assert lines[-1].strip() == f"bigtask retry {folder.id[-6:]}"
    whole = (await person.bigtask("show", folder.id, "--json")).json
    assert whole["outcome"] == "incomplete"
    assert len(whole["missed"]) >= 2
    assert [worker["taskId"] for worker in whole["workers"]] == ["one", "two", "three"]
    assert whole["tasks"]["total"] == sum(count for name, count in whole["tasks"].items() if name != "total")


async def test_a_task_is_shown_with_its_attempts_and_the_end_of_what_was_said(person: Person) -> None:
    folder = await person.carried_out(FAILING)
    said = await person.bigtask("show", folder.id, "two")
    assert "Attempt 1: failed" in said.out
    assert "I can't" in said.out
    assert "<<<ORCHESTRATOR_RESPONSE>>>" not in said.out
    assert f"bigtask retry {folder.id[-6:]} two" in said.out
    whole = (await person.bigtask("show", folder.id, "two", "--json")).json
    assert whole["attempts"][0]["state"] == "failed"
    assert any("I can't" in piece["text"] for piece in whole["transcript"])
    unknown = await person.bigtask("show", folder.id, "nine")
    assert (unknown.status, unknown.out) == (2, "")
    assert "one, two, three" in unknown.err


async def test_logs_are_the_events_in_order_from_any_place(person: Person) -> None:
    folder = await person.carried_out(SMALL)
    lines = (await person.bigtask("logs", folder.id, "--json")).out.splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert {event["type"] for event in events} <= set(TYPES)
    assert all(set(event) == {"seq", "type", "orchestratorId", "at", "data"} for event in events)
    later = await person.bigtask("logs", folder.id, "--after", str(len(events) - 2))
    assert len(later.out.splitlines()) == 2
    assert "orchestrator:completed" in later.out


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


async def test_the_branch_and_the_files_are_as_before_until_merge_and_after_undo(person: Person) -> None:
    project = person.repository()
    agent = person.desk.script(SMALL)
    folder = await person.desk.create(project, agent=agent)
    before = project.seen()
    async with person.carrying_out(folder, lambda run, _: run.outcome is not None):
        pass
    patch = await person.bigtask("diff", folder.id)
    assert "+++ b/one.txt" in patch.out
    assert "two.txt" not in (await person.bigtask("diff", folder.id, "one")).out
    assert project.seen() == before
    merged = await person.bigtask("merge", folder.id)
    assert (merged.status, sorted(merged.out.split())) == (0, ["one.txt", "two.txt"])
    assert (project.root / "two.txt").exists()
    again = await person.bigtask("merge", folder.id, "--json")
    assert again.json["already"] is True
    undone = await person.bigtask("merge", folder.id, "--undo", "--json")
    assert (undone.json["undone"], sorted(undone.json["files"])) == (True, ["one.txt", "two.txt"])
    assert project.seen() == before
    twice = await person.bigtask("merge", folder.id, "--undo")
    assert (twice.status, twice.out) == (2, "")


async def test_a_merge_that_would_overwrite_something_is_refused_and_changes_nothing(person: Person) -> None:
    folder = await person.carried_out(SMALL)
    project = person.place / "project-0"
    (project / "one.txt").write_text("mine\n")
    said = await person.bigtask("merge", folder.id)
    assert (said.status, said.out) == (1, "")
    assert "one.txt" in said.err
    assert (project / "one.txt").read_text() == "mine\n"
    assert not (project / "two.txt").exists()


async def test_looking_at_a_run_that_nobody_carries_on_starts_nothing(person: Person) -> None:
    folder = await person.left(HANGING, works_at("one"))
    before = await person.types(folder)
    for arguments in (("show",), ("logs",), ("diff",)):
        assert (await person.bigtask(arguments[0], folder.id)).status == 0
    merge = await person.bigtask("merge", folder.id)
    assert merge.status == 1
    assert "hasn't ended yet" in merge.err
    assert await person.types(folder) == before
    said = await person.bigtask("show", folder.id)
    assert said.out.splitlines()[-1].strip() == f"bigtask resume {folder.id[-6:]}"


@pytest.mark.parametrize("columns", [80, 160])
async def test_on_a_terminal_no_line_is_longer_than_it(person: Person, columns: int) -> None:
    folder = await person.carried_out(FAILING)
    await person.left(ASKING, waits)
    for arguments in (("list",), ("show", folder.id), ("show", folder.id, "two"), ("inbox",), ("agents",)):
        shown = await on_terminal(person, columns, *arguments)
        assert shown
        assert all(len(line) <= columns for line in shown), [line for line in shown if len(line) > columns]


async def on_terminal(person: Person, columns: int, *arguments: str) -> list[str]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bigtask", *arguments),
            env={**person.env, "TERM": "xterm-256color", "NO_COLOR": "1"},
            stdout=theirs,
            stderr=asyncio.subprocess.DEVNULL,
            stdin=asyncio.subprocess.DEVNULL,
        )
        os.close(theirs)
        theirs = -1
        shown = await asyncio.to_thread(_everything, ours)
        assert await process.wait() == 0
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)
    for sequence in ("\x1b[1m", "\x1b[2m", "\x1b[3m", "\x1b[0m", "\x1b[1;33m", "\x1b[33m", "\x1b[31m"):
        shown = shown.replace(sequence, "")
    return shown.replace("\r\n", "\n").splitlines()


def _everything(descriptor: int) -> str:
    found = b""
    while True:
        try:
            piece = os.read(descriptor, 65536)
        except OSError:
            return found.decode()
        if not piece:
            return found.decode()
        found += piece


def test_words_are_short_and_cannot_turn_the_direction_of_writing() -> None:
    assert words.plain("a\x1b[31mb\u202ec\td\n\x00") == "a[31mbc\td\n"
    assert [words.duration(ms) for ms in (0, 420, 12_400, 200_000, 7_500_000, 273_600_000)] == [
        "0.0 s",
        "0.4 s",
        "12 s",
        "3 min 20 s",
        "2 h 5 min",
        "3 d 4 h",
    ]
    assert [words.age(ms) for ms in (-5, 59_000, 3_599_000, 90_000_000)] == ["0 s", "59 s", "59 min", "1 d"]
    assert [words.money(usd) for usd in (0, 0.0012, 1234.5)] == ["–", "$0.0012", "$1,234.50"]


def test_every_event_has_its_line(tmp_path: Path) -> None:
    from bigtask.cli.log_line import subject
    from bigtask.cli.log_line import words as said
    from bigtask.core import events as e

    retrying = e.WorkerRetrying(task_id="one", attempt=2, delay_ms=1_500)
    assert (subject(retrying), said(retrying)) == ("one #2", "in 1.5 s")
    assert said(e.Cancelled(by="ada")) == "by ada"
    assert said(e.Pausing(now=True, by="ada")) == "at once by ada"
    assert said(e.Paused()) == ""
