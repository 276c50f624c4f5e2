"""Which sessions another program may have kept, and that nothing waits for one that can't be asked."""

from __future__ import annotations

import asyncio
import socket

import pytest

from bigtask.agents.desktop.agent import DesktopAgent
from bigtask.agents.offline.agent import OfflineAgent
from bigtask.agents.protocol import Agent
from bigtask.core import commands as c
from bigtask.core.recovery import recover
from bigtask.host.left_sessions import LeftSessions
from core.world import RUN_ID, World

ANALYSIS = f"local___orch_{RUN_ID}_worker_@analysis"


def died(agent: str) -> World:
    """Its holder died when the analysis had been spawned, and the next one has found it so."""
    world = World(agent=agent)
    world.ask(c.Start())
    world.record(*recover(world.run, resumable=("desktop",)))
    return world


@pytest.fixture
def agents() -> dict[str, Agent]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    return {"desktop": DesktopAgent(nobody), "offline": OfflineAgent()}


@pytest.mark.parametrize("agent", ["offline", "gone"])
async def test_an_agent_that_keeps_no_sessions_has_left_none(agents: dict[str, Agent], agent: str) -> None:
    left = LeftSessions(died(agent).run, agents)
    assert left.found() == {}
    await left.wait_ended()


async def test_an_application_that_cannot_be_asked_holds_nothing_up(
    agents: dict[str, Agent], caplog: pytest.LogCaptureFixture
) -> None:
    left = LeftSessions(died("desktop").run, agents)
    found = left.found()
    assert found == {"desktop": [ANALYSIS]}
    waiting = asyncio.create_task(left.wait_ended())
    await asyncio.sleep(0)
    assert not waiting.done()
    await left.end(found)
    await waiting
    (said,) = [record.getMessage() for record in caplog.records]
    assert "desktop can't be asked whether sessions were left over (nothing answers at" in said
    assert f"if it still has one of {ANALYSIS}, end it there" in said


async def test_a_session_that_is_known_is_not_left(agents: dict[str, Agent]) -> None:
    world = World(agent="desktop")
    world.ask(c.Start())
    world.open("@analysis")
    world.record(*recover(world.run))
    assert LeftSessions(world.run, agents).found() == {}
