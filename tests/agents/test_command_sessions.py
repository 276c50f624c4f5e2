"""Sessions of the agents `command` and `acp` beyond what every agent has to do."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from agents import programs
from bigtask.agents.acp.agent import AcpAgent
from bigtask.agents.command.agent import CommandAgent
from bigtask.agents.protocol import (
    Agent,
    Opening,
    PermissionAsked,
    Prompt,
    SessionEvent,
    SessionLost,
    Text,
    TurnEnded,
)
from bigtask.configuration.agent_definitions import AcpDefinition, CommandDefinition, definition
from bigtask.core.values import Permissions
from bigtask.errors import AgentUnavailable
from bigtask.process import minimal_env

pytestmark = pytest.mark.integration
PROMPT = Prompt(text="Do it.", phase="workerExecution", variables={"TASK_ID": "t1"}, nonce="n1")


@pytest.fixture
def opening(tmp_path: Path) -> Opening:
    (tmp_path / "home").mkdir()
    (tmp_path / "w").mkdir()
    return Opening(name="s", cwd=tmp_path / "w", env=minimal_env({"HOME": str(tmp_path / "home")}))


def command(*argv: str, **more: Any) -> CommandAgent:
    made = definition("mine", {"kind": "command", "argv": list(argv), **more})
    assert isinstance(made, CommandDefinition)
    return CommandAgent("mine", made, os.environ)


def python(code: str, **more: Any) -> CommandAgent:
    return command(sys.executable, "-c", code, **more)


def acting(script: Any, folder: Path, **more: Any) -> AcpAgent:
    path = folder / "script.json"
    path.write_text(json.dumps(script))
    made = definition("acting", programs.acp_definition(path, **more))
    assert isinstance(made, AcpDefinition)
    return AcpAgent("acting", made, os.environ)


async def turns_of(agent: Agent, opening: Opening, count: int = 1) -> list[list[SessionEvent]]:
    async with asyncio.timeout(60), agent.session(opening) as session:
        return [[event async for event in session.turn(PROMPT)] for _ in range(count)]


async def test_a_plain_program_answers_with_what_it_prints(opening: Opening) -> None:
    (events,) = await turns_of(python("import sys; print('heard', sys.stdin.read())"), opening)
    assert events == [Text(text="heard Do it.\n", message=0), TurnEnded()]


async def test_exit_0_without_an_answer_is_no_success(opening: Opening) -> None:
    (events,) = await turns_of(python("import sys; sys.stderr.write('nothing to say')"), opening)
    detail = "mine ended without an answer; its standard error ends with: nothing to say"
    assert events == [TurnEnded(reason="error", detail=detail)]


async def test_exit_0_without_the_final_record_is_no_success(opening: Opening) -> None:
    agent = python(
        'print(\'{"said": "x"}\')', output="jsonl", fields={"text": "said", "final": {"path": "done"}}
    )
    (events,) = await turns_of(agent, opening)
    assert events[-1] == TurnEnded(reason="error", detail="mine ended without its final record")


async def test_an_exit_with_an_error_after_the_answer_is_no_success(opening: Opening) -> None:
    with pytest.raises(SessionLost, match="exited with status 1"):
        await turns_of(python("print('all done'); raise SystemExit(1)"), opening)


async def test_a_program_without_sessions_is_told_what_was_said_before(opening: Opening) -> None:
    code = "import sys; print(len(sys.stdin.read().split('You were asked:')))"
    first, second = await turns_of(python(code), opening, count=2)
    assert (first[0], second[0]) == (Text(text="1\n", message=0), Text(text="2\n", message=1))


async def test_a_session_is_continued_by_the_id_that_the_program_gave_it(opening: Opening) -> None:
    code = (
        "import json, sys; sys.stdin.read(); "
        "print(json.dumps({'id': 'abc', 'said': ' '.join(sys.argv[1:]) or 'new', 'done': 1}))"
    )
    argv = [sys.executable, "-c", code]
    fields = {"text": "said", "session": "id", "final": {"path": "done"}}
    agent = command(*argv, resume=[*argv, "go", "on", "{session}"], output="jsonl", fields=fields)
    first, second = await turns_of(agent, opening, count=2)
    assert (first[0], second[0]) == (Text(text="new", message=0), Text(text="go on abc", message=1))
    assert not agent.traits.can_resume, "the id isn't known before the program has said it"


async def test_nothing_of_our_environment_reaches_a_program_unnamed(
    opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAMED_KEY", "yes")
    monkeypatch.setenv("OTHER_KEY", "no")
    code = "import os; print(os.environ.get('NAMED_KEY'), os.environ.get('OTHER_KEY'))"
    (events,) = await turns_of(python(code, env=["NAMED_KEY"]), opening)
    assert events[0] == Text(text="yes None\n", message=0)


@pytest.mark.parametrize("name", ["AGENTS.md", "deep/down/AGENTS.md", "deep/.mine/settings.json"])
async def test_a_program_that_loads_what_nobody_approved_is_not_started(opening: Opening, name: str) -> None:
    (opening.cwd / name).parent.mkdir(parents=True, exist_ok=True)
    (opening.cwd / name).write_text("Obey.")
    agent = python("print('started')", loads=["AGENTS.md", ".mine/"])
    with pytest.raises(AgentUnavailable, match="by itself and can't be told not to"):
        await turns_of(agent, opening)
    approved = Opening(name="s", cwd=opening.cwd, env=opening.env, project_settings=True)
    assert (await turns_of(agent, approved))[0][-1] == TurnEnded()


async def test_a_program_that_can_leave_it_out_is_told_to(opening: Opening) -> None:
    (opening.cwd / "AGENTS.md").write_text("Obey.")
    agent = python("import sys; print(sys.argv[1:])", loads=["AGENTS.md"], untrusted=["--no-rules"])
    (events,) = await turns_of(agent, opening)
    assert events[0] == Text(text="['--no-rules']\n", message=0)


async def test_a_turn_that_is_left_leaves_no_process(opening: Opening, tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys\n"
        "waits = [sys.executable, '-c', 'import signal; signal.pause()']\n"
        "p = subprocess.Popen(waits, start_new_session=True)\n"
        "print(os.getpid(), p.pid, flush=True)\n"
        "import signal; signal.pause()"
    )
    async with asyncio.timeout(60):
        async with python(code).session(opening) as session, aclosing(_turn(session)) as turn:
            event = await anext(turn)
        assert isinstance(event, Text)
        for pid in map(int, event.text.split()):
            assert await _ended(pid)


async def _turn(session: Any) -> AsyncIterator[SessionEvent]:
    async for event in session.turn(PROMPT):
        yield event


async def _ended(pid: int) -> bool:
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        await asyncio.sleep(0.01)


def asking(**call: Any) -> dict[str, Any]:
    ask = {
        "do": "ask",
        "question": "Run make?",
        "allow": [{"do": "say", "text": "ran"}],
        "deny": [{"do": "say", "text": "left it"}],
    }
    return {"turns": [{"steps": [ask, {"do": "answer"}]}]}


@pytest.mark.parametrize(
    ("more", "asked", "said"),
    [
        ({"permission_mode": "all"}, False, "ran"),
        ({"read_only": True}, False, "left it"),
        ({"read_only": True, "permission_mode": "all"}, False, "left it"),
        ({"permission_mode": "acceptEdits"}, True, "left it"),
        ({"permission_mode": "all", "rules": Permissions(deny=("Bash(rm*)",))}, True, "left it"),
    ],
)
async def test_a_person_is_asked_where_no_mode_settles_it(
    opening: Opening, tmp_path: Path, more: dict[str, Any], asked: bool, said: str
) -> None:
    agent = acting(asking(), tmp_path)
    wanted = Opening(name="s", cwd=opening.cwd, env=opening.env, **more)
    events = []
    async with asyncio.timeout(60), agent.session(wanted) as session:
        async for event in session.turn(PROMPT):
            events.append(event)
            if isinstance(event, PermissionAsked):
                await session.answer(event.request_id, "deny")
    assert any(isinstance(event, PermissionAsked) for event in events) is asked
    assert Text(text=said, message=0) in events


async def test_an_agent_killed_in_its_turn_is_resumed_where_it_was_and_tells_no_history(
    opening: Opening, tmp_path: Path
) -> None:
    hang = [{"do": "say", "text": "hm"}, {"do": "hang"}]
    agent = acting({"turns": [{"when": {"turn": 1}, "steps": hang}]}, tmp_path)
    pids: set[int] = set()
    async with asyncio.timeout(60):
        async with agent.session(opening) as session:
            with pytest.raises(SessionLost, match="SIGKILL"):
                await _killed_in_its_turn(session, pids)
        again = Opening(name="s", cwd=opening.cwd, env=opening.env, resume=session.id)
        async with agent.session(again) as resumed:
            events = [event async for event in resumed.turn(PROMPT)]
    assert events[-1] == TurnEnded()
    assert not any(isinstance(event, Text) and "said before" in event.text for event in events)
    for pid in pids:
        assert await _ended(pid)


async def _killed_in_its_turn(session: Any, pids: set[int]) -> None:
    async for _ in session.turn(PROMPT):
        pids.update(session.activity().pids)
        (inside,) = [pid for pid in pids if b"acp_program" in _command_line(pid)]
        os.kill(inside, signal.SIGKILL)


def _command_line(pid: int) -> bytes:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return b"" if b"keeper" in b" ".join(words) else b" ".join(words)


async def test_an_agent_that_is_too_old_is_refused_with_what_installs_a_newer_one(
    opening: Opening, tmp_path: Path
) -> None:
    agent = acting({"turns": []}, tmp_path, leastVersion="1.10", install="npm install -g acting")
    with pytest.raises(
        AgentUnavailable, match=r"1\.2\.3 is too old: 1\.10 or newer .* npm install -g acting"
    ):
        await turns_of(agent, opening)


async def test_a_program_that_speaks_nothing_we_know_is_lost_with_what_it_printed(opening: Opening) -> None:
    programs.needs_acp()
    made = definition("acting", {"kind": "acp", "argv": [sys.executable, "-c", "raise SystemExit('no key')"]})
    assert isinstance(made, AcpDefinition)
    with pytest.raises(SessionLost, match=r"exited with status 1 when it was started.*no key"):
        await turns_of(AcpAgent("acting", made, os.environ), opening)


async def test_a_session_that_nobody_knows_cannot_be_continued(opening: Opening, tmp_path: Path) -> None:
    agent = acting({"turns": []}, tmp_path)
    again = Opening(name="s", cwd=opening.cwd, env=opening.env, resume="acting-nowhere")
    with pytest.raises(AgentUnavailable, match="there is no such session"):
        await turns_of(agent, again)
