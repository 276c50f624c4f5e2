"""`bigtask answer RUN WAITING edit` with editors that are programs."""

from __future__ import annotations

import json
import stat
from typing import Any

import msgspec
import pytest

from bigtask.cli.answer_text import read, text_of
from bigtask.core.run import Run
from bigtask.core.values import Waiting
from bigtask.errors import InvalidInput
from bigtask.host import access
from bigtask.host.home import RunFolder
from bigtask.templates.manager import TemplateManager
from cli.person import Person, Said, waits
from core.world import World

from .editors import editor, left

NONSENSE = {
    "tasks": [{"id": "one"}],
    "turns": [{"when": {"task": "one"}, "steps": [{"do": "say", "text": "I'd \u001b[31mrather not."}]}],
}
FILLED = 'text = text.replace(\'"status": null\', \'"status": "success", "summary": "By hand."\')'


def waiting(answer: str, task_id: str = "@analysis") -> Waiting:
    details = {"errors": ["there is no block", "second"], "answer": answer}
    return Waiting(
        id="w1", kind="answer", question="?", options=("edit", "retry"), task_id=task_id, details=details
    )


def made_by_default() -> Run:
    run = World().run
    run.created = msgspec.structs.replace(run.created, template=TemplateManager().get("_default").raw)
    return run


def block(data: Any, phase: str = "analysis") -> str:
    said = json.dumps({"phase": phase, "data": data})
    return f"Words.\n<<<ORCHESTRATOR_RESPONSE>>>\n{said}\n<<<END_ORCHESTRATOR_RESPONSE>>>\n"


def test_the_text_says_what_was_wrong_what_is_wanted_and_what_was_said() -> None:
    run = made_by_default()
    text = text_of(run, waiting("The weather\n# is fine.\x1b[2J"), "@analysis")
    assert text.startswith("#! there is no block\n#! second\n")
    assert "# - recommended_splits (required): a whole number of at least 1." in text
    assert "#   The weather\n#   # is fine.[2J\n" in text
    # What is needed is null: it reads as something to fill in, and can't be taken for an answer.
    assert read(text) == {"summary": None, "recommended_splits": None}
    nothing = text_of(run, waiting(""), "one")
    assert "# The agent said nothing." in nothing
    assert read(nothing) == {"status": None}


def test_what_could_be_read_of_the_answer_is_there_to_be_mended() -> None:
    run = made_by_default()
    said = (
        block({"summary": "S"})
        + block({"summary": "T", "key_files": 3})
        + block({"task_id": "x"}, "progress")
    )
    assert read(text_of(run, waiting(said), "@analysis")) == {
        "summary": "T",
        "recommended_splits": None,
        "key_files": 3,
    }
    long = text_of(run, waiting("line\n" * 5_000 + "the end"), "@analysis")
    assert long.count("#   line") == 199
    assert "#   the end" in long


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('# a note\n{"a": 1,}', "line 2, column"),
        ('{"a": 1}\n# a note\n}', "line 3, column 1"),
        ("[1]", r"one JSON object in \{ \}, not \[1\]"),
        ('{"a": 1, "a": 2}', "stands twice"),
    ],
)
def test_a_slip_is_named_with_its_place_in_the_editor(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        read(text)


def test_a_text_of_notes_is_no_answer() -> None:
    assert read("# nothing\n\n  # at all") is None
    assert read("") is None


async def state(folder: RunFolder) -> Run:
    return await access.read_run(folder)


async def unusable(person: Person) -> RunFolder:
    (person.place / "tmp").mkdir()
    return await person.left(NONSENSE, waits)


async def edit(person: Person, *changes: str) -> Said:
    return await person.bigtask("answer", "last", "w1", "edit", "--json", env=editor(person, *changes))


@pytest.mark.integration
async def test_what_was_saved_is_the_agent_s_answer(person: Person) -> None:
    folder = await unusable(person)
    said = await edit(person, FILLED)
    assert said.status == 0, said.err
    assert said.json["answer"] == "edit"
    assert "w1 is answered: edit." in said.err
    attempt = (await state(folder)).tasks["one"].attempt
    assert attempt is not None
    assert attempt.report is not None
    assert (attempt.report.quality, attempt.report.summary) == ("edited", "By hand.")
    assert left(person) == []


@pytest.mark.integration
@pytest.mark.parametrize("change", ["", "text = ''", "text = '# no\\n'"])
async def test_without_an_answer_the_question_stays(person: Person, change: str) -> None:
    folder = await unusable(person)
    seq = (await state(folder)).seq
    said = await edit(person, change)
    assert (said.status, said.json["answer"], said.json["waiting"]) == (0, None, 1)
    assert "w1 still waits for its answer" in said.err
    assert (await state(folder)).seq == seq
    assert left(person) == []


@pytest.mark.integration
async def test_what_cannot_be_used_is_told_and_kept_and_counts_once_it_is_mended(person: Person) -> None:
    folder = await unusable(person)
    said = await edit(
        person, FILLED.replace("success", "done").replace("By hand.", "x") + "; text += '# end'"
    )
    assert (said.status, said.out) == (2, "")
    assert "  - status must be" in said.err
    (kept,) = left(person)
    assert f"bigtask answer last w1 edit --data {kept}" in said.err
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    text = kept.read_text()
    assert text.startswith("#! status must be")
    assert "there is no completion block" not in text.partition("{")[0]
    assert list((await state(folder)).waiting) == ["w1"]
    kept.write_text(text.replace('"done"', '"success"'))
    again = await person.bigtask("answer", "last", "w1", "edit", "--data", str(kept))
    assert again.status == 0, again.err
    assert not (await state(folder)).waiting


@pytest.mark.integration
async def test_a_question_that_somebody_else_settled_meanwhile_keeps_the_text(person: Person) -> None:
    await unusable(person)
    theirs = (
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'bigtask', 'answer', 'last', 'w1', 'skip'], check=True)\n"
    )
    said = await edit(person, theirs + FILLED)
    assert said.status == 2, said.err
    assert "nothing called 'w1' waits for an answer" in said.err
    (kept,) = left(person)
    assert "By hand." in kept.read_text()


@pytest.mark.integration
async def test_an_editor_opens_only_for_what_is_written_by_hand(person: Person) -> None:
    await unusable(person)
    unknown = await person.bigtask("answer", "last", "w9", "edit", env=editor(person))
    assert (unknown.status, "waiting: w1" in unknown.err) == (2, True)
    assert not (person.place / "my editor.py.calls").exists()
    nowhere = await person.bigtask("answer", "last", "w1", "edit", env={"VISUAL": "", "EDITOR": ""})
    assert nowhere.status == 2
    assert "there is no terminal for an editor: hand in a file" in nowhere.err
