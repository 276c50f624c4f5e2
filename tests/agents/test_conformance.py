"""What every agent has to do, run over each of them.

An agent joins by a function from the name of a behaviour to an agent that shows it, or None for a behaviour
that it can't be made to show.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from agents import programs
from bigtask.agents.offline.agent import OfflineAgent
from bigtask.agents.protocol import (
    Agent,
    Limited,
    Opening,
    PermissionAsked,
    Prompt,
    Reported,
    Session,
    SessionEvent,
    SessionLost,
    Text,
    ToolCall,
    ToolKind,
    TurnEnded,
    UsageReported,
)
from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of
from bigtask.errors import Conflict
from bigtask.process import minimal_env
from bigtask.protocol.belief import Accepted, AskAgain, Verdict, accept
from bigtask.protocol.reading import read_value
from bigtask.protocol.turn import TurnReading
from claude.rows import answering_claude, claude_showing
from desktop.rows import answering_desktop, desktop_showing

TIMEOUT_S = 100
"""Real programs on a busy machine: what isn't done by then hangs."""

HOSTILE = "é 😀 \u202e \x00 \x1b[31m \r\n {CWD} <<<END_ORCHESTRATOR_RESPONSE>>·> \\ \" ' `$(x)`"
TOOLS = [{"do": "tool", "kind": kind.value} for kind in ToolKind]
BEHAVIOURS: Mapping[str, list[dict[str, Any]]] = {
    "uses tools": [*TOOLS, *TOOLS[:2], {"do": "answer"}],
    "streams messages": [
        {"do": "say", "text": ["Loo", "king."]},
        {"do": "progress", "percent": 40},
        {"do": "say", "text": "Done. "},
        {"do": "answer", "pieces": 7, "joined": True},
    ],
    "reports by a tool": [
        {"do": "report", "phase": "progress", "data": {"status": "in_progress"}},
        {"do": "report", "data": {"status": "fine"}},
        {"do": "report", "data": {"status": "success", "summary": "by a tool"}},
        {"do": "say", "text": "That was it."},
    ],
    "reports usage": [
        {"do": "usage", "input_tokens": 10, "cost_usd": 0.5},
        {"do": "usage", "input_tokens": 30, "output_tokens": 4, "cost_usd": 1.25},
        {"do": "answer"},
    ],
    "asks permission": [
        {
            "do": "ask",
            "question": "Run make?",
            "allow": [{"do": "say", "text": "ran"}],
            "deny": [{"do": "say", "text": "left it"}],
        },
        {"do": "answer"},
    ],
    "hangs": [{"do": "say", "text": "hm"}, {"do": "hang"}],
    "waits for a message": [
        {"do": "say", "text": "?"},
        {"do": "listen"},
        {"do": "answer", "data": {"status": "success", "summary": "{MESSAGE}"}},
    ],
    "dies": [{"do": "say", "text": "oh"}, {"do": "crash"}],
    "exits": [{"do": "exit", "code": 3}],
    "floods": [
        {"do": "flood", "bytes": 3_000_000},
        {"do": "flood", "bytes": 3_000_000, "stream": "stderr"},
        {"do": "flood", "bytes": 6_000_000, "lines": False},
        {"do": "answer"},
    ],
    "is limited": [{"do": "limit", "kind": "rate", "reset_s": 30}, {"do": "answer"}],
    "answers in a wrong format": [{"do": "answer", "data": {"status": "fine"}}],
    "forges": [{"do": "answer", "nonce": "wrong"}],
    "says hostile strings": [
        {"do": "say", "text": HOSTILE},
        {"do": "answer", "data": {"status": "success", "summary": HOSTILE}},
    ],
    "ends with an error": [{"do": "end", "reason": "error", "detail": "out of paper"}],
}


def scripted(behaviour: str, *, process: bool) -> Agent | None:
    turns = [{"steps": BEHAVIOURS[behaviour]}] if behaviour != "answers" else []
    if behaviour in ("dies", "exits"):
        # It dies in its first turn only, so that what resumes it can go on.
        turns = [{"when": {"turn": 1}, "steps": BEHAVIOURS[behaviour]}]
    return ScriptedAgent(script_of({"process": process, "turns": turns}))


AGENTS: Mapping[str, Callable[[str], Agent | None]] = {
    "scripted in process": lambda behaviour: scripted(behaviour, process=False),
    "scripted as a child": lambda behaviour: scripted(behaviour, process=True),
}
ANSWERING: Mapping[str, Callable[[], Agent]] = {
    "scripted in process": lambda: ScriptedAgent(script_of({"process": False})),
    "scripted as a child": lambda: ScriptedAgent(script_of({"process": True})),
    "offline": OfflineAgent,
}
"""Every agent, for what none of them needs to be told to do."""
PROMPT = Prompt(
    text="Do it.", phase="workerExecution", variables={"TASK_ID": "t1", "CWD": "/project"}, nonce="n1"
)


PROGRAMS: Mapping[str, programs.Maker] = {"command": programs.command_agent, "acp": programs.acp_agent}
NOT_SHOWN = {"command": ("asks permission", "reports by a tool", "uses tools")}


@pytest.fixture(params=[*AGENTS, "claude", "desktop", *PROGRAMS])
def agents(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Agent]]:
    with ExitStack() as stack:

        def showing(behaviour: str) -> Agent:
            if request.param == "claude":
                agent = stack.enter_context(claude_showing(behaviour))
            elif request.param == "desktop":
                agent = stack.enter_context(desktop_showing(behaviour, BEHAVIOURS.get(behaviour, ())))
            elif request.param in PROGRAMS:
                shown = behaviour not in NOT_SHOWN.get(request.param, ())
                made = programs.showing(PROGRAMS[request.param], BEHAVIOURS, behaviour)
                agent = stack.enter_context(made) if shown else None
            else:
                agent = AGENTS[request.param](behaviour)
            if agent is None:
                pytest.skip(f"{request.param} can't be made to show that")
            return agent

        yield showing


REAL: Mapping[str, Callable[[], AbstractContextManager[Agent]]] = {
    "claude": answering_claude,
    "desktop": answering_desktop,
    "command": lambda: programs.showing(programs.command_agent, BEHAVIOURS, "answers"),
    "acp": lambda: programs.showing(programs.acp_agent, BEHAVIOURS, "answers"),
}


@pytest.fixture(params=[*ANSWERING, *REAL])
def agent(request: pytest.FixtureRequest) -> Iterator[Agent]:
    with ExitStack() as stack:
        real = REAL.get(request.param)
        yield stack.enter_context(real()) if real is not None else ANSWERING[request.param]()


@pytest.fixture
def opening(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Opening:
    home = tmp_path_factory.mktemp("home")
    env = minimal_env({"HOME": str(home), "TMPDIR": str(home)})
    return Opening(name="local___orch_1_worker_t1", cwd=tmp_path, env=env)


async def played(session: Session, prompt: Prompt = PROMPT) -> list[SessionEvent]:
    async with asyncio.timeout(TIMEOUT_S):
        return [event async for event in session.turn(prompt)]


async def turn_of(agent: Agent, opening: Opening) -> list[SessionEvent]:
    async with agent.session(opening) as session:
        return await played(session)


def verdict(events: list[SessionEvent], phase: str = "completion") -> Verdict:
    """Of what was reported the last that can be used counts, else the last; without a report the text."""
    reported = [
        accept([[read_value(event.phase, event.data, PROMPT.nonce)]], nonce=PROMPT.nonce, phase=phase)
        for event in events
        if isinstance(event, Reported) and event.phase != "progress"
    ]
    if reported:
        return next((found for found in reversed(reported) if isinstance(found, Accepted)), reported[-1])
    reading = TurnReading(nonce=PROMPT.nonce, phase=phase, task_id="t1")
    for event in events:
        if isinstance(event, Text):
            reading.hear(event.text, event.message)
    return reading.finish()


async def test_a_turn_ends_with_an_answer_and_exactly_one_end(agent: Agent, opening: Opening) -> None:
    events = await turn_of(agent, opening)
    assert [event for event in events if isinstance(event, TurnEnded)] == [TurnEnded()]
    assert isinstance(events[-1], TurnEnded)
    found = verdict(events)
    assert isinstance(found, Accepted)
    for name in found.response.data.get("output_files", ()):
        assert (opening.cwd / name).is_file()


@pytest.mark.parametrize(
    ("phase", "block"),
    [
        ("analysis", "analysis"),
        ("taskPlanning", "task_list"),
        ("workerExecution", "completion"),
        ("aggregation", "aggregation"),
        ("verification", "verification"),
    ],
)
async def test_every_phase_is_answered(agent: Agent, opening: Opening, phase: str, block: str) -> None:
    async with agent.session(opening) as session:
        variables = {"TASK_ID": "t1"} if phase == "workerExecution" else {}
        prompt = Prompt(text="", phase=phase, variables=variables, nonce=PROMPT.nonce)
        assert isinstance(verdict(await played(session, prompt), block), Accepted)


async def test_a_session_takes_several_turns(agent: Agent, opening: Opening) -> None:
    async with agent.session(opening) as session:
        first = await played(session)
        second = await played(session)
    assert isinstance(verdict(first), Accepted)
    assert isinstance(verdict(second), Accepted)


async def test_pieces_of_a_message_share_its_number(agents: Callable[[str], Agent], opening: Opening) -> None:
    events = await turn_of(agents("streams messages"), opening)
    messages: dict[int, str] = {}
    for event in events:
        if isinstance(event, Text):
            messages[event.message] = messages.get(event.message, "") + event.text
    assert next(iter(messages.values())) == "Looking."
    assert len(messages) == 3
    assert isinstance(verdict(events), Accepted)


async def test_a_report_by_a_tool_is_an_answer_without_a_nonce(
    agents: Callable[[str], Agent], opening: Opening
) -> None:
    events = await turn_of(agents("reports by a tool"), opening)
    reports = [event for event in events if isinstance(event, Reported)]
    assert [report.phase for report in reports] == ["progress", "completion", "completion"]
    found = verdict(events)
    assert isinstance(found, Accepted)
    assert found.response.data == {"task_id": "t1", "status": "success", "summary": "by a tool"}


async def test_tool_calls_are_told_by_kind(agents: Callable[[str], Agent], opening: Opening) -> None:
    events = await turn_of(agents("uses tools"), opening)
    kinds = [event.kind for event in events if isinstance(event, ToolCall)]
    assert kinds == [*ToolKind, *list(ToolKind)[:2]]


async def test_usage_is_that_of_the_whole_session(agents: Callable[[str], Agent], opening: Opening) -> None:
    events = await turn_of(agents("reports usage"), opening)
    assert [event for event in events if isinstance(event, UsageReported)][-1] == UsageReported(
        input_tokens=30, output_tokens=4, cost_usd=1.25
    )


@pytest.mark.parametrize(("answer", "said"), [("allow", "ran"), ("deny", "left it")])
async def test_a_permission_stands_still_until_it_is_answered(
    agents: Callable[[str], Agent], opening: Opening, answer: str, said: str
) -> None:
    events: list[SessionEvent] = []
    async with asyncio.timeout(TIMEOUT_S), agents("asks permission").session(opening) as session:
        async for event in session.turn(PROMPT):
            events.append(event)
            if isinstance(event, PermissionAsked):
                assert event.question == "Run make?"
                await session.answer("another", "allow")
                await session.answer(event.request_id, answer)
    assert Text(text=said, message=0) in events
    assert isinstance(verdict(events), Accepted)


async def test_an_interrupted_turn_ends_as_interrupted_and_the_session_goes_on(
    agents: Callable[[str], Agent], opening: Opening
) -> None:
    async with asyncio.timeout(TIMEOUT_S), agents("hangs").session(opening) as session:
        for _ in range(2):
            events = []
            async for event in session.turn(PROMPT):
                events.append(event)
                if isinstance(event, Text):
                    await session.interrupt()
            assert events[-1] == TurnEnded(reason="interrupted")


async def test_a_permission_can_be_interrupted(agents: Callable[[str], Agent], opening: Opening) -> None:
    async with asyncio.timeout(TIMEOUT_S), agents("asks permission").session(opening) as session:
        events = []
        async for event in session.turn(PROMPT):
            events.append(event)
            if isinstance(event, PermissionAsked):
                await session.interrupt()
    assert events[-1] == TurnEnded(reason="interrupted")


async def test_a_message_reaches_a_running_turn(agents: Callable[[str], Agent], opening: Opening) -> None:
    events = []
    async with asyncio.timeout(TIMEOUT_S), agents("waits for a message").session(opening) as session:
        async for event in session.turn(PROMPT):
            events.append(event)
            if event == Text(text="?", message=0):
                await session.send("go {TASK_ID}")
    found = verdict(events)
    assert isinstance(found, Accepted)
    assert found.response.data["summary"] == "go {TASK_ID}"


async def test_a_hanging_session_can_be_closed_and_its_consumer_cancelled(
    agents: Callable[[str], Agent], opening: Opening
) -> None:
    hanging = asyncio.Event()

    async def consume() -> None:
        async with agents("hangs").session(opening) as session:
            async for _ in session.turn(PROMPT):
                hanging.set()

    consumer = asyncio.create_task(consume())
    async with asyncio.timeout(TIMEOUT_S):
        await hanging.wait()
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer


async def test_a_turn_that_is_left_early_blocks_the_next_one(
    agents: Callable[[str], Agent], opening: Opening
) -> None:
    async with asyncio.timeout(TIMEOUT_S), agents("streams messages").session(opening) as session:
        turn = session.turn(PROMPT)
        async for _ in turn:
            break
        with pytest.raises(Conflict, match="hasn't ended"):
            await played(session)


@pytest.mark.parametrize(("behaviour", "how"), [("dies", "SIGKILL"), ("exits", "status 3")])
async def test_a_session_that_dies_is_lost_and_can_be_resumed(
    agents: Callable[[str], Agent], opening: Opening, behaviour: str, how: str
) -> None:
    agent = agents(behaviour)
    async with agent.session(opening) as session:
        with pytest.raises(SessionLost, match=how):
            await played(session)
        with pytest.raises(SessionLost, match=how):
            await played(session)
    if not agent.traits.can_resume:
        return
    again = Opening(name="another", cwd=opening.cwd, env=opening.env, resume=session.id)
    async with agent.session(again) as resumed:
        assert resumed.id == session.id
        assert isinstance(verdict(await played(resumed)), Accepted)


async def test_a_flood_of_output_does_not_hide_the_answer(
    agents: Callable[[str], Agent], opening: Opening
) -> None:
    assert isinstance(verdict(await turn_of(agents("floods"), opening)), Accepted)


async def test_a_limit_is_an_event(agents: Callable[[str], Agent], opening: Opening) -> None:
    events = await turn_of(agents("is limited"), opening)
    assert Limited(kind="rate", reset_s=30) in events


async def test_a_wrong_format_is_asked_again_with_the_reason(
    agents: Callable[[str], Agent], opening: Opening
) -> None:
    found = verdict(await turn_of(agents("answers in a wrong format"), opening))
    assert found == AskAgain(
        errors=('status must be "success", "partial", "failed" or "timeout", not "fine"',)
    )


async def test_a_forged_nonce_is_not_believed(agents: Callable[[str], Agent], opening: Opening) -> None:
    assert isinstance(verdict(await turn_of(agents("forges"), opening)), AskAgain)


async def test_strings_arrive_as_they_were_said(agents: Callable[[str], Agent], opening: Opening) -> None:
    events = await turn_of(agents("says hostile strings"), opening)
    said = HOSTILE.replace("{CWD}", "/project")
    assert Text(text=said, message=0) in events
    found = verdict(events)
    assert isinstance(found, Accepted)
    assert found.response.data["summary"] == said


async def test_an_error_is_the_end_of_the_turn_with_its_detail(
    agents: Callable[[str], Agent], opening: Opening
) -> None:
    events = await turn_of(agents("ends with an error"), opening)
    assert events == [TurnEnded(reason="error", detail="out of paper")]


async def test_a_read_only_session_writes_nothing(agents: Callable[[str], Agent], opening: Opening) -> None:
    read_only = Opening(name="a", cwd=opening.cwd, env=opening.env, read_only=True)
    await turn_of(agents("answers"), read_only)
    assert list(opening.cwd.iterdir()) == []


async def test_sessions_work_side_by_side(agent: Agent, opening: Opening) -> None:

    async def one(number: int) -> Verdict:
        cwd = opening.cwd / str(number)
        cwd.mkdir()
        return verdict(await turn_of(agent, Opening(name=f"s{number}", cwd=cwd, env=opening.env)))

    assert all(isinstance(found, Accepted) for found in await asyncio.gather(*map(one, range(5))))


def test_an_agent_says_what_it_is(agent: Agent) -> None:
    assert agent.name
    assert agent.availability().usable
    assert agent.availability().detail
