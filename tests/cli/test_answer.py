from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bigtask.core.run import Run
from bigtask.host import access

from .here import here
from .person import ASKING, HANGING, SMALL, Person, Said, reached, waits, works_at

pytestmark = pytest.mark.integration

NONSENSE = {
    "tasks": [{"id": "one"}],
    "turns": [{"when": {"phase": "taskPlanning"}, "steps": [{"do": "say", "text": "I'd rather not."}]}],
}
LISTENING = {
    "tasks": [{"id": "one"}],
    "turns": [
        {
            "when": {"task": "one"},
            "steps": [
                {"do": "listen"},
                {"do": "write", "path": "one.txt", "content": "{MESSAGE}"},
                {"do": "answer"},
            ],
        }
    ],
}


async def _run(folder: Any) -> Run:
    from bigtask.core.evolve import fold

    return fold(folder.id, await access.read(folder))


async def test_an_answer_acts_on_another_process_s_run(person: Person) -> None:
    folder = await person.create(ASKING)
    async with person.carrying_out(folder, waits) as (link, _):
        said = await person.bigtask("answer", folder.id, "w1", "allow", "--scope", "task", "--json")
        assert said.json["answer"] == "allow"
        assert said.json["held"] is True
        run = await reached(link, folder, lambda run, _: run.outcome is not None)
        assert run.outcome == "complete"


async def test_an_answer_that_cannot_be_is_refused_with_the_choices(person: Person) -> None:
    folder = await person.create(ASKING)
    async with person.carrying_out(folder, waits):
        wrong = await person.bigtask("answer", folder.id, "w1", "maybe")
        assert (wrong.status, wrong.out) == (2, "")
        assert "allow, deny" in wrong.err
        unknown = await person.bigtask("answer", folder.id, "w9", "allow")
        assert unknown.status == 2
        assert "waiting: w1" in unknown.err
        scope = await person.bigtask("answer", folder.id, "w1", "allow", "--scope", "ever")
        assert scope.status == 2
        assert (await _run(folder)).waiting


async def test_a_permission_answered_while_nobody_holds_the_run_is_kept_for_when_it_goes_on(
    person: Person,
) -> None:
    folder = await person.left(ASKING, waits)
    seq = (await _run(folder)).seq
    said = await person.bigtask("answer", folder.id, "w1", "allow")
    assert said.status == 0
    assert "Nobody carries the run on: bigtask resume last" in said.err
    assert "worker:spawned" not in await person.types(folder, seq)
    assert (await person.bigtask("resume", "last")).status == 0
    assert (await _run(folder)).outcome == "complete"


def test_an_answer_by_hand_is_checked_as_the_agent_s_would_be(person: Person, tmp_path: Path) -> None:
    folder = asyncio.run(person.left(NONSENSE, waits))

    def answer(*arguments: str) -> Said:
        return here(person.env, "answer", folder.id, "w1", *arguments)

    data = tmp_path / "answer.json"
    for content, wrong in (
        ("[1]", "must be one JSON object in { }, not [1]"),
        ("{" * 5000, "isn't JSON at line 1"),
        ('{"tasks": [],}', "line 1, column"),
        ("# only a note\n", "is empty: put the answer into it"),
        ('{"tasks": []}', "tasks"),
        ('{"tasks": [{"id": "a", "title": "A", "description": "a", "dependencies": ["a"]}]}', "a"),
        ('{"tasks": [{"id": "a", "title": "A", "description": "a", "scope": ["../x"]}]}', "../x"),
    ):
        data.write_text(content)
        said = answer("edit", "--data", str(data))
        assert (said.status, said.out) == (2, ""), content
        assert wrong in said.err
        assert "Traceback" not in said.err
    missing = answer("edit", "--data", str(tmp_path / "none"))
    assert missing.status == 2
    assert answer("edit").status == 2
    assert answer("retry", "--data", str(data)).status == 2
    assert asyncio.run(_run(folder)).waiting


async def test_an_answer_to_a_run_that_nobody_carries_on_is_kept_and_starts_nothing(
    person: Person, tmp_path: Path
) -> None:
    folder = await person.left(NONSENSE, waits)
    seq = (await _run(folder)).seq
    data = tmp_path / "answer.json"
    data.write_text(json.dumps({"tasks": [{"id": "one", "title": "One", "description": "Write one."}]}))
    said = await person.bigtask("answer", folder.id, "w1", "edit", "--data", str(data))
    assert said.status == 0
    assert "bigtask resume last" in said.err
    after = await person.types(folder, seq)
    assert "orchestrator:tasksReady" in after
    assert "worker:spawned" not in after
    async with person.carrying_out(folder, lambda run, _: run.outcome is not None) as (_, run):
        assert run.outcome == "complete"


@pytest.mark.parametrize("now", [False, True])
async def test_to_pause_a_run_that_nobody_carries_on_begins_to_spend_nothing(
    person: Person, now: bool
) -> None:
    folder = await person.left({**HANGING, "can_resume": False}, works_at("one"))
    seq = (await _run(folder)).seq
    said = await person.bigtask("pause", folder.id, "--json", *(["--now"] if now else []))
    assert (said.json["paused"], said.json["status"]) == (True, "paused")
    after = await person.types(folder, seq)
    assert not {"worker:spawned", "worker:resumed"} & set(after)
    assert after[-1] == "orchestrator:paused"
    again = await person.bigtask("pause", folder.id)
    assert again.status == 0
    assert len(await person.types(folder, seq)) == len(after)


async def test_a_run_paused_while_nobody_held_it_goes_on_where_it_was(person: Person) -> None:
    folder = await person.left(ASKING, waits)
    assert (await person.bigtask("pause", folder.id)).status == 0
    run = await _run(folder)
    assert run.paused
    assert not run.live
    async with access.attach(folder, _agents(), who="the test") as link:
        from bigtask.core.commands import Answer, Resume

        await link.ask(Resume())
        run = await reached(link, folder, waits_again(run.seq))
        await link.ask(Answer(waiting_id=next(iter(run.waiting)), answer="allow"))
        run = await reached(link, folder, lambda run, _: run.outcome is not None)
    assert run.outcome == "complete"


def waits_again(seq: int) -> Any:
    return lambda run, event: event.seq > seq and bool(run.waiting)


def _agents() -> Any:
    from bigtask.agents.table import AgentTable

    return AgentTable()


async def test_pause_and_cancel_act_on_another_process_s_run(person: Person) -> None:
    folder = await person.create({"tasks": [{"id": "one"}, {"id": "two"}], "turns": HANGING["turns"]})
    async with person.carrying_out(folder, works_at("one")) as (link, _):
        assert (await person.bigtask("pause", folder.id)).status == 0
        await reached(link, folder, lambda run, _: run.paused)
        cancelled = await person.bigtask("cancel", folder.id, "--json")
        assert (cancelled.status, cancelled.json["outcome"]) == (0, "cancelled")
        assert (await person.bigtask("cancel", folder.id)).status == 0


async def test_one_task_is_paused_and_cancelled_alone(person: Person) -> None:
    folder = await person.create({**SMALL, "turns": HANGING["turns"]})
    async with person.carrying_out(folder, works_at("one")) as (link, _):
        assert (await person.bigtask("pause", folder.id, "one")).status == 0
        await reached(link, folder, lambda run, event: event.type == "worker:paused")
        assert (await person.bigtask("resume", folder.id, "one", "--json")).status == 0
        await reached(link, folder, lambda run, event: event.type == "worker:resumed")
        idle = await person.bigtask("pause", folder.id, "two")
        assert (idle.status, idle.out) == (1, "")
        assert (await person.bigtask("pause", folder.id, "one", "--now")).status == 2
        said = await person.bigtask("cancel", folder.id, "one", "--json")
        assert said.json["tasks"]["cancelled"] == 1
        run = await reached(link, folder, lambda run, _: run.outcome is not None)
        assert run.tasks["two"].state == "skipped"


async def test_to_cancel_a_run_that_nobody_carries_on_ends_it(person: Person) -> None:
    folder = await person.left(HANGING, works_at("one"))
    said = await person.bigtask("cancel", folder.id, "--json")
    assert (said.json["outcome"], said.json["tasks"]["cancelled"]) == ("cancelled", 1)
    assert "worker:spawned" not in (await person.types(folder))[-3:]


async def test_a_message_reaches_the_worker_in_its_turn(person: Person) -> None:
    folder = await person.create(LISTENING)
    async with person.carrying_out(folder, works_at("one")) as (link, _):
        said = await person.bigtask("message", folder.id, "one", "leave the rest out")
        assert said.status == 0
        await reached(link, folder, lambda run, _: run.outcome is not None)
    assert "+leave the rest out" in (await person.bigtask("diff", folder.id)).out


async def test_a_message_that_nobody_would_hear_is_refused(person: Person) -> None:
    folder = await person.left(HANGING, works_at("one"))
    gone = await person.bigtask("message", folder.id, "one", "hello")
    assert gone.status == 1
    assert "bigtask resume" in gone.err
    unknown = await person.bigtask("message", folder.id, "nine", "hello")
    assert unknown.status == 2
    assert "its tasks: one" in unknown.err
    assert (await person.bigtask("message", folder.id, "one", "  ")).status == 2


async def test_two_that_answer_at_once_settle_it_once(person: Person) -> None:
    folder = await person.create(ASKING)
    async with person.carrying_out(folder, waits) as (link, _):
        both = await asyncio.gather(
            person.bigtask("answer", folder.id, "w1", "allow"),
            person.bigtask("answer", folder.id, "w1", "deny"),
        )
        assert sorted(said.status for said in both) == [0, 2]
        await reached(link, folder, lambda run, _: run.outcome is not None)
    assert (await person.types(folder)).count("orchestrator:answered") == 1
