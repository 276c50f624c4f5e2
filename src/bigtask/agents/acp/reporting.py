"""The tools that a session offers to its agent: an MCP server of ours that the agent starts, and this end of
it. They meet at a socket that nobody else can reach.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

VARIABLE = "BIGTASK_REPORT_SOCKET"
NAME = "bigtask"
PROGRAM = ("-P", "-m", "bigtask.agents.acp.report_program")
_LONGEST = 16 * 2**20

Said = tuple[str, bool]
"""What the agent is told, and whether it is an error."""
Call = Callable[[str, Mapping[str, Any]], Awaitable[Said]]


@asynccontextmanager
async def offered(call: Call) -> AsyncIterator[Path]:
    """The socket at which calls of tools come in."""
    with tempfile.TemporaryDirectory(prefix="bigtask-acp-") as folder:
        path = Path(folder, "s")

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                line = await reader.readline()
                asked = msgspec.json.decode(line, type=dict[str, Any])
                text, wrong = await call(str(asked.get("tool", "")), _table(asked.get("arguments")))
                writer.write(msgspec.json.encode({"text": text, "isError": wrong}) + b"\n")
                await writer.drain()
            except (ValueError, RecursionError, ConnectionError):
                return  # no answer is sent, and the program that asked tells the agent so
            finally:
                writer.close()

        server = await asyncio.start_unix_server(serve, path=path, limit=_LONGEST)
        try:
            yield path
        finally:
            server.close()


def command() -> tuple[str, tuple[str, ...]]:
    return sys.executable, PROGRAM


def _table(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}
