"""A server in this process: where a test has to look inside, or to take something out."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI
from websockets.asyncio.client import connect

from bigtask.agents.table import AgentTable
from bigtask.host.home import Home
from bigtask.server import serving
from bigtask.server.parts import Gate, Parts
from bigtask.server.serving import Address, Welcome, serve

PATIENCE_S = 30.0


@dataclass
class Here:
    home: Home
    welcome: Welcome
    inside: serving._Server
    parts: Parts
    app: FastAPI

    @property
    def port(self) -> int:
        port = urlsplit(self.welcome.url).port
        assert port is not None
        return port

    @property
    def token(self) -> str:
        return self.welcome.token_file.read_text().strip()

    def socket(self, **options: object) -> connect:
        headers = {"Authorization": f"Bearer {self.token}"}
        return connect(
            f"ws://127.0.0.1:{self.port}/api/ws", additional_headers=headers, compression=None, **options
        )

    def buffered(self) -> int:
        """Bytes that wait in this process for clients to read them."""
        return sum(one.transport.get_write_buffer_size() for one in self.inside.server_state.connections)


@asynccontextmanager
async def here(
    home: Path, monkeypatch: pytest.MonkeyPatch, agents: AgentTable | None = None
) -> AsyncIterator[Here]:
    made: list[serving._Server] = []
    parts: list[Parts] = []
    apps: list[FastAPI] = []
    make = serving.api

    class Seen(serving._Server):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type] # as it was called
            made.append(self)

    def seen(given: Parts, gate: Gate) -> FastAPI:
        parts.append(given)
        apps.append(make(given, gate))
        return apps[-1]

    monkeypatch.setattr(serving, "_Server", Seen)
    monkeypatch.setattr(serving, "api", seen)
    welcomed: asyncio.Future[Welcome] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(
        serve(
            Home(home),
            Address(port=0),
            who="ada",
            agents=agents or AgentTable(),
            environ={},
            welcome=welcomed.set_result,
        )
    )
    try:
        done, _ = await asyncio.wait({running, welcomed}, return_when=asyncio.FIRST_COMPLETED)
        if running in done:
            await running
        yield Here(Home(home), welcomed.result(), made[0], parts[0], apps[0])
    finally:
        if not running.done():
            os.kill(os.getpid(), signal.SIGTERM)
            async with asyncio.timeout(PATIENCE_S):
                await running
