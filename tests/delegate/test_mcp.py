"""`bigtask mcp` with a real client: the official SDK's."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from bigtask import Options, OrchestratorModule
from bigtask.agents.protocol import Opening, Session
from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of
from bigtask.cli import mcp as mcp_command
from bigtask.errors import Forbidden, InvalidInput
from bigtask.host.access import read_run
from bigtask.mcp.bounds import Bounds, bounds_from
from projects import Desk
from server.conftest import BASE, TASKS, furnish
from server.served import Served, environment, served

pytestmark = [pytest.mark.integration]

TOOLS = {
    "list_templates",
    "create_run",
    "start_run",
    "list_runs",
    "get_run",
    "follow_run",
    "get_plan",
    "edit_plan",
    "pause_run",
    "get_result",
    "get_diff",
}
"""All there are: none confirms, answers, resumes, cancels, merges or raises."""


@pytest.fixture(autouse=True)
def _with_sdk() -> None:
    if find_spec("mcp") is None:
        assert not os.environ.get("CI"), "CI runs this with the extra bigtask[mcp]"
        pytest.skip("the MCP SDK isn't installed: pip install 'bigtask[mcp]'")


@asynccontextmanager
async def by_stdio(desk: Desk, cwd: Path, *arguments: str, **more: str) -> AsyncIterator[Any]:
    from mcp import Client, StdioServerParameters, stdio_client

    started = StdioServerParameters(
        command=sys.executable,
        args=["-m", "bigtask", "mcp", *arguments],
        env={**environment(desk.home.path), **more},
        cwd=cwd,
    )
    async with Client(stdio_client(started)) as client:
        yield client


@asynccontextmanager
async def by_http(server: Served, token: str) -> AsyncIterator[Any]:
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as way,
        Client(streamable_http_client(f"{server.url}/mcp", http_client=way)) as client,
    ):
        yield client


async def call(client: Any, tool: str, **arguments: Any) -> dict[str, Any]:
    answered = await client.call_tool(tool, arguments)
    assert not answered.is_error, answered.content
    found = json.loads(answered.content[0].text)
    assert isinstance(found, dict)
    return found


async def refused(client: Any, tool: str, **arguments: Any) -> str:
    answered = await client.call_tool(tool, arguments)
    assert answered.is_error, answered.content
    return str(answered.content[0].text)


async def followed(client: Any, run_id: str, until: str) -> list[dict[str, Any]]:
    """All that is told, until such an event."""
    told: list[dict[str, Any]] = []
    after = 0
    while not told or told[-1]["type"] != until:
        said = await call(client, "follow_run", run_id=run_id, after=after, wait_s=60)
        assert said["events"], said
        told += said["events"]
        after = said["after"]
        if any(event["type"] == until for event in said["events"]):
            break
    return told


async def made_planned_and_paused(client: Any, desk: Desk, cwd: Path) -> str:
    """What a delegate may do with a run, from its beginning to where a person is needed."""
    assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
    listed = await call(client, "list_templates")
    assert "tested" in {one["id"] for one in listed["templates"]}
    agent = desk.script({"tasks": TASKS})
    made = await call(
        client, "create_run", template="tested", request="Do the work", cwd=str(cwd), agent=agent
    )
    id = str(made["runId"])
    assert made["status"] == "created"
    assert (await call(client, "start_run", run_id=id))["status"] == "analyzing"
    told = await followed(client, id, "orchestrator:waiting")
    assert [event["seq"] for event in told] == sorted({event["seq"] for event in told})
    plan = await call(client, "get_plan", run_id=id)
    assert [task["id"] for task in plan["plan"]["tasks"]] == ["left", "right", "both"]
    edits = [{"op": "set", "id": "left", "fields": {"title": "The left one"}}]
    edited = await call(client, "edit_plan", run_id=id, revision=plan["plan"]["revision"], edits=edits)
    assert edited["revision"] == plan["plan"]["revision"] + 1
    stale = await refused(client, "edit_plan", run_id=id, revision=1, edits=edits)
    assert "edited meanwhile" in stale
    assert "no-such" in await refused(client, "get_run", run_id="no-such")
    status = await call(client, "get_run", run_id=id)
    assert (status["status"], status["waiting"][0]["kind"]) == ("confirming", "plan")
    paused = await call(client, "pause_run", run_id=id)
    assert paused["status"] in ("paused", "confirming")
    return id


async def test_a_client_makes_and_follows_a_run_over_stdio(tmp_path: Path) -> None:
    desk, project = furnish(tmp_path)
    async with by_stdio(desk, project.root) as client:
        id = await made_planned_and_paused(client, desk, project.root)
        read = await client.read_resource(f"bigtask://runs/{id}")
        assert json.loads(read.contents[0].text)["id"] == id
        for uri in ("bigtask://templates", "bigtask://templates/tested", "bigtask://runs"):
            assert json.loads((await client.read_resource(uri)).contents[0].text)
        result = await call(client, "get_result", run_id=id)
        assert result["run"]["id"] == id


async def test_a_run_goes_on_in_the_server_when_the_client_has_gone(tmp_path: Path) -> None:
    desk, project = furnish(tmp_path)
    with served(desk.home.path) as server:
        async with by_stdio(desk, project.root) as client:
            made = await call(
                client,
                "create_run",
                template="tested",
                request="Do it",
                agent=desk.script({"tasks": TASKS}),
            )
            id = str(made["runId"])
            await call(client, "start_run", run_id=id)
            assert server.get(f"{BASE}/{id}/status")["orchestrator"]["held"]
        server.wait_for(id, "orchestrator:waiting")
        server.post(f"{BASE}/{id}/confirm")
        server.wait_for(id, "orchestrator:completed")
        assert server.events(id)[0]["data"]["by"] == "delegate"


async def test_the_same_goes_over_http_with_the_token_for_agents(tmp_path: Path) -> None:
    desk, project = furnish(tmp_path)
    with served(desk.home.path) as server:
        async with by_http(server, server.delegate) as client:
            id = await made_planned_and_paused(client, desk, project.root)
            server.post(f"{BASE}/{id}/resume")
            server.post(f"{BASE}/{id}/confirm")
            told = await followed(client, id, "orchestrator:completed")
            assert told[-1]["type"].startswith("orchestrator:")
            assert (await call(client, "get_result", run_id=id))["run"]["outcome"] == "complete"
            assert {file["path"] for file in (await call(client, "get_diff", run_id=id))["files"]}
        for token in (None, "x"):
            assert server.ask("POST", "/mcp", {}, token=token).status == 401
        evil = {"Origin": "https://evil.example"}
        assert server.ask("POST", "/mcp", {}, headers=evil).status == 403


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"BIGTASK_DEPTH": "2"}, "depth 1"),
        ({"BIGTASK_DEPTH": "1", "BIGTASK_BUDGET_USD": "0"}, "0.00 are left"),
    ],
)
async def test_an_agent_of_a_run_makes_none_that_is_too_deep_or_too_dear(
    tmp_path: Path, environ: dict[str, str], said: str
) -> None:
    desk, project = furnish(tmp_path)
    async with by_stdio(desk, project.root, **environ) as client:
        asked = {"template": "tested", "request": "x", "agent": desk.script({"tasks": TASKS})}
        assert said in await refused(client, "create_run", **asked)
        assert (await call(client, "list_runs"))["runs"] == []


async def test_a_run_below_another_says_so_to_its_own_agents(tmp_path: Path) -> None:
    desk, project = furnish(tmp_path)
    asked = {"template": "tested", "request": "x", "agent": desk.script({"tasks": TASKS})}
    async with by_stdio(desk, project.root, BIGTASK_DEPTH="1", BIGTASK_BUDGET_USD="3") as client:
        id = (await call(client, "create_run", **asked))["runId"]
        assert "at most" in await refused(client, "create_run", max_budget_usd=99, **asked)
    settings = (await read_run(desk.home.find(str(id)))).settings
    assert (settings.depth, settings.max_budget_usd) == (1, 3.0)

    told: list[Mapping[str, str]] = []

    class Told(ScriptedAgent):
        def session(self, opening: Opening) -> AbstractAsyncContextManager[Session]:
            told.append(opening.env)
            return super().session(opening)

    options = Options(yes=True, depth=settings.depth, max_budget_usd=3.0)
    async with OrchestratorModule(Told(script_of({"tasks": TASKS})), home=desk.home.path) as module:
        run = await module.orchestrators.create(
            template_id="tested", cwd=project.root, message="x", options=options
        )
        await module.orchestrators.start(run.id)
        async for _ in module.events(run.id):
            pass
    assert {env["BIGTASK_DEPTH"] for env in told} == {"2"}
    assert all(0 < float(env["BIGTASK_BUDGET_USD"]) <= 3.0 for env in told)


def test_all_runs_made_here_are_bounded_together() -> None:
    bounds = Bounds(run_usd=4.0, total_usd=6.0)
    assert bounds.cap(None, 0.0) == 4.0
    assert bounds.cap(None, 4.0) == 2.0
    with pytest.raises(Forbidden, match=r"2\.00 are left"):
        bounds.cap(3.0, 4.0)
    with pytest.raises(Forbidden, match=r"0\.00 are left"):
        bounds.cap(None, 7.0)
    above = {"BIGTASK_DEPTH": "1", "BIGTASK_BUDGET_USD": "2.5"}
    found = bounds_from(above, max_depth=1, run_usd=4.0, total_usd=6.0)
    assert (found.depth, found.total_usd) == (1, 2.5)
    for wrong in ({"BIGTASK_DEPTH": "x"}, {"BIGTASK_DEPTH": "-1"}, {"BIGTASK_BUDGET_USD": "lots"}):
        with pytest.raises(InvalidInput, match="unset"):
            bounds_from(wrong, max_depth=1, run_usd=4.0, total_usd=None)


def test_without_the_extra_the_command_says_how_to_add_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_command, "find_spec", lambda name: None)
    with pytest.raises(InvalidInput, match=r"bigtask\[mcp\]"):
        mcp_command.require_extra()
