"""The same tools at the server's `/mcp`, for agents that reach it by HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bigtask.mcp.bounds import Bounds
from bigtask.mcp.serving import made
from bigtask.mcp.tools import Tools
from bigtask.module import OrchestratorModule
from bigtask.server.role import DELEGATE

PATH = "/mcp"


class Endpoint:
    """Each request stands alone: no session is kept. Who may send one is the guard's to say."""

    def __init__(self, module: OrchestratorModule) -> None:
        server = made(Tools(module, Bounds(), cwd=None), module)
        server.streamable_http_app(stateless_http=True, json_response=True, host="guarded")
        self._manager: StreamableHTTPSessionManager = server.session_manager
        self.route = _Delegated(PATH, self, methods=["POST"], include_in_schema=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._manager.handle_request(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._manager.run():
            yield


class _Delegated(Route):
    openapi_extra: dict[str, Any] = DELEGATE
