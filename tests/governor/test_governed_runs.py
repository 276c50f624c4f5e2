"""Whole runs at a limit and at a cap: nothing fails, nothing is asked twice, and they go on by themselves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bigtask.agents.protocol import UsageReported
from bigtask.agents.table import AgentTable
from bigtask.core.commands import Answer, Start
from bigtask.core.events import Event
from bigtask.core.run import Run
from bigtask.core.states import Outcome, WaitingKind
from bigtask.errors import HolderGone
from bigtask.host import access
from bigtask.host.home import RunFolder
from cli.person import Person, reached

from .storm import Account, Stormy

pytestmark = pytest.mark.integration

EIGHT = [{"id": id} for id in "abcdefgh"]


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


async def created(person: Person, agent: Stormy, **options: Any) -> tuple[RunFolder, AgentTable]:
    agents = AgentTable({agent.name: agent})
    project = person.repository()
    return await person.desk.create(project, agent=agent.name, agents=agents, **options), agents


async def carried(
    folder: RunFolder, agents: AgentTable, until: Callable[[Run, Event], bool], *answers: Answer
) -> Run:
    async with access.attach(folder, agents, who="a test") as link:
        await link.ask(Start())
        for answer in answers:
            await reached(link, folder, lambda run, _: bool(run.waiting))
            await link.ask(answer)
        return await reached(link, folder, until)


def over(run: Run, _: Event) -> bool:
    return run.outcome is not None


async def stormed(person: Person, *, shared: bool = True) -> tuple[Run, Account]:
    account = Account(storm_s=1.5)
    turn = {
        "when": {"phase": "workerExecution"},
        "steps": [{"do": "delay", "seconds": 0.05}, {"do": "answer"}],
    }
    agent = Stormy(account, {"tasks": EIGHT, "turns": [turn]}, shared=shared)
    folder, agents = await created(person, agent, max_workers=8)
    return await carried(folder, agents, over), account


async def test_a_storm_is_waited_out_without_a_failed_task_and_one_tries_first(person: Person) -> None:
    run, account = await stormed(person)
    assert run.outcome is Outcome.COMPLETE
    assert [len(record.attempts) for record in run.tasks.values()] == [1] * 8
    assert account.log.count("refused") <= 1.2 * 8
    after = account.log[max(i for i, what in enumerate(account.log) if what == "refused") + 1 :]
    assert after[:2] == ["asked", "done"], "one alone, until it is answered"
    assert after.count("asked") == 8


async def test_without_the_gate_all_would_ask_at_once(person: Person) -> None:
    """The mutant of the test above: an agent that names no account."""
    _, account = await stormed(person, shared=False)
    after = account.log[max(i for i, what in enumerate(account.log) if what == "refused") + 1 :]
    assert after[:2] == ["asked", "asked"]


async def test_a_scripted_session_that_is_limited_goes_on_in_its_turn(person: Person) -> None:
    cut = [{"do": "limit", "kind": "rate", "reset_s": 0.05}, {"do": "end", "reason": "limited"}]
    turns = [{"when": {"phase": "workerExecution", "turn": 1}, "steps": cut}]
    script = {"tasks": EIGHT[:3], "turns": turns, "account": "scripted", "session_mib": 1}
    folder = await person.carried_out(script)
    run = await access.read_run(folder)
    assert run.outcome is Outcome.COMPLETE
    types = await person.types(folder)
    assert types.count("worker:limited") >= 3
    assert types.count("worker:wentOn") >= 3
    assert types.count("worker:retrying") == 0


async def test_a_limit_of_hours_is_a_persons_choice(person: Person) -> None:
    account = Account(storm_s=10_000.0, reset_s=20_000.0)
    folder, agents = await created(person, Stormy(account, {"tasks": EIGHT[:2]}))
    other = Stormy(Account(storm_s=0.0), {"tasks": EIGHT[:2]}, shared=False)
    other.name = "other"  # type: ignore[misc]  # of this object alone
    agents = AgentTable({**agents, "other": other})
    run = await carried(folder, agents, over, Answer(waiting_id="w1", answer="use other"))
    assert run.outcome is Outcome.COMPLETE
    assert {record.attempts[-1].agent for record in run.tasks.values()} == {"other"}


def spends(*usage: float, rests: bool = True) -> dict[str, Any]:
    """Its first turn uses the first of `usage`, and rests; the next ones the others, which hold it too."""
    turns = []
    for number, cost in enumerate(usage, 1):
        steps: list[dict[str, Any]] = [{"do": "usage", "input_tokens": int(cost * 1000), "cost_usd": cost}]
        steps.append({"do": "hang"} if rests and number == 1 else {"do": "answer"})
        turns.append({"when": {"phase": "workerExecution", "turn": number}, "steps": steps})
    return {"tasks": EIGHT[:1], "turns": turns, "costs_money": True}


async def test_what_is_used_is_known_while_it_is_used_and_the_cap_interrupts(person: Person) -> None:
    agent = Stormy(Account(storm_s=0.0), spends(1.0, 1.5))
    folder, agents = await created(person, agent, max_budget_usd=1.0)
    run = await carried(folder, agents, over, Answer(waiting_id="w1", answer="raise"))
    assert run.outcome is Outcome.COMPLETE
    assert run.used.cost_usd == 1.5, "once for the session, whatever was reported before"
    assert run.cap_usd == 2.0
    first, second = [opening for opening in agent.openings if opening.name.endswith("worker_a")]
    assert (first.budget_usd, first.used) == (1.0, None)
    assert (second.budget_usd, second.used) == (1.0, UsageReported(input_tokens=1000, cost_usd=1.0))
    assert second.resume is not None


async def test_after_a_crash_what_was_used_is_handed_on(person: Person) -> None:
    agent = Stormy(Account(storm_s=0.0), spends(1.0, 1.5))
    folder, agents = await created(person, agent, max_budget_usd=4.0)
    with suppress(HolderGone):
        await carried(folder, agents, lambda run, _: run.used.cost_usd == 1.0)
    run = await carried(folder, agents, over)
    assert run.used.cost_usd == 1.5
    again = agent.openings[-1]
    assert (again.budget_usd, again.used) == (3.0, UsageReported(input_tokens=1000, cost_usd=1.0))


async def test_when_its_time_is_up_and_it_is_ended_what_was_used_is_handed_on(person: Person) -> None:
    agent = Stormy(Account(storm_s=0.0), {**spends(1.0, 1.5), "can_interrupt": False})
    folder, agents = await created(person, agent, max_budget_usd=4.0, worker_timeout_ms=500)
    run = await carried(folder, agents, over)
    assert run.outcome is Outcome.COMPLETE
    assert run.used.cost_usd == 1.5, "once for the session"
    first, again = [opening for opening in agent.openings if opening.name.endswith("worker_a")]
    assert (first.budget_usd, first.resume) == (4.0, None)
    assert (again.budget_usd, again.used) == (3.0, UsageReported(input_tokens=1000, cost_usd=1.0))
    assert again.resume is not None


async def test_a_task_over_the_cap_never_begins(person: Person) -> None:
    task = {"id": "a", "estimated_tokens": 1_000_000}
    agent = Stormy(Account(storm_s=0.0), {"tasks": [task]})
    folder, agents = await created(person, agent, max_tokens=500_000)
    run = await carried(folder, agents, lambda run, _: bool(run.waiting))
    (waiting,) = run.waiting.values()
    assert waiting.kind is WaitingKind.BUDGET
    assert run.tasks["a"].attempts == []
