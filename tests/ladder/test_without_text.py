"""Answers that come by another way than text, and turns that end at a limit before there is one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bigtask.core.states import Outcome
from bigtask.host.home import RunFolder
from bigtask.host.transcript_folder import TranscriptFolder
from cli.person import Person

from .test_ladder import NONSENSE, PHASES, ended

pytestmark = pytest.mark.integration


@pytest.fixture
def person(tmp_path: Path) -> Person:
    person = Person(tmp_path)
    phases = {phase: {"enabled": True} for phase in PHASES}
    person.desk.template(config={"autoSpawn": True, "maxRetries": 0}, phases=phases)
    return person


def script(*steps: dict[str, Any], turn: int = 1) -> dict[str, Any]:
    when = {"phase": "workerExecution", "turn": turn}
    return {"tasks": [{"id": "one"}], "turns": [{"when": when, "steps": list(steps)}]}


async def test_a_report_by_a_tool_needs_no_block(person: Person) -> None:
    data = {"task_id": "one", "status": "success", "summary": "By tool."}
    run, _ = await ended(person, script(NONSENSE, {"do": "report", "data": data}))
    attempt = run.tasks["one"].attempt
    assert attempt is not None
    assert attempt.report is not None
    assert (run.outcome, attempt.reasked, attempt.report.summary) == (Outcome.COMPLETE, 0, "By tool.")


async def test_a_report_for_another_task_is_asked_for_again(person: Person) -> None:
    data = {"task_id": "two", "status": "success", "summary": "By tool."}
    run, _ = await ended(person, script({"do": "report", "data": data}))
    attempt = run.tasks["one"].attempt
    assert attempt is not None
    assert (run.outcome, attempt.reasked) == (Outcome.COMPLETE, 1)


async def test_a_turn_that_ends_at_a_limit_goes_on_in_the_same_session_when_it_is_over(
    person: Person,
) -> None:
    cut = [{"do": "limit", "kind": "rate", "reset_s": 0.05}, {"do": "end", "reason": "limited"}]
    run, folder = await ended(person, script(*cut))
    attempts = run.tasks["one"].attempts
    assert run.outcome is Outcome.COMPLETE
    assert [(attempt.number, attempt.reasked) for attempt in attempts] == [(1, 0)]
    prompts = [line for line in _transcript(folder) if line["who"] == "prompt"]
    assert len(prompts) == 2
    assert prompts[1]["text"].startswith("Your turn was cut off by a limit")


def _transcript(folder: RunFolder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in TranscriptFolder(folder.transcripts).read("one", 1).splitlines()]
