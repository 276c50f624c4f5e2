"""What a person sees of a stored run: `logs --verify`, `export`, and `show` and `logs` of an export."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import zipfile
from pathlib import Path

import pytest

from bigtask.host.home import Home
from cli.here import here
from cli.person import Said
from projects import ENV

from .make_corpus import PLACE, RUN_ID, stored

CANARY = "a-token-that-nobody-else-has"


class Desk:
    """A home with one run of the corpus in it, and a folder to work in without any project."""

    def __init__(self, place: Path, name: str = "failures") -> None:
        self.place = place
        self.home = Home(place / "home")
        self.folder = self.home.make_folder(RUN_ID)
        shutil.copy(next(log for log in stored() if log.stem == name), self.folder.log)

    def bigtask(self, *arguments: str, columns: int = 0) -> Said:
        env = {**ENV, "HOME": str(self.place), "BIGTASK_HOME": str(self.home.path), "MY_TOKEN": CANARY}
        return here(env, *arguments, columns=columns)

    def spoil(self, statement: str) -> None:
        connection = sqlite3.connect(self.folder.log)
        connection.execute(statement)
        connection.commit()
        connection.close()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_whole_log_is_said_to_be_in_two_lines_with_figures(desk: Desk) -> None:
    said = desk.bigtask("logs", "last", "--verify")
    assert said.status == 0
    assert said.out.splitlines() == [
        "ok: 55 events without a gap, each readable and legal; the counters of 4 tasks and 10 attempts agree",
        f"the file is sound: {os.path.getsize(desk.folder.log) // 4096} pages, schema 1; no snapshot",
    ]
    facts = desk.bigtask("logs", "last", "--verify", "--json").json
    assert (facts["ok"], facts["runId"], facts["events"], facts["snapshot"]) == (True, RUN_ID, 55, None)


def test_a_fault_ends_with_1_and_names_the_event(desk: Desk) -> None:
    desk.spoil("DELETE FROM events WHERE seq = 12")
    said = desk.bigtask("logs", "last", "--verify")
    assert (said.status, said.out) == (1, "")
    assert said.err == "bigtask: event 12 is missing: event 13 comes in its place\n"
    told = desk.bigtask("logs", "last", "--verify", "--json")
    assert told.status == 1
    assert told.json["ok"] is False
    assert "event 12" in told.json["fault"]


def test_an_export_is_written_told_of_and_read_without_the_run(desk: Desk) -> None:
    (desk.folder.transcripts / "breaks.3.txt").write_text(
        json.dumps({"who": "agent", "text": f"In {desk.place}/x I use {CANARY} of {desk.home.path}"}) + "\n"
    )
    said = desk.bigtask("export", "last", "bug.zip")
    assert said.status == 0
    assert said.out.startswith("bug.zip: 55 events, 1 transcript, ")
    assert "<secret> 1" in said.err
    assert "Look before you send it" in said.err
    assert "--no-transcripts" in said.err
    with zipfile.ZipFile(desk.place / "bug.zip") as archive:
        whole = b"".join(archive.read(name) for name in archive.namelist()).decode()
    for trace in (CANARY, str(desk.place), PLACE):
        assert trace not in whole
    there = {
        "logs": desk.bigtask("logs", "last").out.replace(f"{PLACE}/bigtask", "<home>/bigtask"),
        "tasks": desk.bigtask("show", "last", "--json").json["workers"],
    }
    shutil.rmtree(desk.home.path)
    listed = desk.bigtask("logs", "bug.zip")
    assert (listed.status, listed.err) == (0, "")
    assert listed.out == there["logs"]
    shown = desk.bigtask("show", "bug.zip", "--json").json
    assert [each["status"] for each in shown["workers"]] == [each["status"] for each in there["tasks"]]
    assert shown["cwd"] == "<project>"
    page = desk.bigtask("show", "bug.zip")
    assert "4 tasks completed" in page.out
    assert "Next" not in page.out, "nothing can be done with it here"
    task = desk.bigtask("show", "bug.zip", "breaks")
    assert "In <home>/x I use <secret> of <bigtask>" in task.out
    assert desk.bigtask("logs", "bug.zip", "--verify").out.splitlines()[1:] == [
        "every file of the export is as its manifest says"
    ]


def test_without_transcripts_none_is_in_it(desk: Desk) -> None:
    (desk.folder.transcripts / "breaks.3.txt").write_text('{"who": "agent", "text": "x"}\n')
    said = desk.bigtask("export", "last", "--no-transcripts", "--json").json
    assert (said["file"], said["transcripts"]) == (f"bigtask-{RUN_ID[-6:]}.zip", False)
    assert list(said["files"]) == ["events.jsonl"]


def test_a_run_is_shown_as_it_was_after_any_event(desk: Desk) -> None:
    desk.bigtask("export", "last", "bug.zip")
    for source in ("last", "bug.zip"):
        early = desk.bigtask("show", source, "--at", "3", "--json").json
        assert (early["seq"], early["plan"], early["held"]) == (3, None, False)
        page = desk.bigtask("show", source, "--at", "20")
        assert "as it was after event 20" in page.err
        assert "Next" not in page.out
        assert desk.bigtask("show", source, "--at", "55", "--json").json["outcome"] == "incomplete"
        said = desk.bigtask("show", source, "--at", "56")
        assert (said.status, said.err) == (2, "bigtask: the run has no event 56: they go from 1 to 55\n")


def test_a_question_of_the_past_names_no_command_that_answers_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "questions")
    raised = next(
        json.loads(line)["seq"]
        for line in desk.bigtask("logs", "last", "--json").out.splitlines()
        if json.loads(line)["type"] == "orchestrator:waiting"
    )
    page = desk.bigtask("show", "last", "--at", str(raised))
    assert "Waiting for you" in page.out
    assert "bigtask confirm" not in page.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("logs", "gone.zip"), "gone.zip isn't there"),
        (("show", "text.zip"), "text.zip isn't a whole zip file"),
        (("logs", "bug.zip", "--follow"), "an export doesn't go on"),
        (("logs", "last", "--verify", "--after", "3"), "leave --after and --follow out"),
        (("export", "last", "bug.tar"), "bug.tar doesn't end with .zip"),
        (("export", "last", "bug.zip"), "bug.zip is there already: choose another name"),
        (("show", "bug.zip", "nobody"), "the run has no task 'nobody'"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(desk: Desk, arguments: tuple[str, ...], said: str) -> None:
    (desk.place / "text.zip").write_text("hello")
    desk.bigtask("export", "last", "bug.zip")
    refused = desk.bigtask(*arguments)
    assert refused.status == 2
    assert said in refused.err
    assert refused.err.count("\n") == 1
