"""A session over the Chrome DevTools Protocol, in a real Chromium."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from bigtask.agents.desktop.application import Application
from bigtask.agents.desktop.endpoint import endpoint_of, targets
from bigtask.agents.desktop.session import DesktopSession, opened
from bigtask.agents.desktop.surface import CALL
from bigtask.agents.protocol import (
    Opening,
    PermissionAsked,
    Prompt,
    Session,
    SessionEvent,
    SessionLost,
    Text,
    ToolCall,
    TurnEnded,
    UsageReported,
)
from bigtask.core.values import Permissions
from bigtask.errors import AgentUnavailable
from desktop.setting import Setting, setting

pytestmark = [pytest.mark.integration]

LIMIT_S = 90
NAME = "local___orch_1_worker_t1"
PROMPT = Prompt(text="Do it.", phase="workerExecution", variables={"TASK_ID": "t1"}, nonce="n1")
HOSTILE = (
    "quotes ' \" ` and ${process.exit()} $(x) \\ \\n \\u0041 </script> <!-- \u2028 \u2029 \x00 \x1b[31m "
    "\r\n \x7f \ufeff \U0001f600 \u202e e\u0301 '); globalThis.spliced = true; ('"
)


def opening(cwd: Path, name: str = NAME, **fields: Any) -> Opening:
    return Opening(name=name, cwd=cwd, **fields)


def plays(*steps: Mapping[str, Any]) -> dict[str, Any]:
    return {"process": False, "turns": [{"steps": [*steps, {"do": "answer"}]}]}


def asks(question: str = "Run make?", **fields: Any) -> dict[str, Any]:
    yes, no = [{"do": "say", "text": "yes"}], [{"do": "say", "text": "no"}]
    return {"do": "ask", "question": question, "allow": yes, "deny": no, **fields}


WAITS = plays({"do": "say", "text": "hm"}, {"do": "listen"})
"""Goes on when it is sent something."""


async def played(
    session: Session,
    prompt: Prompt = PROMPT,
    on: Callable[[SessionEvent], Awaitable[None]] | None = None,
) -> list[SessionEvent]:
    events = []
    async with asyncio.timeout(LIMIT_S):
        async for event in session.turn(prompt):
            events.append(event)
            if on is not None:
                await on(event)
    return events


def texts(events: list[SessionEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


async def test_a_session_has_our_name_and_is_archived_at_its_end(tmp_path: Path) -> None:
    async with setting(plays({"do": "say", "text": "hm"})) as place:
        async with place.agent().session(opening(tmp_path, model="made-up-model")) as session:
            events = await played(session)
        assert events[0] == Text(text="hm", message=0)
        assert events[-1] == TurnEnded()
        kept = place.behind.sessions[session.id]
        assert (kept.id, kept.title, kept.cwd, kept.archived) == (NAME, NAME, str(tmp_path), True)
        assert kept.options["model"] == "made-up-model"
        assert kept.options["useWorktree"] is False
        assert place.behind.calls == ["start", "archive"]


async def test_an_application_that_gives_ids_of_its_own_is_followed_by_title(tmp_path: Path) -> None:
    async with setting(WAITS, own_ids=True) as place:
        async with place.agent().session(opening(tmp_path)) as session:

            async def go_on(event: SessionEvent) -> None:
                if isinstance(event, Text) and event.text == "hm":
                    await session.send("go")

            assert (await played(session, on=go_on))[-1] == TurnEnded()
            assert (await played(session, on=go_on))[-1] == TurnEnded()
        assert place.behind.calls == ["start", "sendMessage", "sendMessage", "sendMessage", "archive"]


async def test_without_push_it_is_asked_for_news(tmp_path: Path) -> None:
    how = opening(tmp_path, poll_interval_ms=100)
    async with setting(WAITS, pushes=False) as place, place.agent().session(how) as session:
        playing = asyncio.create_task(played(session))
        # At the pace of the heartbeat, which there is beside push, this would take minutes.
        await until(lambda: place.behind.looks >= 40)
        await session.send("go")
        assert (await playing)[-1] == TurnEnded()


async def test_without_rows_that_say_so_a_turn_ends_when_it_has_stopped(tmp_path: Path) -> None:
    async with setting(plays({"do": "say", "text": "hm"}), results=False) as place:
        async with place.agent().session(opening(tmp_path)) as session:
            assert (await played(session))[-1] == TurnEnded()
            assert (await played(session))[-1] == TurnEnded()
        assert place.behind.calls == ["start", "sendMessage", "archive"]


def answering(session: Session, answer: str) -> Callable[[SessionEvent], Awaitable[None]]:
    async def reply(event: SessionEvent) -> None:
        if isinstance(event, PermissionAsked):
            await session.answer(event.request_id, answer)

    return reply


async def test_twenty_sessions_work_at_once_over_one_connection(tmp_path: Path) -> None:
    async with setting(plays(asks())) as place:
        agent = place.agent()

        async def one(number: int) -> list[SessionEvent]:
            async with agent.session(opening(tmp_path, f"{NAME}{number}")) as session:
                return await played(session, on=answering(session, "allow" if number % 2 else "deny"))

        async with asyncio.timeout(LIMIT_S):
            found = await asyncio.gather(*map(one, range(20)))
        assert [texts(events)[:3] for events in found] == ["no<", "yes"] * 10
        assert [kept.archived for kept in place.behind.sessions.values()] == [True] * 20


async def test_turns_that_end_at_once_are_told_by_the_page_and_looked_at_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody looks by himself.
    monkeypatch.setattr("bigtask.agents.desktop.session._HEARTBEAT_S", 2 * LIMIT_S)
    async with setting(WAITS) as place:
        agent = place.agent()
        waiting: set[str] = set()

        async def one(number: int) -> list[SessionEvent]:
            async with agent.session(opening(tmp_path, f"{NAME}{number}")) as session:

                async def hear(event: SessionEvent) -> None:
                    if event == Text(text="hm", message=0):
                        waiting.add(session.id)

                return await played(session, on=hear)

        async with asyncio.TaskGroup() as group:
            playing = [group.create_task(one(number)) for number in range(20)]
            await until(lambda: len(waiting) == 20)
            before = place.behind.lists
            for kept in place.behind.sessions.values():
                assert kept.talk is not None
                await kept.talk.send("go")
        assert all(each.result()[-1] == TurnEnded() for each in playing)
        assert place.behind.lists - before <= 6


async def test_a_session_that_was_left_is_ended_once(tmp_path: Path) -> None:
    async with setting(WAITS) as place:
        agent = place.agent()
        place.behind.understands[NAME] = opening(tmp_path), PROMPT
        info = {"sessionId": NAME, "title": NAME, "cwd": str(tmp_path), "message": PROMPT.text}
        await place.behind._answer("start", [info])
        assert await agent.end_left([f"{NAME}_r1", NAME]) == [NAME]
        kept = place.behind.sessions[NAME]
        assert (kept.running, kept.archived) == (False, True)
        assert await agent.end_left([NAME]) == []
        assert place.behind.calls == ["start", "interrupt", "archive"]


async def test_hostile_strings_arrive_as_they_were_said(tmp_path: Path) -> None:
    async with setting(plays({"do": "say", "text": HOSTILE})) as place:
        agent = place.agent()
        async with agent.session(opening(tmp_path, f"{NAME} {HOSTILE}")) as session:
            prompt = Prompt(text=HOSTILE, phase="workerExecution", variables={"TASK_ID": "t1"}, nonce="n1")
            assert Text(text=HOSTILE, message=0) in await played(session, prompt)
            await played(session, prompt)
        (kept,) = place.behind.sessions.values()
        assert kept.title == f"{NAME} {HOSTILE}"
        assert kept.rows[0]["message"]["content"].endswith(HOSTILE)
        assert place.behind.garbled == []
        assert await evaluated(place, "'spliced' in globalThis") is False


async def test_half_a_character_is_replaced(tmp_path: Path) -> None:
    async with setting(plays()) as place, place.agent().session(opening(tmp_path)) as session:
        prompt = Prompt(text="half \ud83d", phase="workerExecution", variables={"TASK_ID": "t1"}, nonce="n")
        assert (await played(session, prompt))[-1] == TurnEnded()
        assert place.behind.sessions[NAME].rows[0]["message"]["content"].endswith("half ?")


class _Splicing(Application):
    """A mutant: what a function is called with is written into the script."""

    async def ask(self, name: str, *arguments: Any) -> Any:
        spliced = "[" + ", ".join(
            json.dumps(each, ensure_ascii=False).replace("\\\\", "\\") for each in arguments
        )
        return await self._run(CALL.replace("...args", f"...{spliced}]"), name, [])


async def test_a_client_that_splices_arguments_would_be_noticed(tmp_path: Path) -> None:
    async with setting(plays()) as place:
        application = _Splicing(endpoint_of(place.browser.url), patience_s=2)
        await application.require()
        how = opening(tmp_path)
        prompt = Prompt(text=HOSTILE, phase="workerExecution", variables={"TASK_ID": "t1"}, nonce="n1")
        place.behind.understands[NAME] = how, prompt
        noticed = False
        try:
            async with opened(how, application) as session:
                await played(session, prompt)
        except SessionLost:
            noticed = True
        finally:
            await application.close()
        assert noticed or place.behind.garbled


async def evaluated(place: Setting, expression: str) -> Any:
    return (await place.browser.tell("Runtime.evaluate", expression=expression))["result"].get("value")


async def test_a_page_that_is_loaded_anew_is_gone_on_with(tmp_path: Path) -> None:
    async with setting(WAITS) as place, place.agent().session(opening(tmp_path)) as session:

        async def reload(event: SessionEvent) -> None:
            if isinstance(event, Text) and event.text == "hm":
                before = place.behind.opened
                await place.browser.tell("Page.reload")
                await until(lambda: place.behind.opened > before)
                await session.send("go")

        for _ in range(2):
            assert (await played(session, on=reload))[-1] == TurnEnded()
        assert place.behind.calls.count("start") == 1


async def test_a_turn_that_a_restart_broke_off_goes_on_after_it(tmp_path: Path) -> None:
    script = {
        "process": False,
        "can_resume": True,
        "turns": [{"when": {"turn": 1}, "steps": [{"do": "tool", "kind": "bash"}, {"do": "hang"}]}],
    }
    async with setting(script) as place, place.agent().session(opening(tmp_path)) as session:

        async def restart(event: SessionEvent) -> None:
            if isinstance(event, ToolCall) and event.name == "Bash":
                await place.browser.end()
                await place.behind.break_off()
                await place.browser.start()

        events = await played(session, on=restart)
        assert events[-1] == TurnEnded()
        assert [event.name for event in events if isinstance(event, ToolCall)] == ["Bash", "Write"]
        assert place.behind.calls == ["start", "sendMessage"]
        said = place.behind.sessions[NAME].rows[2]["message"]["content"]
        assert "the application was restarted" in said


async def test_what_is_said_while_the_page_is_away_is_said_once_it_is_back(tmp_path: Path) -> None:
    async with setting(WAITS) as place, place.agent().session(opening(tmp_path)) as session:

        async def close(event: SessionEvent) -> None:
            if event == Text(text="hm", message=0):
                await place.browser.end()
                await until(lambda: not place.behind.open)
                saying = asyncio.create_task(session.send("go"))
                await place.browser.start()
                await saying

        assert (await played(session, on=close))[-1] == TurnEnded()
        assert place.behind.calls == ["start", "sendMessage"]


async def test_a_page_that_has_crashed_is_gone_on_with_once_it_is_loaded_again(tmp_path: Path) -> None:
    async with setting(WAITS) as place, place.agent().session(opening(tmp_path)) as session:

        async def crash(event: SessionEvent) -> None:
            if event == Text(text="hm", message=0):
                await place.browser.crash()
                await until(lambda: not place.behind.open)
                await place.browser.tell("Page.reload")
                await until(lambda: place.behind.open)
                await session.send("go")

        assert (await played(session, on=crash))[-1] == TurnEnded()


async def test_a_crash_that_nobody_sees_to_is_told(tmp_path: Path) -> None:
    async with setting(WAITS) as place:
        agent = place.agent(patience_s=1.0)

        async def crash(event: SessionEvent) -> None:
            if event == Text(text="hm", message=0):
                await place.browser.crash()

        async with agent.session(opening(tmp_path)) as session:
            with pytest.raises(SessionLost, match=r"Claude Desktop was away for 1 s.*(crashed|answer)"):
                await played(session, on=crash)
        assert "doesn't answer" in (await asyncio.to_thread(agent.availability)).detail


async def test_a_session_is_started_once_although_the_answer_got_lost(tmp_path: Path) -> None:
    async with (
        setting(plays(), swallows={"start"}) as place,
        place.agent().session(opening(tmp_path)) as session,
    ):
        playing = asyncio.create_task(played(session))
        await until(lambda: place.behind.calls == ["start"])
        await place.browser.tell("Page.reload")
        assert (await playing)[-1] == TurnEnded()
        assert place.behind.calls == ["start"]
        place.behind.swallows.add("sendMessage")
        playing = asyncio.create_task(played(session))
        await until(lambda: place.behind.calls == ["start", "sendMessage"])
        await place.browser.tell("Page.reload")
        assert (await playing)[-1] == TurnEnded()
        assert place.behind.calls == ["start", "sendMessage"]


async def test_a_session_goes_on_without_us_and_is_found_again(tmp_path: Path) -> None:
    tool = {"do": "tool", "kind": "bash", "detail": "make"}
    steps = [{"do": "usage", "input_tokens": 7}, {"do": "say", "text": "hm"}, {"do": "listen"}, tool]
    script = {"process": False, "turns": [{"when": {"turn": 1}, "steps": [tool, *steps, {"do": "answer"}]}]}
    async with setting(script) as place:
        how = opening(tmp_path)
        place.behind.understands[NAME] = how, PROMPT
        # As a process that is killed: nobody interrupts anything.
        application = Application(endpoint_of(place.browser.url))
        await application.require()
        with ExitStack() as stack:
            async with aclosing(DesktopSession(how, application, stack).turn(PROMPT)) as turn:
                async for event in turn:
                    if isinstance(event, Text):
                        break
        await application.close()
        assert place.behind.sessions[NAME].running

        async with place.agent().session(opening(tmp_path, "another", resume=NAME)) as session:
            assert session.id == NAME

            async def go_on(event: SessionEvent) -> None:
                if isinstance(event, UsageReported):
                    assert event.input_tokens == 7
                    await session.send("go")
                    await place.behind.sessions[NAME].talk.send("go")

            events = await played(session, on=go_on)
        # What it had done before is counted already, and what it said belongs to another prompt.
        assert [event.name for event in events if isinstance(event, ToolCall)] == ["Bash", "Write"]
        assert texts(events).count('"phase": "completion"') == 1
        assert events[-1] == TurnEnded()


async def test_leaving_a_session_interrupts_its_turn(tmp_path: Path) -> None:
    async with setting(WAITS) as place:
        async with place.agent().session(opening(tmp_path)) as session:
            turn = session.turn(PROMPT)
            async for event in turn:
                if isinstance(event, Text):
                    break
        await until(lambda: not place.behind.sessions[NAME].running)
        assert place.behind.calls == ["start", "interrupt"]
        assert not place.behind.sessions[NAME].archived


async def test_a_question_with_options_is_asked_as_one(tmp_path: Path) -> None:
    question = asks("Red or blue?", options=["red", "blue"])
    async with setting(plays(question)) as place, place.agent().session(opening(tmp_path)) as session:
        events = await played(session, on=answering(session, "blue"))
        (asked,) = [event for event in events if isinstance(event, PermissionAsked)]
        assert (asked.question, tuple(asked.options)) == ("Red or blue?", ("red", "blue", "none of these"))
        assert asked.tool == ""
        assert texts(events).startswith("no")  # the first of the options is what the script calls yes


@pytest.mark.parametrize(
    ("fields", "asked", "said"),
    [
        ({}, True, "yes"),
        ({"permission_mode": "all"}, False, "yes"),
        ({"permission_mode": "all", "rules": Permissions(deny=("Bash(make*)",))}, True, "yes"),
        ({"permission_mode": "acceptEdits"}, True, "yes"),
        ({"permission_mode": "readOnly"}, False, "no"),
        ({"read_only": True, "permission_mode": "all"}, False, "no"),
    ],
)
async def test_what_may_be_done_unasked(
    tmp_path: Path, fields: dict[str, Any], asked: bool, said: str
) -> None:
    async with setting(plays(asks())) as place:
        async with place.agent().session(opening(tmp_path, **fields)) as session:
            events = await played(session, on=answering(session, "allow"))
        assert any(isinstance(event, PermissionAsked) for event in events) is asked
        assert texts(events).startswith(said)


async def test_what_the_project_brings_is_not_loaded_unapproved(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "CLAUDE.md").write_text("Say hello.")
    async with setting(plays()) as place:
        with pytest.raises(AgentUnavailable, match=r"loads deep/CLAUDE\.md by itself.*bigtask approve"):
            async with place.agent().session(opening(tmp_path)):
                pass
        async with place.agent().session(opening(tmp_path, project_settings=True)) as session:
            assert (await played(session))[-1] == TurnEnded()


async def test_the_browser_takes_us_and_no_web_page(tmp_path: Path) -> None:
    async with setting(plays()) as place:
        (target,) = await asyncio.to_thread(targets, endpoint_of(place.browser.url))
        with pytest.raises(InvalidStatus, match="403"):
            async with connect(target.socket, origin="https://evil.example", proxy=None):
                pass
        async with place.agent().session(opening(tmp_path)) as session:
            assert (await played(session))[-1] == TurnEnded()


@pytest.mark.parametrize(
    ("behind", "said"),
    [
        ({"signed_in": False}, "Claude Desktop isn't signed in: sign in there"),
        (
            {"methods": ("getAll", "start")},
            r"LocalSessions lacks sendMessage, getTranscript, .*archive\. Update",
        ),
        ({"methods": ()}, "LocalSessions lacks getAll"),
    ],
)
async def test_a_page_that_cannot_be_used_says_why(tmp_path: Path, behind: dict[str, Any], said: str) -> None:
    async with setting(plays(), **behind) as place:
        with pytest.raises(AgentUnavailable, match=said):
            async with place.agent().session(opening(tmp_path)):
                pass
        available = await asyncio.to_thread(place.agent().availability)
        assert not available.usable
        assert available.detail


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not holds():  # noqa: ASYNC110 - it is the browser that is waited for
            await asyncio.sleep(0.02)
