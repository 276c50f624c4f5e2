"""The MCP server itself: tools and resources over one module."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from importlib.metadata import version
from typing import Any, ParamSpec, TypeVar

import msgspec
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ToolError

from bigtask.errors import BigtaskError
from bigtask.mcp.tools import Tools
from bigtask.module import OrchestratorModule
from bigtask.sink import without_secrets

_WORDS = """bigtask carries out one request that is too big for one session: it is split into tasks, which
several agents do in parallel, each in its own worktree; their work is merged and checked. Make a run with
create_run, begin it with start_run, and follow it with follow_run. A person confirms the plan, answers
questions and merges the result: tell them when `waiting` isn't empty."""

P = ParamSpec("P")
T = TypeVar("T")


def made(tools: Tools, module: OrchestratorModule) -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer(
        name="bigtask", version=version("bigtask"), instructions=_WORDS, log_level="CRITICAL"
    )
    # Its way of logging would change that of the whole process.
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    for tool in tools.all():
        server.add_tool(_told(tool, ToolError))

    @server.resource(
        "bigtask://templates", name="templates", mime_type="application/json", description="All templates."
    )
    async def templates() -> str:
        return json.dumps(await tools.list_templates())

    @server.resource(
        "bigtask://templates/{template_id}",
        name="template",
        mime_type="application/json",
        description="One template with everything that it inherits.",
    )
    async def template(template_id: str) -> str:
        async def read() -> str:
            return json.dumps(dict(module.templates.get(template_id).raw))

        return await _told(read, ResourceError)()

    @server.resource(
        "bigtask://runs", name="runs", mime_type="application/json", description="Runs, newest first."
    )
    async def runs() -> str:
        return json.dumps(await tools.list_runs(100))

    @server.resource(
        "bigtask://runs/{run_id}",
        name="run",
        mime_type="application/json",
        description="The whole state of a run.",
    )
    async def run(run_id: str) -> str:
        async def read() -> str:
            return msgspec.json.encode(await module.orchestrators.get(run_id)).decode()

        return await _told(read, ResourceError)()

    return server


def _told(work: Callable[P, Awaitable[T]], kind: type[Exception]) -> Callable[P, Awaitable[T]]:
    """What bigtask raises on purpose is for the agent to read."""

    @wraps(work)
    async def told(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await work(*args, **kwargs)
        except BigtaskError as error:
            raise kind(without_secrets(str(error))) from None

    return told
