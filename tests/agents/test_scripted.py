from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bigtask.agents.protocol import (
    Opening,
    PermissionAsked,
    Prompt,
    SessionEvent,
    SessionLost,
    Text,
    ToolCall,
    ToolKind,
    TurnEnded,
)
from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.filling import filled
from bigtask.agents.scripted.script import load_script, script_of
from bigtask.errors import InvalidInput
from bigtask.process import minimal_env, run
from bigtask.protocol.parser import ResponseParser


def prompt(phase: str = "workerExecution", **variables: Any) -> Prompt:
    return Prompt(text="", phase=phase, variables=variables, nonce="n1")


def opening(cwd: Path, **more: Any) -> Opening:
    return Opening(**{"name": "s", "cwd": cwd, "env": minimal_env(), **more})


async def played(script: dict[str, Any], cwd: Path, asked: Prompt, **more: Any) -> list[SessionEvent]:
    async with asyncio.timeout(30), ScriptedAgent(script_of(script)).session(opening(cwd, **more)) as session:
        return [event async for event in session.turn(asked)]


def said(events: list[SessionEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


@pytest.mark.parametrize(
    ("script", "path"),
    [
        ({"tsaks": []}, "unknown field `tsaks`"),
        ({"tasks": [{"id": "a"}, {"id": "b", "titel": "x"}]}, "`titel` - at `$.tasks[1]`"),
        ({"tasks": [{}]}, "missing required field `id` - at `$.tasks[0]`"),
        ({"turns": [{"steps": [{"do": "dance"}]}]}, "'dance' - at `$.turns[0].steps[0].do`"),
        ({"turns": [{"steps": [{"do": "say"}]}]}, "missing required field `text` - at `$.turns[0].steps[0]`"),
        (
            {
                "turns": [
                    {"steps": [{"do": "ask", "question": "?", "deny": [{"do": "delay", "seconds": "x"}]}]}
                ]
            },
            "at `$.turns[0].steps[0].deny[0].seconds`",
        ),
        ({"turns": [{"when": {"phase": "lunch"}, "steps": []}]}, "at `$.turns[0].when.phase`"),
        ({"turns": [{"when": {"turn": 0}, "steps": []}]}, "at `$.turns[0].when.turn`"),
        ({"start_delimiter": "<<<END_ORCHESTRATOR_RESPONSE>>>"}, "can't be told apart"),
    ],
)
def test_an_error_names_the_path_of_the_wrong_element(
    script: dict[str, Any], path: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput) as wrong:
        script_of(script)
    assert path in wrong.value.message
    file = tmp_path / "script.json"
    file.write_text(json.dumps(script))
    with pytest.raises(InvalidInput) as wrong:
        load_script(file)
    assert path in wrong.value.message
    assert "script.json" in wrong.value.message


@pytest.mark.parametrize("content", ["{", "[]", "\udcff"])
def test_a_file_that_is_no_script_is_named(content: str, tmp_path: Path) -> None:
    file = tmp_path / "script.json"
    file.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(InvalidInput, match=r"script\.json"):
        load_script(file)
    with pytest.raises(InvalidInput, match="No such file"):
        load_script(tmp_path / "none.json")


async def test_the_child_says_what_is_wrong_with_its_script(tmp_path: Path) -> None:
    (tmp_path / "script.json").write_text('{"tsaks": []}')
    argv = [sys.executable, "-P", "-m", "bigtask.agents.scripted", "script.json"]
    found = await run(argv, cwd=tmp_path, env=minimal_env(), timeout_s=30)
    assert (found.status, found.stdout) == (2, b"")
    assert b"unknown field `tsaks`" in found.stderr
    assert b"Traceback" not in found.stderr


async def test_a_request_that_cannot_be_read_ends_with_an_error(tmp_path: Path) -> None:
    (tmp_path / "script.json").write_text("{}")
    argv = [sys.executable, "-P", "-m", "bigtask.agents.scripted", "script.json"]
    found = await run(argv, cwd=tmp_path, env=minimal_env(), timeout_s=30, input=b"hello\n")
    assert found.status == 0
    assert json.loads(found.stdout)["reason"] == "error"


async def test_a_list_of_tasks_is_a_whole_script(tmp_path: Path) -> None:
    tasks = [{"id": "one"}, {"id": "two", "dependencies": ["one"], "file": "docs/two.md", "content": "Two"}]
    events = await played({"tasks": tasks}, tmp_path, prompt("taskPlanning"))
    assert ResponseParser().parse(said(events)).data == {
        "tasks": [
            {"id": "one", "title": "one", "description": "Do one."},
            {"id": "two", "title": "two", "description": "Do two.", "dependencies": ["one"]},
        ]
    }
    events = await played({"tasks": tasks}, tmp_path, prompt(TASK_ID="two"))
    assert (tmp_path / "docs/two.md").read_text() == "Two"
    assert ToolCall(kind=ToolKind.WRITE, name="write", path="docs/two.md") in events
    await played({"tasks": tasks}, tmp_path, prompt(TASK_ID="one"))
    assert (tmp_path / "one.txt").read_text() == "one\n"


@pytest.mark.parametrize(
    ("asked", "more", "expected"),
    [
        (prompt("analysis"), {}, "any"),
        (prompt(TASK_ID="a"), {}, "worker"),
        (prompt(TASK_ID="b"), {}, "b"),
        (prompt(TASK_ID="b", ATTEMPT=2), {}, "b again"),
        (prompt(TASK_ID="b"), {"name": "x_worker_b_r1"}, "b again"),
        (prompt(TASK_ID="b", ATTEMPT=1), {"name": "x_worker_b_r2"}, "b"),
    ],
)
async def test_the_most_specific_turn_is_played(
    tmp_path: Path, asked: Prompt, more: dict[str, Any], expected: str
) -> None:
    def turn(text: str, **when: Any) -> dict[str, Any]:
        return {"when": when, "steps": [{"do": "say", "text": text}]}

    turns = [
        turn("b again", phase="workerExecution", task="b", attempt=2),
        turn("b", phase="workerExecution", task="b"),
        turn("never"),
        turn("any"),
        turn("worker", phase="workerExecution"),
    ]
    assert said(await played({"turns": turns}, tmp_path, asked, **more)) == expected


async def test_turns_are_counted_in_each_session_and_on_when_it_is_resumed(tmp_path: Path) -> None:
    for process in (False, True):
        agent = ScriptedAgent(
            script_of({"process": process, "turns": [{"steps": [{"do": "say", "text": "{TURN}"}]}]})
        )
        seen = []
        for more in ({}, {"resume": "s", "name": "other"}, {"name": "third"}):
            async with asyncio.timeout(30), agent.session(opening(tmp_path, **more)) as session:
                seen += [said([event async for event in session.turn(prompt())]) for _ in range(2)]
        assert seen == ["1", "2", "3", "4", "1", "2"]


@pytest.mark.parametrize(("answer", "branch"), [("allow", "yes"), ("deny", "no"), ("whatever", "no")])
async def test_a_permission_branches(tmp_path: Path, answer: str, branch: str) -> None:
    ask = {
        "do": "ask",
        "question": "Delete {TASK_ID}?",
        "allow": [{"do": "say", "text": "yes"}],
        "deny": [{"do": "say", "text": "no"}, {"do": "end", "reason": "max_tokens"}],
    }
    agent = ScriptedAgent(script_of({"turns": [{"steps": [ask, {"do": "say", "text": "!"}]}]}))
    events: list[SessionEvent] = []
    async with agent.session(opening(tmp_path)) as session:
        async for event in session.turn(prompt(TASK_ID="x")):
            events.append(event)
            if isinstance(event, PermissionAsked):
                assert event.question == "Delete x?"
                await session.answer(event.request_id, answer)
    assert said(events) == (branch if branch == "no" else branch + "!")
    assert events[-1] == TurnEnded(reason="end" if branch == "yes" else "max_tokens")


async def test_files_are_written_appended_and_deleted(tmp_path: Path) -> None:
    steps = [
        {"do": "write", "path": "a/{TASK_ID}.txt", "content": "1"},
        {"do": "write", "path": "a/t.txt", "content": "{TASK_ID}", "how": "append"},
        {"do": "write", "path": "gone.txt"},
        {"do": "write", "path": "gone.txt", "how": "delete"},
    ]
    events = await played({"turns": [{"steps": steps}]}, tmp_path, prompt(TASK_ID="t"))
    assert (tmp_path / "a/t.txt").read_text() == "1t"
    assert not (tmp_path / "gone.txt").exists()
    assert events[-1] == TurnEnded()


@pytest.mark.parametrize("path", ["../x", "/x", "", "a/../../x", "missing.txt"])
async def test_a_file_that_cannot_be_written_ends_the_turn(tmp_path: Path, path: str) -> None:
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    how = "delete" if path == "missing.txt" else "write"
    steps = [{"do": "write", "path": "{TASK_ID}", "how": how}]
    (ended,) = await played({"turns": [{"steps": steps}]}, cwd, prompt(TASK_ID=path))
    assert isinstance(ended, TurnEnded)
    assert ended.reason == "error"
    assert list(tmp_path.rglob("*")) == [cwd]


async def test_blocks_can_be_faulty(tmp_path: Path) -> None:
    async def block(**step: Any) -> Any:
        events = await played(
            {"turns": [{"steps": [{"do": "answer", **step}]}]}, tmp_path, prompt(TASK_ID="t")
        )
        return ResponseParser().parse(said(events))

    assert (await block()).nonce == "n1"
    assert (await block(nonce="missing")).nonce is None
    assert (await block(nonce="wrong")).nonce not in (None, "n1")
    assert (await block(ended=False)).repairs
    around = await block(before="a", after="b", pieces=1000)
    assert (around.before_text, around.after_text, around.usable) == ("a", "b", True)


async def test_a_deaf_child_is_killed(tmp_path: Path) -> None:
    script = script_of(
        {"process": True, "turns": [{"steps": [{"do": "say", "text": "x"}, {"do": "hang", "deaf": True}]}]}
    )
    async with asyncio.timeout(30), ScriptedAgent(script).session(opening(tmp_path)) as session:
        await anext(session.turn(prompt()))
        await session.interrupt()


async def test_raw_text_of_a_child_is_counted_as_garbage(tmp_path: Path) -> None:
    steps = [{"do": "raw", "text": "Traceback {TASK_ID}"}, {"do": "exit", "code": 0}]
    with pytest.raises(SessionLost, match=r"status 0 .*; 1 lines of its output"):
        await played({"process": True, "turns": [{"steps": steps}]}, tmp_path, prompt(TASK_ID="t"))


async def test_modules_of_the_project_do_not_stand_in_for_ours(tmp_path: Path) -> None:
    for name in ("bigtask", "msgspec", "json", "asyncio"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken in')")
    events = await played({"process": True}, tmp_path, prompt(TASK_ID="t"))
    assert events[-1] == TurnEnded()


async def test_an_interruption_right_after_the_question_is_heard(tmp_path: Path) -> None:
    for process in (False, True):
        script = script_of({"process": process, "turns": [{"steps": [{"do": "hang"}]}]})
        async with asyncio.timeout(30), ScriptedAgent(script).session(opening(tmp_path)) as session:
            events = []

            async def read(turn: Any, events: list[SessionEvent]) -> None:
                events.extend([event async for event in turn])

            reading = asyncio.create_task(read(session.turn(prompt()), events))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await session.interrupt()
            await reading
            assert events == [TurnEnded(reason="interrupted")]


async def test_a_delay_waits(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    await played({"turns": [{"steps": [{"do": "delay", "seconds": 0.05}]}]}, tmp_path, prompt())
    assert loop.time() - started >= 0.049


def test_the_agent_is_what_its_script_declares() -> None:
    agent = ScriptedAgent(
        script_of(
            {"can_interrupt": False, "can_resume": False, "costs_money": True, "refuses": {"research": "No."}}
        )
    )
    assert (agent.traits.can_interrupt, agent.traits.can_resume, agent.traits.costs_money) == (
        False,
        False,
        True,
    )
    assert agent.refuses(template_id="research") == "No."
    assert agent.refuses(template_id="documentation") is None
    assert ScriptedAgent(script_of({"unavailable": "Gone."})).availability().usable is False


def test_what_is_filled_in_is_not_looked_at_again() -> None:
    variables = {"A": "{B}", "B": "b", "YES": True, "LIST": ["x", "y"], "N": {"k": 1}}
    assert filled("{A} {B} {C} {YES} {LIST} {N} {lower}", variables) == '{B} b {C} yes x, y {"k": 1} {lower}'
    assert filled({"{B}": ["{A}", 1, None]}, variables) == {"b": ["{B}", 1, None]}
