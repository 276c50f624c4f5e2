"""A real agent of the protocol, Claude's, against the loopback stub of the Messages API."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from bigtask.agents.acp.agent import AcpAgent
from bigtask.agents.acp.catalogue import known
from bigtask.agents.protocol import (
    Opening,
    PermissionAsked,
    Reported,
    SessionEvent,
    Text,
    ToolCall,
    ToolKind,
    TurnEnded,
    UsageReported,
)
from claude.setting import PROMPT, Setting, setting
from claude.stub import Call, Reply, Request

pytestmark = pytest.mark.integration
DONE = {"task_id": "t1", "status": "success", "summary": "done"}


def writes_and_reports(request: Request) -> Reply:
    (report,) = [tool for tool in request.tools if tool.endswith("report_answer")] or [""]
    if not request.results:
        return Reply(
            blocks=["Looking.", Call(name="Write", input={"file_path": "new.txt", "content": "hi\n"})]
        )
    if len(request.results) == 1 and report:
        return Reply(blocks=[Call(name=report, input={"answer": DONE})])
    return Reply(blocks=["That was it."])


@pytest.fixture
def folder() -> Path:
    there = Path(os.environ.get("BIGTASK_TEST_ACP", ""), "node_modules", ".bin")
    if not os.environ.get("BIGTASK_TEST_ACP"):
        pytest.skip("no real agent is named: tests/agents/install_acp FOLDER, and BIGTASK_TEST_ACP=FOLDER")
    assert (there / "claude-agent-acp").exists()
    return there


@pytest.fixture
def stubbed() -> Iterator[Setting]:
    with setting(writes_and_reports) as made:
        yield made


async def events_of(agent: AcpAgent, opening: Opening) -> tuple[str, list[SessionEvent]]:
    events = []
    async with asyncio.timeout(120), agent.session(opening) as session:
        async for event in session.turn(PROMPT):
            events.append(event)
            if isinstance(event, PermissionAsked):
                await session.answer(event.request_id, "allow")
    return session.id, events


async def test_claude_over_the_protocol_asks_writes_reports_by_our_tool_and_is_resumed(
    folder: Path, stubbed: Setting
) -> None:
    environ = {**stubbed.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    agent = AcpAgent("claude-acp", known()["claude-acp"], environ)
    assert agent.availability().usable
    plain = stubbed.opening(permission_mode="ask")
    opening = replace(plain, env={**plain.env, "PATH": environ["PATH"]})
    session_id, events = await events_of(agent, opening)
    asked = [event for event in events if isinstance(event, PermissionAsked)]
    assert [(one.tool, one.subject, one.question) for one in asked] == [
        ("Write", "new.txt", "Write new.txt?")
    ]
    assert [event for event in events if isinstance(event, ToolCall)] == [
        ToolCall(kind=ToolKind.WRITE, name="Write", detail="Write new.txt", path="new.txt")
    ]
    assert Reported(phase="completion", data=DONE) in events
    assert (stubbed.cwd / "new.txt").read_text() == "hi\n"
    assert events[-1] == TurnEnded()
    (used,) = [event for event in events if isinstance(event, UsageReported)][-1:]
    assert used.input_tokens > 0
    assert used.cost_usd > 0
    again, more = await events_of(agent, replace(opening, resume=session_id, used=used))
    assert again == session_id
    assert [event.text for event in more if isinstance(event, Text)] == ["That was it."], "no history"
    later = [event for event in more if isinstance(event, UsageReported)][-1]
    assert later.cost_usd > used.cost_usd
