"""What a holder promises: recorded before told, refused without a trace, and every kind of agent survived."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from bigtask.core import observations as o
from bigtask.core.commands import Answer, Cancel, Confirm, Pause, Resume, Retry, Start
from bigtask.core.events import Event
from bigtask.core.evolve import fold
from bigtask.core.ledger import ledger
from bigtask.core.states import Outcome, TaskState, WaitingKind
from bigtask.core.values import Report
from bigtask.errors import Conflict, HolderGone, InvalidInput, NotFound, SequenceTaken, StoreFull
from bigtask.host.access import hold, read
from bigtask.host.link import LocalLink
from bigtask.host.log import MemoryLog
from projects import Project

from .stage import (
    ANSWERS,
    Agents,
    Stage,
    answer,
    carried_out,
    holding,
    recorded,
    states,
    tasks,
    turn,
    types,
    until,
    until_end,
    until_waiting,
    write,
)

pytestmark = pytest.mark.integration

HANG = {"do": "hang"}
FAIL = {"do": "end", "reason": "error", "detail": "the script says so"}
WRITTEN = {"do": "progress", "percent": 50, "action": "has written"}
NONSENSE = {"do": "say", "text": "I would rather talk about the weather."}
ASK = {"do": "ask", "question": "May I?", "allow": [answer(summary="Allowed.")], "deny": [FAIL]}


# Commands and the log


async def test_a_refused_command_leaves_no_event(stage: Stage) -> None:
    agents = Agents({"tasks": tasks("one"), "turns": [ANSWERS]})
    folder = await stage.create(agents)
    before = await read(folder)
    async with hold(folder, agents, who="a test") as link:
        with pytest.raises(Conflict, match="confirm isn't possible now"):
            await link.ask(Confirm())
        with pytest.raises(NotFound, match="nothing called 'w9'"):
            await link.ask(Answer(waiting_id="w9", answer="yes"))
        with pytest.raises(Conflict):
            await link.ask(Retry())
    assert await read(folder) == before


class GatedLog(MemoryLog):
    """An append waits until `gate` is open; `reached` tells that one does."""

    def __init__(self, events: list[Event]) -> None:
        super().__init__(events)
        self.gate = asyncio.Event()
        self.reached = asyncio.Event()

    async def append(self, expected_seq: int, events: Sequence[Event]) -> None:
        self.reached.set()
        await self.gate.wait()
        await super().append(expected_seq, events)


async def test_neither_who_asked_nor_who_follows_is_told_before_the_append(stage: Stage) -> None:
    agents = Agents({"tasks": tasks("one"), "turns": [ANSWERS]})
    folder = await stage.create(agents)
    log = GatedLog(await read(folder))
    async with holding(folder, agents, log) as holder:
        asked = asyncio.create_task(holder.ask(Start()))
        told = asyncio.create_task(anext(holder.feed.follow(1)))
        await log.reached.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not asked.done()
        assert not told.done()
        assert not agents.open
        assert len(log.events) == 1
        log.gate.set()
        assert await asked == log.events[-1].seq
        assert (await told).type == "orchestrator:started"
        await until_end(LocalLink(holder))


class FullLog(MemoryLog):
    """The disk is full for the appends of these numbers."""

    def __init__(self, events: list[Event], full_at: set[int]) -> None:
        super().__init__(events)
        self.full_at = full_at
        self.appends = 0
        self.refused = asyncio.Event()

    async def append(self, expected_seq: int, events: Sequence[Event]) -> None:
        self.appends += 1
        if self.appends in self.full_at:
            self.refused.set()
            raise StoreFull("the disk is full: free some space; the run goes on by itself")
        await super().append(expected_seq, events)


async def test_on_a_full_disk_the_run_waits_and_loses_nothing(stage: Stage) -> None:
    agents = Agents({"tasks": tasks("one", "two"), "turns": [ANSWERS]})
    folder = await stage.create(agents)
    log = FullLog(await read(folder), full_at={2, 5})
    followed: list[Event] = []
    async with holding(folder, agents, log) as holder:
        await holder.ask(Start())
        async for event in holder.feed.follow(0):
            followed.append(event)
            if event.type == "orchestrator:completed":
                break
        assert holder.trouble is None
    assert log.appends > 5
    assert followed == log.events
    run = fold(folder.id, log.events)
    assert run.outcome is Outcome.COMPLETE
    assert [states(run, id) for id in ("one", "two")] == [["completed"], ["completed"]]


async def test_a_full_disk_is_told_to_people_while_it_lasts(stage: Stage) -> None:
    agents = Agents({"tasks": tasks("one"), "turns": [ANSWERS]})
    folder = await stage.create(agents)
    seen: list[str | None] = []

    class Looking(FullLog):
        async def append(self, expected_seq: int, events: Sequence[Event]) -> None:
            seen.append(holder.trouble)
            await super().append(expected_seq, events)

    log = Looking(await read(folder), full_at={1})
    async with holding(folder, agents, log) as holder:
        await holder.ask(Start())
        await until_end(LocalLink(holder))
    assert seen[0] is None
    assert "the disk is full" in (seen[1] or "")
    assert seen[2] is None


async def test_a_holder_can_be_closed_while_the_disk_is_full(stage: Stage) -> None:
    agents = Agents({"tasks": tasks("one"), "turns": [ANSWERS]})
    folder = await stage.create(agents)
    log = FullLog(await read(folder), full_at=set(range(1, 1_000)))

    async def close_while_full() -> None:
        async with holding(folder, agents, log) as holder:
            asking = asyncio.ensure_future(holder.ask(Start()))
            await log.refused.wait()
            holder.close()
            with pytest.raises(HolderGone, match="isn't carried out here any more"):
                await asking

    async with asyncio.timeout(10):
        with pytest.raises(StoreFull):
            await close_while_full()
    assert len(log.events) == 1


async def test_a_holder_that_finds_anothers_events_ends_and_tells_who_asked(stage: Stage) -> None:
    agents = Agents({"tasks": tasks("one"), "turns": [turn(HANG, phase="workerExecution")]})
    folder = await stage.create(agents)
    log = MemoryLog(await read(folder))

    async def take_away() -> None:
        async with holding(folder, agents, log) as holder:
            await holder.ask(Start())
            await until(LocalLink(holder), lambda e: e.type == "worker:started" and e.data.task_id == "one")
            log.events.append(Event(log.events[-1].seq + 1, 0, log.events[-1].data))
            with pytest.raises(HolderGone, match="isn't carried out here any more"):
                await holder.ask(Pause())
            with pytest.raises(HolderGone, match="isn't carried out here any more"):
                await holder.ask(Pause())

    with pytest.raises(SequenceTaken, match="another process wrote to it"):
        await take_away()
    assert not agents.open


async def test_a_late_report_of_a_replaced_attempt_is_refused(stage: Stage) -> None:
    agents = Agents(
        {
            "tasks": tasks("one"),
            "can_resume": False,
            "turns": [turn(HANG, task="one", attempt=1), turn(ASK, task="one", attempt=2)],
        }
    )
    folder = await stage.create(agents)
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        await until(link, lambda e: e.type == "worker:started" and e.data.task_id == "one")
        await link.ask(Pause(now=True))
        seq = await link.ask(Resume())
        seq, waiting = await until_waiting(link, after=seq)
        late = Report(data={"task_id": "one", "status": "success", "summary": "Too late."})
        link.holder.see(o.Reported(task_id="one", attempt=1, report=late))
        await until(link, "worker:superseded", after=seq)
        await link.ask(Answer(waiting_id=waiting.id, answer="allow"))
        await until_end(link)
    run = await recorded(folder)
    assert states(run, "one") == ["superseded", "completed"]
    assert run.tasks["one"].attempt is not None
    assert run.tasks["one"].attempt.report is not None
    assert run.tasks["one"].attempt.report.summary == "Allowed."


# Retries, pauses and cancelling


async def test_a_failed_task_is_tried_again_when_its_time_has_come(stage: Stage) -> None:
    agents = Agents({"tasks": tasks("one"), "turns": [ANSWERS, turn(FAIL, task="one", attempt=1)]})
    folder = await stage.create(agents)
    run = await carried_out(folder, agents)
    assert run.outcome is Outcome.COMPLETE
    assert states(run, "one") == ["failed", "completed"]
    events = await read(folder)
    retrying = next(event for event in events if event.type == "worker:retrying")
    again = next(
        e for e in events if e.type == "worker:spawned" and (e.data.task_id, e.data.attempt) == ("one", 2)
    )
    assert retrying.data.delay_ms >= 1000
    assert again.at - retrying.at >= retrying.data.delay_ms


async def test_a_task_that_fails_as_often_as_allowed_skips_those_that_need_it(stage: Stage) -> None:
    script = {
        "tasks": [*tasks("one", "free"), {"id": "two", "dependencies": ["one"]}],
        "turns": [ANSWERS, turn(FAIL, task="one")],
    }
    agents = Agents(script)
    folder = await stage.create(agents, max_retries=0)
    run = await carried_out(folder, agents)
    assert run.outcome is Outcome.INCOMPLETE
    found = {id: record.state for id, record in run.tasks.items()}
    assert found == {"one": TaskState.FAILED, "free": TaskState.COMPLETED, "two": TaskState.SKIPPED}
    assert run.tasks["two"].reason == "one failed"


async def test_a_pause_interrupts_and_resuming_goes_on_in_the_same_attempt(stage: Stage) -> None:
    script = {"tasks": tasks("one"), "turns": [ANSWERS, turn(HANG, task="one", turn=1)]}
    agents = Agents(script)
    folder = await stage.create(agents)
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        await until(link, lambda e: e.type == "worker:started" and e.data.task_id == "one")
        await link.ask(Pause(by="Ada"))
        await until(link, "orchestrator:paused")
        assert states(await recorded(folder), "one") == ["paused"]
        assert await link.ask(Pause()) == (await read(folder))[-1].seq
        await link.ask(Resume(by="Ada"))
        await until_end(link)
    run = await recorded(folder)
    assert run.outcome is Outcome.COMPLETE
    assert states(run, "one") == ["completed"]


async def test_an_agent_that_cant_continue_a_session_begins_a_new_attempt_after_a_pause(stage: Stage) -> None:
    script = {
        "tasks": tasks("one"),
        "can_resume": False,
        "turns": [ANSWERS, turn(HANG, task="one", attempt=1)],
    }
    agents = Agents(script)
    folder = await stage.create(agents, max_retries=0)
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        await until(link, lambda e: e.type == "worker:started" and e.data.task_id == "one")
        await link.ask(Pause())
        await until(link, "orchestrator:paused")
        await link.ask(Resume())
        await until_end(link)
    run = await recorded(folder)
    assert run.outcome is Outcome.COMPLETE
    assert states(run, "one") == ["lost", "completed"]


async def test_an_agent_that_cant_be_interrupted_ends_its_turn_before_the_pause_is_complete(
    stage: Stage,
) -> None:
    wait = {"do": "listen"}
    script = {
        "tasks": [*tasks("one"), {"id": "two", "dependencies": ["one"]}],
        "can_interrupt": False,
        "turns": [ANSWERS, turn(wait, answer(), task="one")],
    }
    agents = Agents(script)
    folder = await stage.create(agents)
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        await until(link, lambda e: e.type == "worker:started" and e.data.task_id == "one")
        await link.ask(Pause())
        assert (await recorded(folder)).pausing
        await link.say("one", "go on")
        await until(link, "orchestrator:paused")
        run = await recorded(folder)
        assert states(run, "one") == ["completed"]
        assert states(run, "two") == []
        await link.ask(Resume())
        await until_end(link)
    assert (await recorded(folder)).outcome is Outcome.COMPLETE


async def test_a_pause_now_ends_attempts_without_using_up_a_retry(stage: Stage) -> None:
    script = {
        "tasks": tasks("one"),
        "can_interrupt": False,
        "turns": [ANSWERS, turn(HANG, task="one", attempt=1)],
    }
    agents = Agents(script)
    folder = await stage.create(agents, max_retries=0)
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        await until(link, lambda e: e.type == "worker:started" and e.data.task_id == "one")
        await link.ask(Pause(now=True))
        await until(link, "orchestrator:paused")
        async with asyncio.timeout(10):
            await agents.none_open.wait()
        await link.ask(Resume())
        await until_end(link)
    run = await recorded(folder)
    assert run.outcome is Outcome.COMPLETE
    assert states(run, "one") == ["lost", "completed"]
    assert run.tasks["one"].failures == 0


async def test_cancelling_ends_every_session_and_keeps_the_outcome(stage: Stage) -> None:
    ids = ("one", "two", "three")
    agents = Agents({"tasks": tasks(*ids), "process": True, "turns": [turn(HANG, phase="workerExecution")]})
    folder = await stage.create(agents)
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        seq = 0
        for _ in range(2 + len(ids)):
            seq = (await until(link, "worker:started", after=seq)).seq
        assert len(agents.open) == len(ids)
        await link.ask(Cancel(by="Ada"))
        async with asyncio.timeout(10):
            await agents.none_open.wait()
        again = await link.ask(Cancel(by="Ada"))
    run = await recorded(folder)
    assert run.seq == again
    assert run.outcome is Outcome.CANCELLED
    assert {record.state for record in run.tasks.values()} == {TaskState.CANCELLED}
    assert all(states(run, id) == ["cancelled"] for id in ids)


async def test_what_an_earlier_holder_left_is_tried_again_or_goes_on_in_its_session(stage: Stage) -> None:
    script = {
        "tasks": tasks("one"),
        "turns": [
            turn(write("half.txt", "first\n", "append"), WRITTEN, HANG, task="one", turn=1),
            turn(
                write("half.txt", "second\n", "append"), answer(output_files=["half.txt"]), task="one", turn=2
            ),
        ],
    }
    agents = Agents(script)
    folder = await stage.create(agents, isolation="worktree")
    written = folder.path / "workspaces" / f"{folder.id}.one.1" / "half.txt"
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        await until(link, "worker:progress")
    assert written.read_text() == "first\n"
    async with hold(folder, agents, who="another test") as link:
        await until_end(link)
    run = await recorded(folder)
    assert run.outcome is Outcome.COMPLETE
    assert states(run, "one") == ["completed"]
    assert stage.project.git("show", f"bigtask/{folder.id}/main:half.txt") == "first\nsecond"


# Agents that misbehave


async def test_an_agent_that_answers_nonsense_is_asked_again_three_times_and_then_waits(stage: Stage) -> None:
    agents = Agents({"tasks": tasks("one", "two"), "turns": [ANSWERS, turn(NONSENSE, task="one")]})
    folder = await stage.create(agents)
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        _, waiting = await until_waiting(link)
        await until(link, lambda e: e.type == "worker:completed" and e.data.task_id == "two")
    assert (waiting.kind, waiting.task_id, waiting.options) == (
        WaitingKind.ANSWER,
        "one",
        ("edit", "retry", "skip"),
    )
    assert "weather" in waiting.details["answer"]
    asked = [event.data for event in await read(folder) if event.type == "worker:reasked"]
    assert [(each.number, bool(each.errors)) for each in asked] == [(1, True), (2, True), (3, True)]
    assert states(await recorded(folder), "one") == ["needs_review"]


@pytest.mark.parametrize(
    ("said", "data", "attempts", "outcome"),
    [
        ("edit", {"status": "success", "summary": "By hand."}, ["completed"], "complete"),
        ("retry", None, ["superseded", "completed"], "complete"),
        ("skip", None, ["superseded"], "complete"),
    ],
)
async def test_a_person_answers_for_an_agent_that_doesnt(
    stage: Stage, said: str, data: dict[str, Any] | None, attempts: list[str], outcome: str
) -> None:
    script = {"tasks": tasks("one", "two"), "turns": [ANSWERS, turn(NONSENSE, task="one", attempt=1)]}
    agents = Agents(script)
    folder = await stage.create(agents)
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        _, waiting = await until_waiting(link)
        with pytest.raises(InvalidInput, match="isn't an answer here"):
            await link.ask(Answer(waiting_id=waiting.id, answer="perhaps"))
        data = data and {"task_id": "one", **data}
        await link.ask(Answer(waiting_id=waiting.id, answer=said, data=data, by="Ada"))
        await until_end(link)
    run = await recorded(folder)
    assert states(run, "one") == attempts
    assert run.outcome == outcome


@pytest.mark.parametrize(
    ("fault", "ended"),
    [
        ({"do": "exit", "code": 3}, "crashed"),
        ({"do": "crash"}, "crashed"),
        (HANG, "timeout"),
        ({"do": "hang", "deaf": True}, "timeout"),
    ],
    ids=["exits", "is killed", "hangs", "hangs and ignores signals"],
)
async def test_an_agent_that_goes_wrong_is_tried_again(
    stage: Stage, fault: dict[str, Any], ended: str
) -> None:
    script = {"tasks": tasks("one"), "process": True, "turns": [ANSWERS, turn(fault, task="one", attempt=1)]}
    agents = Agents(script)
    folder = await stage.create(agents, worker_timeout_ms=2_000)
    run = await carried_out(folder, agents)
    assert states(run, "one") == [ended, "completed"]
    assert run.tasks["one"].attempts[0].reason
    assert run.outcome is Outcome.COMPLETE
    assert not agents.open


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("lines", [True, False])
async def test_an_agent_that_floods_doesnt_keep_the_others(stage: Stage, stream: str, lines: bool) -> None:
    flood = {"do": "flood", "bytes": 30_000_000, "stream": stream, "lines": lines}
    script = {
        "tasks": tasks("one", "two"),
        "process": True,
        "turns": [ANSWERS, turn(flood, answer(), task="one", attempt=1)],
    }
    agents = Agents(script)
    folder = await stage.create(agents)
    run = await carried_out(folder, agents)
    assert run.outcome is Outcome.COMPLETE
    assert states(run, "two") == ["completed"]
    assert sum(path.stat().st_size for path in folder.transcripts.iterdir()) < 20_000_000


async def test_a_plan_that_names_an_agent_that_isnt_there_is_asked_for_again(stage: Stage) -> None:
    script = {"tasks": [*tasks("one"), {"id": "two", "agent": "nobody"}], "turns": [ANSWERS]}
    agents = Agents(script)
    folder = await stage.create(agents)
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        _, waiting = await until_waiting(link)
    assert (waiting.kind, waiting.task_id) == (WaitingKind.ANSWER, "@planning")
    assert list(waiting.details["errors"]) == ["task two wants the agent nobody, which doesn't exist"]


async def test_time_stands_still_for_an_attempt_that_waits_for_a_person(stage: Stage) -> None:
    script = {"tasks": tasks("asks", "hangs"), "turns": [turn(ASK, task="asks"), turn(HANG, task="hangs")]}
    agents = Agents(script)
    folder = await stage.create(agents, worker_timeout_ms=1_000, max_retries=0)
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        _, waiting = await until_waiting(link)
        # The other attempt is the clock: the same time is over for it, twice.
        seq = (await until(link, "worker:timeout")).seq
        seq = await link.ask(Retry(task_id="hangs"))
        await until(link, "worker:timeout", after=seq)
        assert states(await recorded(folder), "asks") == ["waiting"]
        await link.ask(Answer(waiting_id=waiting.id, answer="allow", by="Ada"))
        await until(link, lambda e: e.type == "worker:completed" and e.data.task_id == "asks")


# Work that is merged


async def conflicting(stage: Stage) -> tuple[Any, Agents]:
    ask = {"do": "ask", "question": "Now?", "allow": [answer(output_files=["same.txt"])]}
    script = {
        "tasks": tasks("one", "two"),
        "turns": [
            turn(write("same.txt", "{TASK_ID} {ATTEMPT}\n"), ask, phase="workerExecution"),
            turn(
                write("same.txt", "both\n"),
                answer(output_files=["same.txt"]),
                phase="workerExecution",
                attempt=2,
            ),
        ],
    }
    agents = Agents(script)
    return await stage.create(agents, isolation="worktree"), agents


async def test_a_conflict_waits_with_both_sides_kept_and_a_retry_resolves_it(stage: Stage) -> None:
    folder, agents = await conflicting(stage)
    before = stage.project.seen()
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        seq, first = await until_waiting(link)
        seq, second = await until_waiting(link, after=seq)
        # Both have begun on the same state before either is merged.
        await link.ask(Answer(waiting_id=first.id, answer="allow"))
        await link.ask(Answer(waiting_id=second.id, answer="allow"))
        seq, conflict = await until_waiting(link, after=seq)
        assert conflict.kind is WaitingKind.CONFLICT
        assert conflict.details["files"] in (["same.txt"], ("same.txt",))
        loser = conflict.task_id
        assert loser is not None
        winner = "two" if loser == "one" else "one"
        branch = f"bigtask/{folder.id}"
        assert stage.project.git("show", f"{branch}/main:same.txt") == f"{winner} 1"
        attempts = stage.project.lines(
            "for-each-ref", "--format=%(refname:short)", f"refs/heads/{branch}/{loser}"
        )
        assert [stage.project.git("show", f"{each}:same.txt") for each in attempts] == [f"{loser} 1"]
        await link.ask(Answer(waiting_id=conflict.id, answer="retry", by="Ada"))
        await until_end(link, after=seq)
    run = await recorded(folder)
    assert run.outcome is Outcome.COMPLETE
    assert states(run, loser) == ["superseded", "completed"]
    assert stage.project.git("show", f"{branch}/main:same.txt") == "both"
    assert stage.project.seen() == before


async def test_a_command_that_nobody_was_shown_isn_t_run_and_the_ledger_says_so(stage: Stage) -> None:
    canary = stage.place / "canary"
    script = {"tasks": [{"id": "one", "checks": [{"command": ["touch", str(canary)]}]}], "turns": [ANSWERS]}
    agents = Agents(script)
    run = await carried_out(await stage.create(agents, isolation="worktree"), agents)
    assert run.outcome is Outcome.COMPLETE
    assert not canary.exists()
    assert f"check not run, nobody had seen it: touch {canary}" in ledger(run)[0].remarks


async def test_a_red_check_sends_the_task_back(stage: Stage) -> None:
    script = {
        "tasks": [{"id": "one", "checks": [{"command": ["test", "-f", "done.txt"]}]}],
        "turns": [
            turn(write("other.txt", "x\n"), answer(output_files=["other.txt"]), phase="workerExecution"),
            turn(write("done.txt", "x\n"), answer(output_files=["done.txt"]), task="one", attempt=2),
        ],
    }
    agents = Agents(script)
    allowed = (("test", "-f", "done.txt"),)
    folder = await stage.create(agents, isolation="worktree", allowed_commands=allowed)
    run = await carried_out(folder, agents)
    assert states(run, "one") == ["failed", "completed"]
    assert "its check `test -f done.txt` ended with 1" in run.tasks["one"].attempts[0].reason
    assert run.outcome is Outcome.COMPLETE
    merged = stage.project.lines("ls-tree", "--name-only", f"bigtask/{folder.id}/main")
    assert merged == ["a.txt", "done.txt"]


@pytest.mark.parametrize(
    ("said", "begins_with"),
    [("include", "changed"), ("without", "one\ntwo\nthree")],
    ids=["include", "without"],
)
async def test_uncommitted_changes_are_asked_about_first(stage: Stage, said: str, begins_with: str) -> None:
    agents, project = await dirty(stage)
    before = project.seen()
    folder = await stage.create(agents, isolation="worktree")
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        _, waiting = await until_waiting(link)
        assert waiting.kind is WaitingKind.QUESTION
        assert "1 uncommitted change" in waiting.question
        assert states(await recorded(folder), "@analysis") == []
        await link.ask(Answer(waiting_id=waiting.id, answer=said))
        await until_end(link)
    assert (await recorded(folder)).outcome is Outcome.COMPLETE
    assert project.git("show", f"bigtask/{folder.id}/main:a.txt") == begins_with
    assert project.seen() == before


async def test_uncommitted_changes_can_stop_a_run(stage: Stage) -> None:
    agents, project = await dirty(stage)
    folder = await stage.create(agents, isolation="worktree")
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        _, waiting = await until_waiting(link)
        await link.ask(Answer(waiting_id=waiting.id, answer="stop", by="Ada"))
    assert (await recorded(folder)).outcome is Outcome.CANCELLED
    assert project.lines("for-each-ref", "refs/heads/bigtask") == []


async def dirty(stage: Stage) -> tuple[Agents, Project]:
    script = {"tasks": tasks("one")}
    agents = Agents(script)
    await stage.create(agents)
    (stage.project.root / "a.txt").write_text("changed\n")
    return agents, stage.project


async def test_what_the_block_raises_arrives_as_it_is(stage: Stage) -> None:
    agents = Agents({"tasks": tasks("one"), "turns": [turn(HANG, phase="workerExecution")]})
    folder = await stage.create(agents)

    async def merge_early() -> None:
        async with hold(folder, agents, who="a test") as link:
            await link.ask(Start())
            await link.merge()

    with pytest.raises(Conflict, match="merge when it has"):
        await merge_early()
    assert not agents.open
    assert "orchestrator:cancelled" not in await types(folder)
