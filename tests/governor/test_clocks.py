"""The clocks of a session in whole runs: its time is up, it has stalled, or it only waits."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bigtask.core.commands import Answer, Retry, Start
from bigtask.core.run import Run
from bigtask.errors import HolderGone
from bigtask.host import access
from bigtask.host.access import hold
from bigtask.host.home import RunFolder
from bigtask.host.transcript_folder import TranscriptFolder
from host.stage import (
    ANSWERS,
    Agents,
    Stage,
    answer,
    carried_out,
    recorded,
    states,
    tasks,
    turn,
    types,
    until,
    until_waiting,
    write,
)

pytestmark = pytest.mark.integration

HANG = {"do": "hang"}
DEAF = {"do": "hang", "deaf": True}
UP = "Your time is up"
QUIET = "nothing was heard of you"
WINDOW_MS = 1_000


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def carried(
    stage: Stage, *turns: Mapping[str, Any], script: Mapping[str, Any] | None = None, **options: Any
) -> tuple[Run, RunFolder]:
    """Of one task, `one`, whose sessions play `turns`."""
    agents = Agents({"tasks": tasks("one"), "turns": [ANSWERS, *turns], **(script or {})})
    folder = await stage.create(agents, **{"max_retries": 0, **options})
    return await carried_out(folder, agents), folder


def prompts(folder: RunFolder, number: int = 1) -> str:
    """What was said in the attempt, wherever that is kept: a quick one has no file of its own."""
    return TranscriptFolder(folder.transcripts).read("one", number).decode()


# Its time is up


async def test_when_its_time_is_up_the_same_session_reports_what_is_done(stage: Stage) -> None:
    run, folder = await carried(
        stage,
        turn(HANG, task="one", turn=1),
        turn(answer(summary="Half."), task="one", turn=2),
        worker_timeout_ms=1_000,
    )
    assert states(run, "one") == ["completed"]
    assert run.tasks["one"].attempts[0].time_up
    assert (await types(folder, "worker:timeUp")) == ["worker:timeUp"]
    assert UP in prompts(folder)


async def test_what_was_done_until_then_is_kept(stage: Stage) -> None:
    run, _ = await carried(
        stage,
        turn(write("kept.txt", "half"), HANG, task="one", turn=1),
        turn(answer(status="partial", summary="Half.", output_files=["kept.txt"]), task="one", turn=2),
        worker_timeout_ms=1_000,
        isolation="worktree",
        phases={"workerExecution": {"acceptPartial": True}},
    )
    (attempt,) = run.tasks["one"].attempts
    assert attempt.state == "partial"
    assert attempt.evidence is not None
    assert attempt.evidence.files == ("kept.txt",)


async def test_a_session_is_given_more_time_once(stage: Stage) -> None:
    run, folder = await carried(stage, turn(HANG, task="one"), worker_timeout_ms=500)
    assert states(run, "one") == ["timeout"]
    assert "no report in the 0.25 s that it got for one" in run.tasks["one"].attempts[0].reason
    assert (await types(folder, "worker:timeUp")) == ["worker:timeUp"]


async def test_one_that_cannot_be_interrupted_is_ended_and_goes_on_in_its_session(stage: Stage) -> None:
    run, folder = await carried(
        stage,
        turn({"do": "usage", "input_tokens": 5, "cost_usd": 1.0}, HANG, task="one", turn=1),
        turn(answer(), task="one", turn=2),
        script={"can_interrupt": False, "costs_money": True},
        worker_timeout_ms=500,
        max_budget_usd=10.0,
    )
    assert states(run, "one") == ["completed"]
    opened = [event.data.task_id for event in await access.read(folder) if event.type == "worker:started"]
    assert opened.count("one") == 2
    assert UP in prompts(folder)
    assert run.used.cost_usd == 1.0


async def test_one_that_can_do_neither_ends(stage: Stage) -> None:
    run, folder = await carried(
        stage,
        turn(HANG, task="one", turn=1),
        turn(answer(), task="one", turn=2),
        script={"can_interrupt": False, "can_resume": False},
        worker_timeout_ms=500,
    )
    assert states(run, "one") == ["timeout"]
    assert (await types(folder, "worker:timeUp")) == []


async def test_a_deaf_one_that_cannot_be_resumed_ends(stage: Stage) -> None:
    script = {"process": True, "can_resume": False}
    run, _ = await carried(stage, turn(DEAF, task="one"), script=script, worker_timeout_ms=500)
    assert states(run, "one") == ["timeout"]
    assert "doesn't react to an interruption" in run.tasks["one"].attempts[0].reason


async def test_after_a_crash_it_is_still_only_to_report(stage: Stage) -> None:
    ask = {"do": "ask", "question": "May I?"}
    turns = [ANSWERS, turn(HANG, task="one", turn=1), turn(ask, task="one", turn=2)]
    agents = Agents({"tasks": tasks("one"), "turns": turns})
    folder = await stage.create(agents, worker_timeout_ms=1_000, max_retries=0)
    with suppress(HolderGone):
        async with hold(folder, agents, who="a test") as link:
            await link.ask(Start())
            await until_waiting(link)
    assert prompts(folder).count(UP) == 1
    run = await carried_out_again(folder, agents)
    assert states(run, "one") == ["completed"]
    assert prompts(folder).count(UP) == 2
    assert (await types(folder, "worker:timeUp")) == ["worker:timeUp"]


async def carried_out_again(folder: RunFolder, agents: Agents) -> Run:
    async with hold(folder, agents, who="a test") as link:
        await until(link, lambda event: event.type == "orchestrator:completed")
    return await recorded(folder)


# It has stalled


@pytest.mark.parametrize("process", [False, True], ids=["in this process", "in one of its own"])
async def test_a_silent_session_is_nudged_and_goes_on(stage: Stage, process: bool) -> None:
    run, folder = await carried(
        stage,
        turn(HANG, task="one", turn=1),
        turn(answer(), task="one", turn=2),
        script={"process": process},
        stall_after_ms=WINDOW_MS,
    )
    assert states(run, "one") == ["completed"]
    clocks = [type for type in await types(folder, "worker:") if type in ("worker:stalled", "worker:wentOn")]
    assert clocks == ["worker:stalled", "worker:wentOn"]
    assert QUIET in prompts(folder)


async def test_one_that_stays_silent_ends_and_is_tried_again_knowing_why(stage: Stage) -> None:
    run, folder = await carried(
        stage,
        turn(HANG, task="one", attempt=1),
        turn({"do": "progress", "action": "reading"}, HANG, task="one", attempt=1, turn=1),
        script={"process": True},
        stall_after_ms=WINDOW_MS,
        max_retries=1,
    )
    assert states(run, "one") == ["timeout", "completed"]
    assert "stalled: for 1 s nothing was heard" in run.tasks["one"].attempts[0].reason
    told = prompts(folder, 2)
    assert "stalled: for 1 s nothing was heard" in told
    assert "It had got to: reading." in told
    assert (await types(folder, "worker:stalled")) == ["worker:stalled"] * 2


async def test_one_that_stalls_again_and_again_is_nudged_three_times(stage: Stage) -> None:
    run, folder = await carried(
        stage, turn({"do": "say", "text": "Well."}, HANG, task="one"), stall_after_ms=WINDOW_MS
    )
    assert states(run, "one") == ["timeout"]
    assert (await types(folder, "worker:stalled")) == ["worker:stalled"] * 4


async def test_one_that_is_stopped_like_a_machine_ends(stage: Stage) -> None:
    run, _ = await carried(stage, turn(DEAF, task="one"), script={"process": True}, stall_after_ms=WINDOW_MS)
    assert states(run, "one") == ["timeout"]
    assert "doesn't react to an interruption" in run.tasks["one"].attempts[0].reason


async def test_one_that_cannot_be_interrupted_is_told_in_its_turn(stage: Stage) -> None:
    run, _ = await carried(
        stage,
        turn({"do": "listen"}, answer(summary="{MESSAGE}"), task="one"),
        script={"can_interrupt": False},
        stall_after_ms=WINDOW_MS,
    )
    assert states(run, "one") == ["completed"]
    report = run.tasks["one"].attempts[0].report
    assert report is not None
    assert QUIET in report.summary


async def test_one_that_works_without_a_word_has_not_stalled(stage: Stage) -> None:
    run, folder = await carried(
        stage,
        turn({"do": "busy", "seconds": 11}, answer(), task="one"),
        script={"process": True},
        # Long enough that a busy machine leaves it a twentieth of a core.
        stall_after_ms=5_000,
    )
    assert states(run, "one") == ["completed"]
    assert (await types(folder, "worker:stalled")) == []


LIMITED = {"do": "limit", "kind": "rate", "reset_s": 3600}


@pytest.mark.parametrize(
    ("clock", "told"),
    [({"stall_after_ms": WINDOW_MS}, "worker:stalled"), ({"worker_timeout_ms": WINDOW_MS}, "worker:timeUp")],
    ids=["silence", "time"],
)
@pytest.mark.parametrize(
    ("waits", "state"),
    [
        ([{"do": "ask", "question": "May I?", "allow": [answer()], "deny": [answer()]}], "waiting"),
        ([LIMITED, HANG], "limited"),
        ([LIMITED, {"do": "end", "reason": "limited"}], "limited"),
    ],
    ids=["for a person", "in its turn", "between turns"],
)
async def test_while_one_waits_its_clocks_stand_still(
    stage: Stage, waits: list[dict[str, Any]], state: str, clock: dict[str, int], told: str
) -> None:
    turns = [ANSWERS, turn(*waits, task="waits"), turn(HANG, task="hangs")]
    agents = Agents({"tasks": tasks("waits", "hangs"), "turns": turns})
    folder = await stage.create(agents, **clock, max_retries=0)
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        # The other attempt shows that time has passed: its own is over twice.
        seq = (await until(link, "worker:timeout")).seq
        seq = await link.ask(Retry(task_id="hangs"))
        await until(link, "worker:timeout", after=seq)
        run = await recorded(folder)
    assert states(run, "waits") == [state]
    assert {event.data.task_id for event in await access.read(folder) if event.type == told} == {"hangs"}


async def test_the_time_of_one_that_was_answered_goes_on_when_all_its_questions_were(stage: Stage) -> None:
    ask = {"do": "ask", "question": "May I?", "allow": [HANG], "deny": [HANG]}
    turns = [ANSWERS, turn(ask, task="one")]
    agents = Agents({"tasks": tasks("one"), "turns": turns})
    folder = await stage.create(agents, stall_after_ms=WINDOW_MS, max_retries=0)
    async with hold(folder, agents, who="a test") as link:
        await link.ask(Start())
        _, waiting = await until_waiting(link)
        await link.ask(Answer(waiting_id=waiting.id, answer="allow", by="Ada"))
        await until(link, "worker:stalled")
