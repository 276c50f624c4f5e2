"""What an attempt can do with the token that its session is given: say how far it is, and nothing else."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from bigtask.agents.protocol import Opening, Session
from bigtask.agents.scripted.agent import ScriptedAgent
from bigtask.agents.scripted.script import script_of
from bigtask.agents.table import AgentTable
from bigtask.server.guard import PUBLIC
from bigtask.server.role import MARK

from .conftest import furnish
from .here import PATIENCE_S, here

pytestmark = pytest.mark.integration

HANGS = {"turns": [{"when": {"task": task}, "steps": [{"do": "hang"}]} for task in ("left", "right")]}


class Told(ScriptedAgent):
    """Keeps the environment that each of its sessions was opened with."""

    def __init__(self) -> None:
        super().__init__(script_of({"tasks": [{"id": "left"}, {"id": "right"}], **HANGS}))
        self.env: dict[str, Mapping[str, str]] = {}

    def session(self, opening: Opening) -> AbstractAsyncContextManager[Session]:
        self.env[opening.name.rpartition("_")[2]] = opening.env
        return super().session(opening)


async def asked(port: int, token: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
    def ask() -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        try:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    return await asyncio.to_thread(ask)


async def test_an_attempt_reports_for_itself_alone_and_only_while_it_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, project = furnish(tmp_path)
    agent = Told()
    async with (
        asyncio.timeout(2 * PATIENCE_S),
        here(desk.home.path, monkeypatch, AgentTable({agent.name: agent})) as server,
    ):
        module = server.parts.module
        folder = await desk.create(project, agent=agent.name, agents=module.agents, max_workers=2)
        await module.orchestrators.start(folder.id)
        at_work: set[str] = set()
        async for event in module.events(folder.id):
            at_work |= {event.data.task_id} if event.type == "worker:started" else set()
            if {"left", "right"} <= at_work:
                break
        (left,) = [env for name, env in agent.env.items() if name == "left"]
        assert left["BIGTASK_URL"] == server.welcome.url
        token = left["BIGTASK_TOKEN"]
        for secret in (server.token, server.welcome.delegate_file.read_text().strip()):
            assert all(secret not in value for env in agent.env.values() for value in env.values())

        base = f"/api/orchestrator/{folder.id}"
        said = {"percent": 40, "action": "Looking around"}
        assert (await asked(server.port, token, "POST", f"{base}/workers/left/report", said))[0] == 200
        async for event in module.events(folder.id):
            if event.type == "worker:progress" and event.data.action == "Looking around":
                assert (event.data.task_id, event.data.percent) == ("left", 40)
                break
        assert (await asked(server.port, token, "POST", f"{base}/workers/right/report", said))[0] == 403
        assert (await asked(server.port, server.token, "POST", f"{base}/workers/left/report", said))[0] == 403
        wrong = {"percent": 140}
        assert (await asked(server.port, token, "POST", f"{base}/workers/left/report", wrong))[0] == 400

        refused = 0
        for route in server.inside.config.app._app._app.routes:  # behind the counter and the guard
            if not isinstance(route, APIRoute) or "attempt" in (route.openapi_extra or {}).get(MARK, ()):
                continue
            path = route.path.format(run_id=folder.id, task_id="left", template_id="tested")
            for method in route.methods:
                if (method, path) in PUBLIC:
                    continue
                assert (await asked(server.port, token, method, path))[0] == 403, (method, path)
                refused += 1
        assert refused >= 15
        assert (await module.orchestrators.get(folder.id)).outcome is None

        await module.orchestrators.cancel(folder.id)
        for path in (f"{base}/workers/left/report", f"{base}/cancel"):
            assert (await asked(server.port, token, "POST", path, {}))[0] == 401
