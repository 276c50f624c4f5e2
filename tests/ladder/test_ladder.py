"""What happens to an answer that isn't good enough: asked again, then a person, then the end of the phase."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bigtask.agents.table import AgentTable
from bigtask.core import ledger
from bigtask.core.commands import Answer, Retry, Start
from bigtask.core.run import Run
from bigtask.core.states import Outcome
from bigtask.core.values import RESERVED
from bigtask.errors import InvalidInput
from bigtask.host import access
from bigtask.host.transcript_folder import TranscriptFolder
from bigtask.module import OrchestratorModule
from cli.person import Person, reached

pytestmark = pytest.mark.integration

NONSENSE = {"do": "say", "text": "The weather is fine."}
PHASES = ("analysis", "taskPlanning", "workerExecution", "aggregation", "verification")
IDS = {**{phase: id for id, phase in RESERVED.items()}, "workerExecution": "one"}
BY_HAND: dict[str, Any] = {
    "analysis": {"summary": "A library.", "recommended_splits": 1},
    "taskPlanning": {"tasks": [{"id": "one", "title": "One", "description": "Write one."}]},
    "workerExecution": {"status": "success", "summary": "By hand."},
    "aggregation": {"status": "success", "summary": "By hand."},
    "verification": {"status": "passed", "summary": "By hand."},
}


def nonsense(phase: str, *, turns: int | None = None) -> dict[str, Any]:
    """Every turn of the phase's first attempt is nonsense, or as many as `turns`."""
    numbers = [None] if turns is None else range(1, turns + 1)
    return {
        "tasks": [{"id": "one"}],
        "turns": [
            {
                "when": {"phase": phase, "attempt": 1, **({} if number is None else {"turn": number})},
                "steps": [NONSENSE],
            }
            for number in numbers
        ],
    }


@pytest.fixture
def person(tmp_path: Path) -> Person:
    person = Person(tmp_path)
    phases = {phase: {"enabled": True} for phase in PHASES}
    person.desk.template(config={"autoSpawn": True, "maxRetries": 0}, phases=phases)
    return person


async def ended(person: Person, script: Mapping[str, Any], *answers: Answer | Retry) -> tuple[Run, Any]:
    """Each of `answers` is given when the run waits, or has ended, once more."""
    folder = await person.create(script)
    async with access.attach(folder, AgentTable(), who="a test") as link:
        await link.ask(Start())
        for answer in answers:
            run = await reached(link, folder, lambda run, _: bool(run.waiting) or run.outcome is not None)
            seq = await link.ask(answer)
            await reached(link, folder, lambda run, event, seq=seq: event.seq >= seq)
        run = await reached(link, folder, lambda run, _: run.outcome is not None)
    return run, folder


@pytest.mark.parametrize("phase", PHASES)
async def test_the_same_session_is_asked_again_until_it_answers(person: Person, phase: str) -> None:
    run, folder = await ended(person, nonsense(phase, turns=3))
    assert run.outcome is Outcome.COMPLETE
    id = IDS[phase]
    events = [event.data for event in await access.read(folder)]
    asked = [each for each in events if each.type == "worker:reasked"]
    assert [(each.task_id, each.attempt, each.number) for each in asked] == [(id, 1, n) for n in (1, 2, 3)]
    assert len([each for each in events if each.type == "worker:spawned" and each.task_id == id]) == 1
    said = [json.loads(line) for line in TranscriptFolder(folder.transcripts).read(id, 1).splitlines()]
    prompts = [line["text"] for line in said if line["who"] == "prompt"]
    assert len(prompts) == 4
    for prompt, ask in zip(prompts[1:], asked, strict=True):
        # Exactly what was wrong, and the shape that is wanted.
        assert all(f"- {error}" in prompt for error in ask.errors)
        assert ask.errors
        assert "<<<ORCHESTRATOR_RESPONSE>>>" in prompt
        assert "Fields of data:" in prompt
        assert "work itself needn't be done again" in prompt
    record = run.record(id)
    assert record is not None
    assert "asked again 3 times" in ledger.remarks(record)


@pytest.mark.parametrize("phase", PHASES)
async def test_what_is_still_wrong_then_a_person_answers_by_hand(person: Person, phase: str) -> None:
    edit = Answer(waiting_id="w1", answer="edit", data=BY_HAND[phase], by="ada")
    run, _ = await ended(person, nonsense(phase), edit)
    assert run.outcome is Outcome.COMPLETE
    record = run.record(IDS[phase])
    assert record is not None
    assert record.attempt is not None
    assert record.attempt.report is not None
    assert (record.attempt.number, record.attempt.report.quality, record.attempt.unusable) == (
        1,
        "edited",
        True,
    )
    assert "the answer was edited" in ledger.remarks(record)


@pytest.mark.parametrize("phase", PHASES)
async def test_or_lets_it_be_tried_again(person: Person, phase: str) -> None:
    run, _ = await ended(person, nonsense(phase), Answer(waiting_id="w1", answer="retry"))
    assert run.outcome is Outcome.COMPLETE
    record = run.record(IDS[phase])
    assert record is not None
    assert [attempt.state.value for attempt in record.attempts] == ["superseded", "completed"]


@pytest.mark.parametrize(
    ("phase", "outcome"),
    [
        ("analysis", Outcome.COMPLETE),
        ("workerExecution", Outcome.COMPLETE),
        ("aggregation", Outcome.COMPLETE),
        ("verification", Outcome.INCOMPLETE),
    ],
)
async def test_or_goes_on_without_it(person: Person, phase: str, outcome: Outcome) -> None:
    script = nonsense(phase)
    script["tasks"].append({"id": "two"})
    if phase == "workerExecution":
        script["turns"][0]["when"]["task"] = "one"
    run, _ = await ended(person, script, Answer(waiting_id="w1", answer="skip", by="ada"))
    assert run.outcome is outcome
    record = run.record(IDS[phase])
    assert record is not None
    assert (record.state.value, record.reason) == ("skipped", "skipped by ada")
    assert ("skipped by ada" in run.reason) == (phase == "verification")


@pytest.mark.parametrize("phase", ["analysis", "taskPlanning", "aggregation", "verification"])
async def test_or_the_phase_fails_with_everything_kept_and_can_be_taken_up_again(
    person: Person, phase: str
) -> None:
    id = IDS[phase]
    fail = Answer(waiting_id="w1", answer="fail", by="ada")
    folder = await person.create(nonsense(phase))
    async with access.attach(folder, AgentTable(), who="a test") as link:
        await link.ask(Start())
        await reached(link, folder, lambda run, _: bool(run.waiting))
        await link.ask(fail)
        run = await reached(link, folder, lambda run, _: run.outcome is not None)
        assert run.outcome is Outcome.FAILED
        assert run.reason.startswith(f"{phase} failed: the answer isn't in the form wanted: ")
        assert run.reason.endswith("(given up by ada)")
        assert b"weather" in TranscriptFolder(folder.transcripts).read(id, 1)
        if phase in ("aggregation", "verification"):
            assert ledger.output_files(run) == ("one.txt",)
            assert "one.txt" in await link.diff()
        await link.ask(Retry())
        run = await reached(link, folder, lambda run, _: run.outcome is Outcome.COMPLETE)
    record = run.record(id)
    assert record is not None
    assert [attempt.state.value for attempt in record.attempts] == ["failed", "completed"]


@pytest.mark.parametrize(
    ("phase", "data", "said"),
    [
        ("analysis", {"summary": "x"}, "recommended_splits"),
        ("analysis", {"summary": " ", "recommended_splits": 0}, "summary"),
        ("taskPlanning", {"tasks": []}, "tasks"),
        ("taskPlanning", {"tasks": [{"id": "a", "title": "A"}]}, "description"),
        (
            "taskPlanning",
            {"tasks": [{"id": "A b", "title": "A", "description": "a"}]},
            "the id 'A b' isn't usable",
        ),
        (
            "taskPlanning",
            {"tasks": [{"id": "a", "title": "A", "description": "a", "agent": "nobody"}]},
            "wants the agent nobody, which doesn't exist",
        ),
        ("workerExecution", {"status": "done"}, "status must be"),
        ("workerExecution", {"status": "failed"}, "error"),
        ("workerExecution", {"status": "success", "task_id": "two"}, "task_id must be one"),
        ("aggregation", {}, "status"),
        (
            "verification",
            {"status": "passed", "issues": [{"severity": "bad", "description": "x"}]},
            "severity",
        ),
        ("verification", {"status": "passed", "summary": "\ud800"}, "half of a character"),
    ],
)
async def test_python_s_answer_by_hand_is_held_to_the_protocol_as_an_agent_s_is(
    person: Person, phase: str, data: dict[str, Any], said: str
) -> None:
    folder = await person.create(nonsense(phase))
    async with OrchestratorModule(home=person.home.path) as module:
        link = await module.link(folder.id)
        await link.ask(Start())
        await reached(link, folder, lambda run, _: bool(run.waiting))
        seq = (await module.orchestrators.get(folder.id)).seq
        with pytest.raises(InvalidInput, match=said):
            await module.orchestrators.answer(folder.id, "w1", "edit", data=data)
        with pytest.raises(InvalidInput, match="needs its data"):
            await module.orchestrators.answer(folder.id, "w1", "edit")
        with pytest.raises(InvalidInput, match="leave it out"):
            await module.orchestrators.answer(folder.id, "w1", "retry", data=data)
        now = await module.orchestrators.get(folder.id)
        assert (now.seq, [each.id for each in now.waiting]) == (seq, ["w1"])


async def test_what_was_mended_is_kept_with_the_answer_and_shown(person: Person) -> None:
    """The parser's repairs and warnings reach the log, not only the word for them."""
    script = {
        "tasks": [{"id": "one"}],
        "turns": [
            {
                "when": {"task": "one"},
                "steps": [{"do": "answer", "data": {"status": "success", "sumary": "x"}}],
            }
        ],
    }
    run, _ = await ended(person, script)
    attempt = run.tasks["one"].attempt
    assert attempt is not None
    assert attempt.report is not None
    assert any("sumary" in warning for warning in attempt.report.warnings)
