"""Sessions of the real Claude Code with the stub as its model: what it does, asks, reports and costs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bigtask.agents.protocol import (
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
from claude.rows import BYE, answers, cli_of, done, progress
from claude.setting import KEY, PROMPT, Setting, needs_claude, of, setting, turn_of
from claude.stub import Call, Reply, Request, Script, Stub, in_order

pytestmark = pytest.mark.integration
ANALYSIS = Prompt(text="Look around.", phase="analysis", variables={}, nonce="n1")
PRICES = {"input": 4e-6, "output": 20e-6}
"""Of the model that Claude Code takes by itself, as it says at the end of a turn."""


@pytest.fixture(autouse=True)
def _with_claude() -> None:
    needs_claude()


def charged(stub: Stub) -> UsageReported:
    tokens = stub.tokens
    return UsageReported(
        input_tokens=tokens["input"],
        output_tokens=tokens["output"],
        cost_usd=pytest.approx(sum(PRICES[kind] * count for kind, count in tokens.items())),
    )


def bash(command: str) -> Reply:
    return Reply(blocks=[Call(name="Bash", input={"command": command})])


async def test_files_of_a_worktree_are_edited_by_its_own_tools() -> None:
    with setting(answers) as place:
        main = place.folder / "main"
        git(place, "init", "--quiet", str(main))
        (main / "a.txt").write_text("one\ntwo\n")
        git(place, "-C", str(main), "add", "a.txt")
        git(place, "-C", str(main), *IDENTITY, "commit", "--quiet", "--message", "First")
        place.cwd.rmdir()
        git(place, "-C", str(main), "worktree", "add", "--quiet", str(place.cwd))
        path, new = str(place.cwd / "a.txt"), str(place.cwd / "é 😀.txt")
        edit = {"file_path": path, "old_string": "two", "new_string": "three"}
        place.stub.script = in_order(
            Reply(blocks=[Call(name="Read", input={"file_path": path})]),
            Reply(blocks=[Call(name="Edit", input=edit)]),
            Reply(blocks=[Call(name="Write", input={"file_path": new, "content": "new\n"})]),
            Reply(blocks=[Call(name="Grep", input={"pattern": "three"})]),
            Reply(blocks=[done(output_files=["a.txt"])]),
            BYE,
        )
        events = await turn_of(place.agent(), place.opening())
        assert (place.cwd / "a.txt").read_text() == "one\nthree\n"
        assert Path(new).read_text() == "new\n"
        assert (main / "a.txt").read_text() == "one\ntwo\n"
        assert of(ToolCall, events) == [
            ToolCall(kind=ToolKind.READ, name="Read", path="a.txt"),
            ToolCall(kind=ToolKind.EDIT, name="Edit", path="a.txt"),
            ToolCall(kind=ToolKind.WRITE, name="Write", path="é 😀.txt"),
            ToolCall(kind=ToolKind.SEARCH, name="Grep", detail="three"),
        ]
        assert of(UsageReported, events)[-1] == charged(place.stub)
        assert events[-1] == TurnEnded()


async def test_what_lies_outside_the_folder_stays_as_it_is_without_a_permission() -> None:
    with setting(answers) as place:
        outside = place.folder / "outside.txt"
        write = Call(name="Write", input={"file_path": str(outside), "content": "x"})
        place.stub.script = in_order(Reply(blocks=[write]), Reply(blocks=[done()]), BYE)
        events = await denying(place)
        assert of(PermissionAsked, events)[0].question == f"Write {outside}?"
        assert not outside.exists()
        assert "The person said no." in place.stub.requests[1].results[0]


async def denying(place: Setting) -> list[SessionEvent]:
    events = []
    async with place.agent().session(place.opening()) as session:
        async for event in session.turn(PROMPT):
            events.append(event)
            if isinstance(event, PermissionAsked):
                await session.answer(event.request_id, "deny")
    return events


async def test_whoever_may_do_all_is_asked_nothing() -> None:
    with setting(in_order(bash("echo hello > made"), Reply(blocks=[done()]), BYE)) as place:
        events = await turn_of(place.agent(), place.opening(permission_mode="all"))
        assert of(PermissionAsked, events) == []
        assert (place.cwd / "made").read_text() == "hello\n"


async def test_looking_changes_nothing_whatever_the_model_wants() -> None:
    with setting(answers) as place:
        answer = Call(name="StructuredOutput", input={"summary": "s", "recommended_splits": 1})
        write = Call(name="Write", input={"file_path": str(place.cwd / "a"), "content": "x"})
        place.stub.script = in_order(Reply(blocks=[write]), bash("touch b"), Reply(blocks=[answer]))
        events = await turn_of(place.agent(), place.opening(read_only=True), ANALYSIS)
        assert list(place.cwd.iterdir()) == []
        assert of(PermissionAsked, events) == []
        assert not {"Write", "Edit", "Bash"} & set(place.stub.requests[0].tools)
        assert of(Reported, events) == [
            Reported(phase="analysis", data={"summary": "s", "recommended_splits": 1})
        ]


async def test_a_wrong_answer_by_schema_is_corrected_in_the_same_turn() -> None:
    wrong, right = {"summary": "s"}, {"summary": "s", "recommended_splits": 3}
    replies = [Reply(blocks=[Call(name="StructuredOutput", input=data)]) for data in (wrong, right)]
    with setting(in_order(*replies)) as place:
        events = await turn_of(place.agent(), place.opening(read_only=True), ANALYSIS)
        assert [report.data for report in of(Reported, events)] == [wrong, right]
        assert events[-1] == TurnEnded()


async def test_a_person_is_asked_and_their_answer_reaches_claude() -> None:
    question = {"question": "Which name?", "options": ["left", "right"]}
    ask = Call(name="mcp__bigtask__ask_person", input=question)
    with setting(in_order(Reply(blocks=[ask]), Reply(blocks=[done()]), BYE)) as place:
        events = []
        async with place.agent().session(place.opening()) as session:
            async for event in session.turn(PROMPT):
                events.append(event)
                if isinstance(event, PermissionAsked):
                    assert (event.question, tuple(event.options)) == (
                        "Which name?",
                        ("left", "right", "none of these"),
                    )
                    await session.answer(event.request_id, "right")
        assert place.stub.requests[1].results == ("right",)
        assert of(ToolCall, events) == []


async def test_a_turn_of_work_without_a_report_is_sent_back_twice() -> None:
    with setting(in_order(Reply(blocks=["I think that is all."]))) as place:
        events = await turn_of(place.agent(), place.opening())
        assert len(place.stub.requests) == 3
        assert "report_completion" in place.stub.requests[-1].texts[-1]
        assert events[-1] == TurnEnded()


async def test_an_answer_in_text_is_an_answer() -> None:
    with setting(in_order(Reply(blocks=['{"nonce": "n1"}']))) as place:
        events = await turn_of(place.agent(), place.opening())
        assert len(place.stub.requests) == 1
        assert Text(text='{"nonce": "n1"}', message=0) in events


async def test_only_what_it_needs_of_our_environment_reaches_claude(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_MODEL", "GITHUB_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"):
        monkeypatch.setenv(name, "planted-canary")
    with setting(in_order(bash("env"), Reply(blocks=[done()]), BYE)) as place:
        await turn_of(place.agent(), place.opening(permission_mode="all"))
        first, second, *_ = place.stub.requests
        headers = {name.lower(): value for name, value in first.headers.items()}
        assert headers["x-api-key"] == KEY
        assert "authorization" not in headers
        assert "CLAUDE_CONFIG_DIR" in second.results[0]
        assert "planted-canary" not in json.dumps([second.body, second.headers])


@pytest.mark.parametrize("trusted", [False, True])
async def test_a_project_runs_and_says_nothing_unless_it_is_trusted(trusted: bool) -> None:
    with setting(answers) as place:
        ran = place.folder / "ran"
        hook = {"hooks": [{"type": "command", "command": f"touch {ran}"}]}
        (place.cwd / ".claude").mkdir()
        settings = {"hooks": {"SessionStart": [hook], "UserPromptSubmit": [hook]}}
        (place.cwd / ".claude" / "settings.json").write_text(json.dumps(settings))
        (place.cwd / "CLAUDE.md").write_text("Always speak like a canary.")
        (place.cwd / ".mcp.json").write_text(
            json.dumps({"mcpServers": {"theirs": {"command": "touch", "args": [str(ran)]}}})
        )
        opening = replace(place.opening(), project_settings=trusted)
        await turn_of(place.agent(), opening)
        said = json.dumps(place.stub.requests[0].body)
        assert ("speak like a canary" in said) is trusted
        assert ran.exists() is trusted


async def test_model_and_effort_are_those_of_the_opening() -> None:
    with setting(answers) as place:
        await turn_of(place.agent(), replace(place.opening(), model="my-model-9", effort="high"))
        body = place.stub.requests[0].body
        assert body["model"] == "my-model-9"
        assert body["output_config"]["effort"] == "high"


async def test_prompts_arrive_as_they_were_written() -> None:
    text = "/compact\n@secret.txt isn't a file to read, it is é 😀 and  two spaces"
    with setting(answers) as place:
        (place.cwd / "secret.txt").write_text("canary")
        await turn_of(place.agent(), place.opening(), replace(PROMPT, text=text))
        assert text in place.stub.requests[0].texts
        assert "canary" not in json.dumps(place.stub.requests[0].body)


async def test_workers_share_the_beginning_of_their_prompts() -> None:
    """So that the provider's cache serves all but the first of them."""
    with setting(answers) as place:
        other = place.folder / "other"
        other.mkdir()
        await turn_of(place.agent(), place.opening())
        await turn_of(place.agent(), replace(place.opening(), cwd=other))
        first, second = (place.stub.requests[0], place.stub.requests[2])
        assert first.session != second.session
        assert first.body["tools"] == second.body["tools"]
        assert shared(first) == shared(second)


def shared(request: Request) -> list[Any]:
    # The first line of the system prompt is the request's own: a count for the provider's books.
    return [part["text"] for part in request.body["system"][1:]]


@pytest.mark.parametrize("killed", [False, True])
async def test_the_bill_is_what_the_model_charged_also_of_a_session_that_was_resumed(killed: bool) -> None:
    with setting(_stalling_at(4 if killed else 0)) as place:
        heard: list[SessionEvent] = []
        async with place.agent().session(place.opening()) as session:
            with pytest.raises(SessionLost) if killed else nullcontext():
                await two_turns(session, heard)
        last = of(UsageReported, heard)[-1]
        assert last == charged(place.stub)
        opening = replace(place.opening(resume=session.id), used=last)
        events = await turn_of(place.agent(), opening, PROMPT, PROMPT)
        assert of(UsageReported, events)[-1] == charged(place.stub)
        assert {request.session for request in place.stub.requests} == {session.id}


def _stalling_at(number: int) -> Script:
    stalled = Reply(blocks=["oh"], fault="stalled")
    return lambda request: stalled if request.number == number else answers(request)


async def two_turns(session: Session, heard: list[SessionEvent]) -> None:
    for _ in range(2):
        async for event in session.turn(PROMPT):
            heard.append(event)
            if isinstance(event, Text) and event.text == "oh":
                os.kill(cli_of(session.id), signal.SIGKILL)


async def test_a_conversation_that_never_began_begins_anew_under_its_id() -> None:
    with setting(answers) as place:
        id = "5a8e1c3e-1111-4000-8000-000000000000"
        events = await turn_of(place.agent(), place.opening(resume=id))
        assert events[-1] == TurnEnded()
        assert {request.session for request in place.stub.requests} == {id}


async def test_a_file_that_was_begun_for_a_conversation_that_never_began_is_no_obstacle() -> None:
    with setting(answers) as place:
        first = place.agent()
        async with first.session(place.opening()) as session:
            async for _ in session.turn(PROMPT):
                pass
        (file,) = (place.folder / "config").glob(f"projects/*/{session.id}.jsonl")
        file.write_text(json.dumps({"type": "mode", "mode": "normal", "sessionId": session.id}) + "\n")
        events = await turn_of(place.agent(), place.opening(resume=session.id))
        assert events[-1] == TurnEnded()
        assert {request.session for request in place.stub.requests} == {session.id}
        assert file.with_suffix(".unusable").exists()


async def test_what_is_said_between_turns_comes_with_the_next_prompt() -> None:
    with setting(answers) as place:
        async with place.agent().session(place.opening()) as session:
            await session.send("Mind the gap.")
            async for _ in session.turn(PROMPT):
                pass
        assert any("Mind the gap.\n\nDo it." in text for text in place.stub.requests[0].texts)


async def test_a_session_ends_when_its_budget_is_used_up() -> None:
    with setting(in_order(Reply(blocks=[progress()]))) as place:
        events = await turn_of(place.agent(), replace(place.opening(), budget_usd=0.001))
        assert len(place.stub.requests) == 2
        end = events[-1]
        assert isinstance(end, TurnEnded)
        assert end.reason == "error"
        assert "raise the cap" in end.detail


IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.org")


def git(place: Setting, *arguments: str) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(place.folder)}
    subprocess.run(["git", *arguments], env=env, check=True, capture_output=True, timeout=30)
