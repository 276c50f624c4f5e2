"""The real Claude Code as a client of `bigtask mcp` and of the server's `/mcp`: it makes a run, begins it and
follows it.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bigtask.agents.claude.installation import installation
from bigtask.host.access import read_run
from bigtask.host.home import Home
from claude.diamond import PATIENCE_S, Model, Place, placed
from claude.setting import needs_claude
from claude.stub import Call, Reply, Request
from projects import Desk

pytestmark = [pytest.mark.integration, pytest.mark.timeout(2 * PATIENCE_S)]

TASKS = [{"id": "left"}, {"id": "right"}]


@pytest.fixture(autouse=True)
def _with_claude() -> None:
    needs_claude()


class Asker(Model):
    """Makes a run of the scripted agent, and follows it until a person is needed."""

    agent = ""
    cwd: str | None = None
    """A program of the client's stands where the client does; a server has to be told."""

    def __call__(self, request: Request) -> Reply:
        said = request.results
        if not said:
            # Tools of servers are looked up before they are used.
            wanted = ",".join(f"mcp__bigtask__{name}" for name in ("create_run", "start_run", "follow_run"))
            return Reply(blocks=[Call(name="ToolSearch", input={"query": f"select:{wanted}"})])
        if len(said) == 1:
            asked = {"template": "tested", "request": "Do the work", "agent": self.agent}
            asked |= {"cwd": self.cwd} if self.cwd else {}
            return Reply(blocks=[Call(name="mcp__bigtask__create_run", input=asked)])
        run = re.search(r'"runId":\s*"(\w+)"', said[1])
        if run is None:
            return Reply(blocks=[f"It couldn't be made: {said[1]}"])
        if len(said) == 2:
            return Reply(blocks=[Call(name="mcp__bigtask__start_run", input={"run_id": run[1]})])
        if "orchestrator:waiting" in said[-1]:
            return Reply(blocks=[f"The plan of {run[1]} waits for you."])
        last = re.search(r'"after":\s*(\d+)', said[-1])
        follow = {"run_id": run[1], "after": int(last[1]) if last else 0}
        return Reply(blocks=[Call(name="mcp__bigtask__follow_run", input=follow)])


@asynccontextmanager
async def by_program(place: Place) -> AsyncIterator[dict[str, Any]]:
    yield {"command": sys.executable, "args": ["-m", "bigtask", "mcp"], "env": place.env}


@asynccontextmanager
async def by_server(place: Place) -> AsyncIterator[dict[str, Any]]:
    """As docs/mcp.md sets a client up: with the token for agents."""
    async with place.begun("serve", "--port", "0", "--json") as process:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            said = json.loads(await process.stdout.readline())
        token = Path(said["delegateTokenFile"]).read_text().strip()
        yield {
            "type": "http",
            "url": f"{said['url']}/mcp",
            "headers": {"Authorization": f"Bearer {token}"},
        }
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            await process.communicate()


@pytest.mark.parametrize("reached", [by_program, by_server])
async def test_claude_makes_a_run_and_follows_it_until_a_person_is_needed(
    reached: Callable[[Place], AbstractAsyncContextManager[dict[str, Any]]],
) -> None:
    found = installation()
    assert found is not None
    model = Asker()
    with placed(model) as place:
        desk = Desk(Home(place.folder / "home"))
        desk.template(config={"maxWorkers": 2})
        model.agent = desk.script({"tasks": TASKS})
        model.cwd = str(place.project.root) if reached is by_server else None
        async with reached(place) as server:
            said = await answered(found.cli, place, server)
        id = re.fullmatch(r"The plan of (\w+) waits for you\.", said)
        assert id is not None, said
        run = await read_run(desk.home.find(id[1]))
        assert [item.kind for item in run.waiting.values()] == ["plan"]
        assert run.created.by == "delegate"
        assert run.plan is not None


async def answered(cli: Path, place: Place, server: dict[str, Any]) -> str:
    """What Claude Code says in the end, with that server of tools."""
    config = place.folder / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"bigtask": server}}))
    process = await asyncio.create_subprocess_exec(
        str(cli),
        *("-p", "Have the work done.", "--output-format", "json"),
        *("--mcp-config", str(config), "--strict-mcp-config", "--allowedTools", "mcp__bigtask"),
        cwd=place.project.root,
        env={**place.env, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert process.returncode == 0, err.decode()
    return str(json.loads(out)["result"])
