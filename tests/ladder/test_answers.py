"""How many answers of each agent were strict, repaired, asked for again and failed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bigtask.core import commands as c
from bigtask.core import observations as o
from bigtask.core.answers import Answers, added, answers, shares
from bigtask.core.values import InConflict, Report
from bigtask.host import answer_record
from cli.here import here
from cli.person import Person, waits
from core.world import World, started, task

NONSENSE = {"do": "say", "text": "The weather is fine."}


def say(world: World, id: str, quality: str = "strict") -> None:
    report = Report(data={"status": "success"}, quality=quality)
    world.see(o.Reported(**world.who(id), report=report))


def test_each_answer_counts_once_by_the_last_thing_that_had_to_be_done_about_it() -> None:
    ids = ("strict", "repaired", "reasked", "both", "edited", "waits", "tried", "fell")
    world = started(*map(task, ids), max_workers=9, max_retries=0)
    for id in ids:
        world.open(id)
    say(world, "strict")
    say(world, "repaired", "repaired")
    for id in ("reasked", "both", "edited"):
        world.see(o.Reasked(**world.who(id), number=1, errors=("x",)))
    say(world, "reasked")
    say(world, "both", "repaired")
    for id in ("edited", "waits", "tried"):
        world.see(o.Unusable(**world.who(id), errors=("x",), answer=""))
    world.ask(c.Answer(waiting_id="w1", answer="edit", data={"status": "success"}))
    world.ask(c.Answer(waiting_id="w3", answer="retry"))
    world.fall("fell")
    # The plan was an answer as well.
    assert answers(world.run) == {"plain": Answers(strict=2, repaired=1, reasked=2, failed=3)}
    say(world, "tried")
    assert answers(world.run) == {"plain": Answers(strict=3, repaired=1, reasked=2, failed=3)}


def test_a_conflict_is_no_fault_of_the_answer() -> None:
    world = started(task("a")).open("a")
    say(world, "a")
    world.see(o.Conflicted(**world.who("a"), conflicts=(InConflict(path="x"),)))
    assert answers(world.run) == {"plain": Answers(strict=2)}


def test_agents_without_an_answer_have_no_entry_and_no_share() -> None:
    assert answers(World().run) == {}
    assert shares(Answers())["shares"] == dict.fromkeys(("strict", "repaired", "reasked", "failed"), 0.0)
    three = shares(Answers(strict=2, failed=1))
    assert (three["total"], three["strict"], three["shares"]["strict"], three["shares"]["failed"]) == (
        3,
        2,
        0.667,
        0.333,
    )
    one, two = {"a": Answers(strict=1)}, {"a": Answers(repaired=2), "b": Answers(failed=1)}
    assert added(one, two) == {"a": Answers(strict=1, repaired=2), "b": Answers(failed=1)}


SCRIPT: dict[str, Any] = {
    "tasks": [{"id": "one"}, {"id": "two"}],
    "turns": [{"when": {"task": "one", "turn": 1}, "steps": [NONSENSE]}],
}


@pytest.mark.integration
async def test_the_last_runs_are_counted_once_each(person: Person) -> None:
    assert await answer_record.record(person.home) == answer_record.Record()
    await person.carried_out(SCRIPT)
    whole = answer_record.Record(runs=1, by_agent={"scripted": Answers(strict=2, reasked=1)})
    assert await answer_record.record(person.home) == whole
    kept = person.home.answers.read_bytes()
    # What is kept is believed as long as the run's log is the same.
    person.home.answers.write_bytes(kept.replace(b'"strict":2', b'"strict":7'))
    assert (await answer_record.record(person.home)).by_agent["scripted"].strict == 7
    for spoiled in (
        b"",
        b"{",
        b"[]",
        kept.replace(b"bigtask 0", b"bigtask 99"),
        kept.replace(b"stamp", b"stmap"),
    ):
        person.home.answers.write_bytes(spoiled)
        assert await answer_record.record(person.home) == whole
    assert person.home.answers.read_bytes() == kept
    await person.carried_out({"tasks": [{"id": "one"}]})
    assert (await answer_record.record(person.home)).by_agent["scripted"].strict == 4


@pytest.mark.integration
async def test_runs_that_have_not_ended_or_cannot_be_read_do_not_count(person: Person) -> None:
    folder = await person.left({**SCRIPT, "turns": [{"when": {"task": "one"}, "steps": [NONSENSE]}]}, waits)
    assert (await answer_record.record(person.home)).runs == 0
    async with person.carrying_out(folder, waits):
        assert (await answer_record.record(person.home)).runs == 0
    folder.log.write_bytes(b"no database")
    assert (await answer_record.record(person.home)).runs == 0


@pytest.mark.integration
async def test_they_are_shown_for_agents_and_with_each_run(person: Person) -> None:
    await person.carried_out(SCRIPT)

    def shown(*arguments: str) -> str:
        said = here(person.env, *arguments)
        assert said.status == 0, said.err
        return said.out

    table = await in_thread(lambda: shown("agents"))
    assert "Answers in the last run" in table
    assert "67 %" in table
    found = json.loads(await in_thread(lambda: shown("agents", "--json")))
    assert found["answers"]["runs"] == 1
    assert found["answers"]["byAgent"]["scripted"]["shares"]["reasked"] == 0.333
    assert "2 strict, 1 asked again" in await in_thread(lambda: shown("show", "last"))
    whole = json.loads(await in_thread(lambda: shown("show", "last", "--json")))
    assert [each["reasked"] for each in whole["answers"].values()] == [1]
    assert "asked again once" in str(whole["missed"])


MENDED = (
    "<<<ORCHESTRATOR_RESPONSE>>>\n{'phase': 'completion', 'nonce': '{NONCE}', // done\n"
    "'data': {'task_id': 'one', 'status': 'success', 'summary': 'Mended.', 'sumary': 1,}}\n"
    "<<<END_ORCHESTRATOR_RESPONSE>>>\n"
)


@pytest.mark.integration
async def test_a_mended_answer_is_told_as_such_everywhere(person: Person) -> None:
    """From what the agent said to the ledger, the counts and the report, through the real run."""
    said = [
        {"do": "write", "path": "one.txt", "content": "1\n"},
        {"do": "say", "text": MENDED},
    ]
    script = {"tasks": [{"id": "one"}], "turns": [{"when": {"task": "one"}, "steps": said}]}
    await person.carried_out(script)

    def shown(*arguments: str) -> str:
        told = here(person.env, *arguments)
        assert told.status == 0, told.err
        return told.out

    whole = json.loads(await in_thread(lambda: shown("show", "last", "--json")))
    (entry,) = whole["ledger"]
    assert (entry["quality"], entry["summary"], entry["state"]) == ("repaired", "Mended.", "completed")
    assert "the answer was repaired (" in entry["remarks"][0]
    (counts,) = whole["answers"].values()
    assert (counts["strict"], counts["repaired"]) == (1, 1)
    assert "one: the answer was repaired" in str(whole["missed"])
    assert "1 strict, 1 repaired" in await in_thread(lambda: shown("show", "last"))
    by_agent = json.loads(await in_thread(lambda: shown("agents", "--json")))["answers"]["byAgent"]
    assert (by_agent["scripted"]["repaired"], by_agent["scripted"]["shares"]["repaired"]) == (1, 0.5)
    assert "the answer was repaired (" in await in_thread(lambda: shown("report", "last"))
    page = await in_thread(lambda: shown("show", "last", "one"))
    for mark, word in (("~", "in its answer: "), ("!", "in its answer: "), ("!", "sumary")):
        assert any(line.strip().startswith(mark) and word in line for line in page.splitlines()), page


async def in_thread(work: Any) -> Any:
    """Commands have an event loop of their own."""
    import asyncio

    return await asyncio.to_thread(work)
