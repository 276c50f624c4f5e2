"""What every agent has to do, as tests that pytest runs over yours."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Collection, Coroutine, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, ClassVar, ParamSpec

import pytest

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
from bigtask.errors import Conflict
from bigtask.process import minimal_env
from bigtask.protocol.belief import Accepted, AskAgain, Verdict, accept
from bigtask.protocol.reading import read_value
from bigtask.protocol.turn import TurnReading
from bigtask.testing.behaviours import ANSWERS, HOSTILE, IN_WORDS

P = ParamSpec("P")
TIMEOUT_S = 100
"""Real programs on a busy machine: what isn't done by then hangs."""
PROMPT = Prompt(
    text="Do it.", phase="workerExecution", variables={"TASK_ID": "t1", "CWD": "/project"}, nonce="n1"
)


def in_one_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """The test with an event loop of its own, so that no plugin of pytest is needed."""

    @functools.wraps(test)
    def carried_out(*given: P.args, **named: P.kwargs) -> None:
        asyncio.run(test(*given, **named))

    return carried_out


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


class AgentConformance:
    """Derive from it, name the class `Test…`, and say in `showing` how your agent is made to show a
    behaviour of `bigtask.testing.IN_WORDS`."""

    cannot: ClassVar[Collection[str]] = ()
    """What it can't be made to show: these are skipped, and stand so in the table."""

    def showing(self, behaviour: str) -> AbstractContextManager[Agent]:
        """An agent whose sessions do that, while the block lasts. Where it needs a folder of its own, the
        block makes and removes it."""
        raise NotImplementedError

    @pytest.fixture
    def agents(self) -> Iterator[Callable[[str], Agent]]:
        unknown = set(self.cannot) - IN_WORDS.keys()
        assert not unknown, f"`cannot` has what the suite doesn't ask for: {', '.join(sorted(unknown))}"
        assert ANSWERS not in self.cannot, "an agent that can't answer can do no work"
        with ExitStack() as stack:

            def shown(behaviour: str) -> Agent:
                if behaviour in self.cannot:
                    pytest.skip(f"it can't be made to show that: {IN_WORDS[behaviour]}")
                return stack.enter_context(self.showing(behaviour))

            yield shown

    @pytest.fixture
    def agent(self, agents: Callable[[str], Agent]) -> Agent:
        return agents(ANSWERS)

    @pytest.fixture
    def opening(self, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Opening:
        home = tmp_path_factory.mktemp("home")
        env = minimal_env({"HOME": str(home), "TMPDIR": str(home)})
        return Opening(name="local___orch_1_worker_t1", cwd=tmp_path, env=env)

    @in_one_loop
    async def test_a_turn_ends_with_an_answer_and_exactly_one_end(
        self, agent: Agent, opening: Opening
    ) -> None:
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
    @in_one_loop
    async def test_every_phase_is_answered(
        self, agent: Agent, opening: Opening, phase: str, block: str
    ) -> None:
        async with agent.session(opening) as session:
            variables = {"TASK_ID": "t1"} if phase == "workerExecution" else {}
            prompt = Prompt(text="", phase=phase, variables=variables, nonce=PROMPT.nonce)
            assert isinstance(verdict(await played(session, prompt), block), Accepted)

    @in_one_loop
    async def test_a_session_takes_several_turns(self, agent: Agent, opening: Opening) -> None:
        async with agent.session(opening) as session:
            first = await played(session)
            second = await played(session)
        assert isinstance(verdict(first), Accepted)
        assert isinstance(verdict(second), Accepted)

    @in_one_loop
    async def test_pieces_of_a_message_share_its_number(
        self, agents: Callable[[str], Agent], opening: Opening
    ) -> None:
        events = await turn_of(agents("streams messages"), opening)
        messages: dict[int, str] = {}
        for event in events:
            if isinstance(event, Text):
                messages[event.message] = messages.get(event.message, "") + event.text
        assert next(iter(messages.values())) == "Looking."
        assert len(messages) == 3
        assert isinstance(verdict(events), Accepted)

    @in_one_loop
    async def test_a_report_by_a_tool_is_an_answer_without_a_nonce(
        self, agents: Callable[[str], Agent], opening: Opening
    ) -> None:
        events = await turn_of(agents("reports by a tool"), opening)
        reports = [event for event in events if isinstance(event, Reported)]
        assert [report.phase for report in reports] == ["progress", "completion", "completion"]
        found = verdict(events)
        assert isinstance(found, Accepted)
        assert found.response.data == {"task_id": "t1", "status": "success", "summary": "by a tool"}

    @in_one_loop
    async def test_tool_calls_are_told_by_kind(
        self, agents: Callable[[str], Agent], opening: Opening
    ) -> None:
        events = await turn_of(agents("uses tools"), opening)
        kinds = [event.kind for event in events if isinstance(event, ToolCall)]
        assert kinds == [*ToolKind, *list(ToolKind)[:2]]

    @in_one_loop
    async def test_usage_is_that_of_the_whole_session(
        self, agents: Callable[[str], Agent], opening: Opening
    ) -> None:
        events = await turn_of(agents("reports usage"), opening)
        assert [event for event in events if isinstance(event, UsageReported)][-1] == UsageReported(
            input_tokens=30, output_tokens=4, cost_usd=1.25
        )

    @pytest.mark.parametrize(("answer", "said"), [("allow", "ran"), ("deny", "left it")])
    @in_one_loop
    async def test_a_permission_stands_still_until_it_is_answered(
        self, agents: Callable[[str], Agent], opening: Opening, answer: str, said: str
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

    @in_one_loop
    async def test_an_interrupted_turn_ends_as_interrupted_and_the_session_goes_on(
        self, agents: Callable[[str], Agent], opening: Opening
    ) -> None:
        async with asyncio.timeout(TIMEOUT_S), agents("hangs").session(opening) as session:
            for _ in range(2):
                events = []
                async for event in session.turn(PROMPT):
                    events.append(event)
                    if isinstance(event, Text):
                        await session.interrupt()
                assert events[-1] == TurnEnded(reason="interrupted")

    @in_one_loop
    async def test_a_permission_can_be_interrupted(
        self, agents: Callable[[str], Agent], opening: Opening
    ) -> None:
        async with asyncio.timeout(TIMEOUT_S), agents("asks permission").session(opening) as session:
            events = []
            async for event in session.turn(PROMPT):
                events.append(event)
                if isinstance(event, PermissionAsked):
                    await session.interrupt()
        assert events[-1] == TurnEnded(reason="interrupted")

    @in_one_loop
    async def test_a_message_reaches_a_running_turn(
        self, agents: Callable[[str], Agent], opening: Opening
    ) -> None:
        events = []
        async with asyncio.timeout(TIMEOUT_S), agents("waits for a message").session(opening) as session:
            async for event in session.turn(PROMPT):
                events.append(event)
                if event == Text(text="?", message=0):
                    await session.send("go {TASK_ID}")
        found = verdict(events)
        assert isinstance(found, Accepted)
        assert found.response.data["summary"] == "go {TASK_ID}"

    @in_one_loop
    async def test_a_hanging_session_can_be_closed_and_its_consumer_cancelled(
        self, agents: Callable[[str], Agent], opening: Opening
    ) -> None:
        hanging, agent = asyncio.Event(), agents("hangs")

        async def consume() -> None:
            async with agent.session(opening) as session:
                async for _ in session.turn(PROMPT):
                    hanging.set()

        consumer = asyncio.create_task(consume())
        async with asyncio.timeout(TIMEOUT_S):
            await hanging.wait()
            consumer.cancel()
            with pytest.raises(asyncio.CancelledError):
                await consumer

    @in_one_loop
    async def test_a_turn_that_is_left_early_blocks_the_next_one(
        self, agents: Callable[[str], Agent], opening: Opening
    ) -> None:
        async with asyncio.timeout(TIMEOUT_S), agents("streams messages").session(opening) as session:
            turn = session.turn(PROMPT)
            async for _ in turn:
                break
            with pytest.raises(Conflict, match="hasn't ended"):
                await played(session)

    @pytest.mark.parametrize(("behaviour", "how"), [("dies", "SIGKILL"), ("exits", "status 3")])
    @in_one_loop
    async def test_a_session_that_dies_is_lost_and_can_be_resumed(
        self, agents: Callable[[str], Agent], opening: Opening, behaviour: str, how: str
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

    @in_one_loop
    async def test_a_flood_of_output_does_not_hide_the_answer(
        self, agents: Callable[[str], Agent], opening: Opening
    ) -> None:
        assert isinstance(verdict(await turn_of(agents("floods"), opening)), Accepted)

    @in_one_loop
    async def test_a_limit_is_an_event(self, agents: Callable[[str], Agent], opening: Opening) -> None:
        events = await turn_of(agents("is limited"), opening)
        assert Limited(kind="rate", reset_s=30) in events

    @in_one_loop
    async def test_a_wrong_format_is_asked_again_with_the_reason(
        self, agents: Callable[[str], Agent], opening: Opening
    ) -> None:
        found = verdict(await turn_of(agents("answers in a wrong format"), opening))
        assert found == AskAgain(
            errors=('status must be "success", "partial", "failed" or "timeout", not "fine"',)
        )

    @in_one_loop
    async def test_a_forged_nonce_is_not_believed(
        self, agents: Callable[[str], Agent], opening: Opening
    ) -> None:
        assert isinstance(verdict(await turn_of(agents("forges"), opening)), AskAgain)

    @in_one_loop
    async def test_strings_arrive_as_they_were_said(
        self, agents: Callable[[str], Agent], opening: Opening
    ) -> None:
        events = await turn_of(agents("says hostile strings"), opening)
        said = HOSTILE.replace("{CWD}", "/project")
        assert Text(text=said, message=0) in events
        found = verdict(events)
        assert isinstance(found, Accepted)
        assert found.response.data["summary"] == said

    @in_one_loop
    async def test_an_error_is_the_end_of_the_turn_with_its_detail(
        self, agents: Callable[[str], Agent], opening: Opening
    ) -> None:
        events = await turn_of(agents("ends with an error"), opening)
        assert events == [TurnEnded(reason="error", detail="out of paper")]

    @in_one_loop
    async def test_a_read_only_session_writes_nothing(
        self, agents: Callable[[str], Agent], opening: Opening
    ) -> None:
        read_only = Opening(name="a", cwd=opening.cwd, env=opening.env, read_only=True)
        await turn_of(agents(ANSWERS), read_only)
        assert list(opening.cwd.iterdir()) == []

    @in_one_loop
    async def test_sessions_work_side_by_side(self, agent: Agent, opening: Opening) -> None:

        async def one(number: int) -> Verdict:
            cwd = opening.cwd / str(number)
            cwd.mkdir()
            return verdict(await turn_of(agent, Opening(name=f"s{number}", cwd=cwd, env=opening.env)))

        assert all(isinstance(found, Accepted) for found in await asyncio.gather(*map(one, range(5))))

    def test_an_agent_says_what_it_is(self, agent: Agent) -> None:
        assert agent.name
        assert agent.availability().usable
        assert agent.availability().detail
